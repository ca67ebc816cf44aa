"""Segments: filters with a name, which other filters can refer to."""

from typing import Any

from msgspec import Struct

MAX_SEGMENTS = 500
"""Of a site's own."""
MAX_OWN_SEGMENTS = 100
"""Of a person on a site, so that one person cannot take the room of all."""
MAX_SEGMENT_NAME = 255


class Segment(Struct, frozen=True, kw_only=True):
    """A segment of a site. Times are Unix milliseconds.

    Attributes:
        id: 0 for one that is not stored yet.
        name: need not be unique.
        owner: the person whose own it is; None for one of the site, which everybody sees who sees its statistics.
        filters: a list as ``POST /api/query`` takes it.
    """

    id: int = 0
    site: int
    name: str
    owner: int | None = None
    filters: list[Any]
    created: int = 0
    updated: int = 0
