"""How to train, as values: the recipe and its parts."""
