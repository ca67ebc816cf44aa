"""Frozen values and pure rules. No await, no SQL, no HTTP, no clock."""
