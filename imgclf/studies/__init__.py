"""Studies that train or load several classifiers."""
