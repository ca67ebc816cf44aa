"""What the hits of a site say, and the names they refer to."""
