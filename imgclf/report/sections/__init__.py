"""The sections of a report: each is a function of one thing, and None where there is nothing."""
