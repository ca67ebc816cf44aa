"""Reads changes of shared counters and publishes them to live connections."""
