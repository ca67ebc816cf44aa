"""Sites and their settings."""
