"""The space of a search: what it varies, and which candidates can be used."""
