"""The engine of a search: which trial is next, who trains it, and what is recorded."""
