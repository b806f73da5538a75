"""What is tied to the deep-learning framework: fast prediction, and what Keras does not promise."""
