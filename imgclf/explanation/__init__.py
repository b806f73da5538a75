"""Explains predictions: heat maps with a test of each, and the nearest training images."""
