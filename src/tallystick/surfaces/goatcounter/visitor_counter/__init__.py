"""``/counter/PATH.EXT``: the public counter of a page."""
