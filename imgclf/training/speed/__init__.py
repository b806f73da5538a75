"""What makes training faster than Keras alone."""
