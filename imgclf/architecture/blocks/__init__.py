"""The blocks of a network: what they are, and a file for each kind."""
