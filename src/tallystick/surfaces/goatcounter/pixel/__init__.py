"""``/count`` and the script that calls it."""
