"""Public counters: count, list, export, import."""
