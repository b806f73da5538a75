"""How a search runs: which trial is next, who trains it, and what is written down."""
