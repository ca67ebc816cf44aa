"""Shared links: with one, people without an account read the statistics of a site."""

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from msgspec import Struct

MAX_LINKS = 100
"""Of a site."""
MAX_LINK_NAME = 120
MAX_PANELS = 60


class SharedLink(Struct, frozen=True, kw_only=True):
    """A shared link of a site. Times are Unix milliseconds.

    Attributes:
        id: 0 for one that is not stored yet.
        name: unique in its site; upper and lower case are the same.
        digest: of the secret in its address, which is not stored.
        expires: None for a link that does not expire.
        password: a digest as accounts have; None where none is needed.
        filters: a list as ``POST /api/query`` takes it, which every question gets; empty for all visits.
        panels: the names of the panels that are shown; empty for all.
        created_by: the id of an account, which may be gone; None for the command line.
        used: when it was last used, to the hour; None for never.
    """

    id: int = 0
    site: int
    name: str
    digest: bytes = b""
    expires: int | None = None
    password: str | None = None
    filters: list[Any] = []
    panels: tuple[str, ...] = ()
    created_by: int | None = None
    created: int = 0
    updated: int = 0
    used: int | None = None

    def has_expired(self, now: int) -> bool:
        """Whether it has ended by itself."""
        return self.expires is not None and self.expires <= now

    def shows(self, panel: str) -> bool:
        """Whether it shows the panel with a name."""
        return not self.panels or panel in self.panels


def end_of_day(day: str) -> int | None:
    """The end of a day in UTC, in Unix milliseconds; None for a text that is no day such as ``2026-12-31``."""
    with suppress(ValueError, OverflowError):
        end = datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), UTC)
        return int(end.timestamp() * 1000)
    return None


def last_day(link: SharedLink) -> str:
    """The last day on which a link is valid, in UTC; empty for one that does not expire."""
    if link.expires is None:
        return ""
    return datetime.fromtimestamp((link.expires - 1) / 1000, UTC).date().isoformat()
