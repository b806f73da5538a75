"""The results of a search: its trials, the best of them, and their confirmation."""
