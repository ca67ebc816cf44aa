"""Exports of a site's hits."""
