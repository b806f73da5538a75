"""How long a run takes, and how it is fitted into a time."""
