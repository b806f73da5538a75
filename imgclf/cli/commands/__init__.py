"""A file for each command: it parses, calls the API, and prints."""
