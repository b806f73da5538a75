"""A network and its recipe as a script, with imgclf or in plain Keras."""
