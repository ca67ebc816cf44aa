"""Public counters that have owners: who they are, what their rules admit, and what only they may do."""
