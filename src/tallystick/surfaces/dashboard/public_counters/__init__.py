"""Pages of public counters: found, made, shown; set and deleted by superusers."""
