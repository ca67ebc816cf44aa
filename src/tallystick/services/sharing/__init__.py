"""Sharing: what people do with counters that they share. Functions of ``(session, ...)``; times in ms."""
