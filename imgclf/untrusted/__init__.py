"""Checks model files from strangers before Keras reads them.

Imports nothing of the rest of imgclf, so that it could be a package of its own. `check` is the
entrance; it is passed what reads the caller's own entry in the file.
"""
