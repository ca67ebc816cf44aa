"""Saved views: addresses of a site's statistics with a name."""

from msgspec import Struct

MAX_SAVED_VIEWS = 100
"""Of a site's own."""
MAX_OWN_SAVED_VIEWS = 100
"""Of a person on a site, so that one person cannot take the room of all."""
MAX_SAVED_VIEW_NAME = 100
MAX_SAVED_VIEW_QUERY = 4_000


class SavedView(Struct, frozen=True, kw_only=True):
    """A view of a site's statistics. Times are Unix milliseconds.

    Attributes:
        id: 0 for one that is not stored yet.
        name: no other view of the same owner has it, but for old ones.
        owner: the person whose own it is; None for one of the site, which all of its people see.
        query: what stands behind ``?`` in the address of the statistics.
    """

    id: int = 0
    site: int
    name: str
    owner: int | None = None
    query: str
    created: int = 0
    updated: int = 0
