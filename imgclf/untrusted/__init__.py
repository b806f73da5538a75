"""Checks model files from strangers before anything reads them."""
