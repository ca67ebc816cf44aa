"""Statistics of sites, as pages and as data."""
