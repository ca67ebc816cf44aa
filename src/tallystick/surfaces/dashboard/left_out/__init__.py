"""What the statistics of a site leave out, and rules to leave out more."""
