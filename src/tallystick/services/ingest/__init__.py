"""Turns hits as they are sent into hits as the warehouse stores them. See DESIGN.md."""
