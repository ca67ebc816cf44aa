"""Shared counters. Functions of ``(session, ...)``; times in ms."""
