"""95% intervals: by formula, and by resampling."""
