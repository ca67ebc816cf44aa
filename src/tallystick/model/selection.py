"""Which hits a report is about, and how rows of a report are told apart."""

from enum import Enum
from typing import NamedTuple

from msgspec import Struct

from tallystick.model.period import Period

UNKNOWN = "(unknown)"
"""What a filter says for hits of which a thing is not known: no referrer, no campaign, no country."""
WIDEST = 2**32 - 1


class Widths(NamedTuple):
    """Widths of screens in CSS pixels, both ends included."""

    narrowest: int
    widest: int


SIZES = {
    "phone": Widths(1, 600),
    "tablet": Widths(601, 1_000),
    "desktop": Widths(1_001, 1_920),
    "desktophd": Widths(1_921, WIDEST),
    "unknown": Widths(0, 0),
}
"""Kinds of screens, in the order in which they are listed."""


class Dimension(Enum):
    """What hits are grouped by."""

    BROWSER = "browser"
    BROWSER_VERSION = "browser_version"
    SYSTEM = "system"
    SYSTEM_VERSION = "system_version"
    COUNTRY = "country"
    REGION = "region"
    LANGUAGE = "language"
    SIZE = "size"
    WIDTH = "width"
    CAMPAIGN = "campaign"
    PATH = "path"
    REFERRER = "referrer"


class Metric(Enum):
    """What can be told besides visits; costs more than they do, so only when it is asked for.

    Sessions are those of the period: hits before and after it are not looked at. Hits without a session are in none.
    """

    VISITORS = "visitors"
    """Different sessions."""
    PAGEVIEWS = "pageviews"
    """Hits that are no events, first visits or not."""
    BOUNCE_RATE = "bounce_rate"
    """Sessions with one hit, in percent of all."""
    VISIT_DURATION = "visit_duration"
    """Seconds from a session's first hit to its last, on average."""


class Filters(Struct, frozen=True, kw_only=True):
    """What was asked of hits, in names; all of it has to hold. None asks nothing.

    Attributes:
        path: the name of a page or event, in any case.
        ref: a referrer as reports name it, in any case; browser and system likewise.
        country: ISO 3166-1 alpha-2; language: ISO 639-3.
        size: a name in ``SIZES``.
        campaign: its name, in any case, or its id, also as text.
    """

    path: str | None = None
    ref: str | None = None
    country: str | None = None
    browser: str | None = None
    system: str | None = None
    language: str | None = None
    size: str | None = None
    campaign: str | int | None = None
    event: bool | None = None


class Question(Struct, frozen=True, kw_only=True):
    """What is asked of a site. None asks nothing.

    Attributes:
        paths: ids or names of paths, one of which it has to be.
        metrics: what is told besides visits.
    """

    site: int
    period: Period
    filters: Filters = Filters()
    paths: tuple[int | str, ...] | None = None
    metrics: frozenset[Metric] = frozenset()


class Selection(Struct, frozen=True, kw_only=True):
    """The hits of people that a report is about: names have become ids. None asks nothing.

    Attributes:
        paths: ids; none of them selects nothing. ``also_paths`` has to hold besides.
        campaigns: ids; 0 is for hits without one.
    """

    site: int
    period: Period
    paths: tuple[int, ...] | None = None
    also_paths: tuple[int, ...] | None = None
    campaigns: tuple[int, ...] | None = None
    ref: str | None = None
    country: str | None = None
    browser: str | None = None
    system: str | None = None
    language: str | None = None
    widths: Widths | None = None
    event: bool | None = None
    metrics: frozenset[Metric] = frozenset()
