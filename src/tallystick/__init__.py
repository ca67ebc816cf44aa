"""Tallystick: one server that counts anything and never loses a count it acknowledged."""

__version__ = "0.1.0"
