"""Evaluates a classifier: metrics with 95% intervals, calibration, comparisons, from plain arrays.

Nothing in this folder knows Keras or TensorFlow.
"""
