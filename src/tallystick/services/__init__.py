"""Verbs: what can be done, independent of who asks by which contract."""
