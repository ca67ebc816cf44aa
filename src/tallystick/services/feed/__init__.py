"""Changes of shared counters, read on for live connections."""
