"""Files: the one way to write one, and what is inside a saved model."""
