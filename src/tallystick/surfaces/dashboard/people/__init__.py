"""People of an account and their access."""
