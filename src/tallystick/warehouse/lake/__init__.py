"""The warehouse of many nodes: hits are acknowledged in PostgreSQL and kept in a lake that all nodes read."""
