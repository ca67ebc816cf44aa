"""Badges of public counters: pictures to be embedded anywhere, and the page to copy them from."""
