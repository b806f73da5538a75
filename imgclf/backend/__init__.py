"""What is tied to the deep-learning framework: fast prediction, Keras's graph, replaced methods."""
