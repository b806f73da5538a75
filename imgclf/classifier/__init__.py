"""`Classifier`, and what its methods call."""
