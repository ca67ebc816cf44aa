"""Badges: a number as a picture, as data for other servers of badges, or as text."""
