"""Imports hits from GoatCounter's exports, Tallystick's own exports, and web servers' logs."""
