"""The command line: one file a command, that parses, calls the API and prints."""
