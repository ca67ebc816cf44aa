"""The page to copy badges of public counters from. The badges themselves are another surface's."""
