"""CountTogether: counters that people share and change together, live."""
