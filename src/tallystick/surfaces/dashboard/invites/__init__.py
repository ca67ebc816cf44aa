"""Invites to shared counters."""
