"""What a search has found: trials, the best of them, and how sure that is."""
