"""What metrics are computed from: plain arrays of labels and probabilities."""
