"""Backups of ledger and warehouse, and their restoration."""
