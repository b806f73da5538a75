"""The sections of a report: a function each, which returns None where there is nothing to show."""
