"""Sharing the statistics of a site: its shared links, and who else may read or embed them."""
