"""What each endpoint does, one file a subject."""
