"""95% intervals, by formula and by resampling, and paired statistics."""
