"""Pages of shared counters."""
