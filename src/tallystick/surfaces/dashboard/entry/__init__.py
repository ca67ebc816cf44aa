"""First setup and login."""
