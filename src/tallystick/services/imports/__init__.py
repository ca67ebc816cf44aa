"""Imports of hits that others have recorded: from GoatCounter's exports, our own, and web servers' logs."""
