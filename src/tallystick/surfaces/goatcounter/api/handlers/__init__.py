"""What each endpoint does: decode, one call, encode."""
