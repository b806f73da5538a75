"""How good a classifier is, and how sure one can be of that: figures from labels and probabilities.

Nothing in this folder knows Keras or TensorFlow: it takes plain arrays.
"""
