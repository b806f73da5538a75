"""Reports: one HTML page that opens anywhere, and a model card."""
