"""Searching for a network and a recipe: the space, the trials, their journal, and the result."""
