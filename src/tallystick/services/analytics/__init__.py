"""Reports on the hits of a site, and the names that hits refer to."""
