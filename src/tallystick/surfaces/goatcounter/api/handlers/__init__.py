"""One handler an endpoint: decode, one call, encode."""
