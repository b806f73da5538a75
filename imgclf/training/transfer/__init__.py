"""Training on from a network that was trained already."""
