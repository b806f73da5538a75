"""Whether probabilities mean what they say, and what can be done about it."""
