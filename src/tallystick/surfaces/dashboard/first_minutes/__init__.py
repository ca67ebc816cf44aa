"""The first minutes of a site: what to paste into its pages, and what has arrived while nothing is counted yet."""
