"""Requests that a browser makes ahead of time: the page may never be shown."""

from collections.abc import Mapping

PREFETCH = frozenset({b"sec-purpose", b"purpose", b"x-purpose", b"x-moz"})
"""Headers with which browsers say that a request may be made ahead of time."""


def is_prefetch(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the headers of a request, by lower-case name, say that it is made ahead of time."""
    return not PREFETCH.isdisjoint(headers) and any(
        headers.get(name, b"").lower().startswith((b"prefetch", b"preview")) for name in PREFETCH
    )
