"""One handler an endpoint, one file a subject."""
