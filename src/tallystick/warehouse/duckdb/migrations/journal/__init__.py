"""Numbered steps of the journal's schema; see ``tallystick.warehouse.duckdb.migrations``."""
