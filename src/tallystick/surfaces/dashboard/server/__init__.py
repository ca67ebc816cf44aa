"""Accounts, sites and events of the whole server."""
