"""The table of dimensions: what hits are filtered and grouped by.

Filters, the SQL of conditions and values, reports, pages of the statistics API and their details follow from its
rows. A new dimension is a field of ``model.hit.Hit`` with its column, a row here, and its names in the contract's
``openapi.yaml``.
"""

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from msgspec import Struct

UNKNOWN = "(unknown)"
"""The value of a filter for hits without one: no referrer, no campaign, no country."""
WIDEST = 2**32 - 1


class ValueKind(Enum):
    """How the value of a dimension is made of a hit's columns, and how a filter compares it.

    A dimension whose filter ignores case is TEXT or FOLDED, one that is compared exactly any other kind.
    """

    TEXT = "text"
    """The column."""
    FOLDED = "folded"
    """The column in lower case; reports show its most frequent spelling."""
    CODE = "code"
    """The column, which has one spelling: the dimension's."""
    FLAG = "flag"
    """The column, true or false."""
    ID = "id"
    """The column: an id of something that the ledger names."""
    NUMBER = "number"
    """The column in digits."""
    RANGE = "range"
    """The name of the range that the column lies in; with a second column, that in place of the nameless range."""
    VERSION = "version"
    """Two columns, a name and its version, with a space between them."""
    PART = "part"
    """Two columns, a code and a part of it, with a dash between them; empty without the part."""
    REFERRING = "referring"
    """Two columns, a referrer and its scheme: host and path without ``www.``, or the name of a group; else empty."""
    PROP = "prop"
    """Of the column of properties, the value of one property; empty without it."""


class Scope(Enum):
    """What the value of a dimension belongs to, in questions.

    GoatCounter's reports read every dimension of each hit.
    """

    VISIT = "visit"
    """The visit, and all of its hits: the value of its first hit in the period."""
    HIT = "hit"
    """Each hit."""


class Range(NamedTuple):
    """A named range of numbers, both ends included."""

    name: str
    lowest: int
    highest: int


class Dimension(Struct, frozen=True, kw_only=True):
    """A row of the table.

    Attributes:
        name: unique.
        columns: of ``hit``, by which visits are counted before the value is made; the value is made of the first
            ones.
        kind: how.
        optional: whether a hit may have NULL there; such a hit is in no row of a report.
        spelling: makes the spelling in which a CODE is kept.
        ranges: of a RANGE, in the order in which they are listed.
        filter: name of its filter; empty when hits cannot be filtered by it.
        page: name of its page in the statistics API; empty when it has none.
        details: by what the page divides one of its rows; None when it has no details.
        scope: see ``Scope``.
        shown: pairs of a value and what questions show and compare in its place.
        key: of a PROP, the name of the property.
    """

    name: str
    columns: tuple[str, ...]
    kind: ValueKind = ValueKind.TEXT
    optional: bool = False
    spelling: Callable[[str], str] = str
    ranges: tuple[Range, ...] = ()
    filter: str = ""
    page: str = ""
    details: "Dimension | None" = None
    scope: Scope = Scope.VISIT
    shown: tuple[tuple[str, str], ...] = ()
    key: str = ""

    def spelled(self, text: str) -> str:
        """A value in the spelling in which it is kept."""
        return text if text == UNKNOWN else self.spelling(text)


SIZES = (
    Range("phone", 1, 600),
    Range("tablet", 601, 1_000),
    Range("desktop", 1_001, 1_920),
    Range("desktophd", 1_921, WIDEST),
    Range("unknown", 0, 0),
)
"""Kinds of screens by their width in CSS pixels."""

PATH = Dimension(name="path", columns=("path",), kind=ValueKind.ID, filter="path", scope=Scope.HIT)
EVENT = Dimension(name="event", columns=("event",), kind=ValueKind.FLAG, filter="event", scope=Scope.HIT)
REFERRER = Dimension(
    name="referrer",
    columns=("ref", "ref_scheme"),
    kind=ValueKind.FOLDED,
    filter="ref",
    page="toprefs",
    details=PATH,
)
CAMPAIGN = Dimension(
    name="campaign",
    columns=("campaign",),
    kind=ValueKind.ID,
    optional=True,
    filter="campaign",
    page="campaigns",
    details=REFERRER,
)
BROWSER_VERSION = Dimension(name="browser_and_version", columns=("browser", "browser_version"), kind=ValueKind.VERSION)
BROWSER = Dimension(name="browser", columns=("browser",), filter="browser", page="browsers", details=BROWSER_VERSION)
SYSTEM_VERSION = Dimension(name="system_and_version", columns=("system", "system_version"), kind=ValueKind.VERSION)
SYSTEM = Dimension(name="system", columns=("system",), filter="system", page="systems", details=SYSTEM_VERSION)
REGION = Dimension(name="region", columns=("country", "region"), kind=ValueKind.PART)
COUNTRY = Dimension(
    name="country",
    columns=("country",),
    kind=ValueKind.CODE,
    spelling=str.upper,
    filter="country",
    page="locations",
    details=REGION,
)
LANGUAGE = Dimension(
    name="language",
    columns=("language",),
    kind=ValueKind.CODE,
    spelling=str.lower,
    filter="language",
    page="languages",
)
WIDTH = Dimension(name="width", columns=("width",), kind=ValueKind.NUMBER)
SIZE = Dimension(
    name="size",
    columns=("width",),
    kind=ValueKind.RANGE,
    ranges=SIZES,
    filter="size",
    page="sizes",
    details=WIDTH,
)

DIMENSIONS: tuple[Dimension, ...] = (
    PATH,
    EVENT,
    BROWSER,
    BROWSER_VERSION,
    SYSTEM,
    SYSTEM_VERSION,
    COUNTRY,
    REGION,
    LANGUAGE,
    SIZE,
    WIDTH,
    CAMPAIGN,
    REFERRER,
)
"""The dimensions of GoatCounter's reports; pages are listed in this order."""

# Dimensions of questions (model/question.py) only.

DEVICES = (
    Range("Mobile", 1, 600),
    Range("Tablet", 601, 1_000),
    Range("Desktop", 1_001, WIDEST),
    Range("", 0, 0),
)
"""Kinds of devices by the width of their screens in CSS pixels."""

PAGE = Dimension(name="page", columns=("path", "page", "event"), kind=ValueKind.ID, optional=True, scope=Scope.HIT)
"""The path of a pageview, or of the page where an event happened; an event of an unknown page has none."""
EVENT_NAME = Dimension(name="event_name", columns=("path", "event"), kind=ValueKind.ID, scope=Scope.HIT)
"""The name of an event; ``PAGEVIEW`` of a pageview, whose id is ``PAGEVIEW_ID``."""
HOST = Dimension(name="host", columns=("host",), scope=Scope.HIT)
"""The host name of the page, without ``www.``."""
GOAL = Dimension(name="goal", columns=("goal",), kind=ValueKind.ID, scope=Scope.HIT)
"""A goal of the question (``Question.goals``): a hit has each one that it reaches."""
NEXT_PAGE = Dimension(name="next_page", columns=("next_page",), kind=ValueKind.ID, optional=True, scope=Scope.HIT)
"""The path of the pageview after a pageview in its visit."""
PREVIOUS_PAGE = Dimension(
    name="previous_page", columns=("previous_page",), kind=ValueKind.ID, optional=True, scope=Scope.HIT
)
"""The path of the pageview before a pageview in its visit."""
BOT = Dimension(name="bot", columns=("bot",), kind=ValueKind.ID, scope=Scope.HIT)
"""Why a hit is considered a bot's: a ``model.hit.Bot`` code."""
ENTRY_PAGE = Dimension(name="entry_page", columns=("entry_page",), kind=ValueKind.ID, optional=True)
"""The path of the visit's first pageview."""
EXIT_PAGE = Dimension(name="exit_page", columns=("exit_page",), kind=ValueKind.ID, optional=True)
"""The path of the visit's last pageview."""
ENTRY_HOST = Dimension(name="entry_host", columns=("entry_host",))
EXIT_HOST = Dimension(name="exit_host", columns=("exit_host",))
SOURCE = Dimension(name="source", columns=("source",))
"""The name of the visit's source; empty for direct visits."""
CHANNEL = Dimension(name="channel", columns=("channel",))
"""The kind of source; empty for hits of older versions."""
REFERRING_PAGE = Dimension(name="referrer", columns=("ref", "ref_scheme"), kind=ValueKind.REFERRING)
UTM_SOURCE = Dimension(name="utm_source", columns=("utm_source",))
UTM_MEDIUM = Dimension(name="utm_medium", columns=("utm_medium",))
UTM_CONTENT = Dimension(name="utm_content", columns=("utm_content",))
UTM_TERM = Dimension(name="utm_term", columns=("utm_term",))
VERSION_OF_BROWSER = Dimension(name="browser_version", columns=("browser_version",))
VERSION_OF_SYSTEM = Dimension(name="system_version", columns=("system_version",))
DEVICE = Dimension(name="device", columns=("width", "device"), kind=ValueKind.RANGE, ranges=DEVICES)
"""By the width of the screen; where it is not known, as the agent says."""

COUNTRY_NAME = "country_name"
"""The name of the country with names in place of codes."""
PAGEVIEW, PAGEVIEW_ID = "pageview", 0

QUESTION_DIMENSIONS: tuple[Dimension, ...] = (
    PAGE,
    EVENT_NAME,
    HOST,
    NEXT_PAGE,
    PREVIOUS_PAGE,
    ENTRY_PAGE,
    EXIT_PAGE,
    ENTRY_HOST,
    EXIT_HOST,
    SOURCE,
    CHANNEL,
    REFERRING_PAGE,
    UTM_SOURCE,
    UTM_MEDIUM,
    CAMPAIGN,
    UTM_CONTENT,
    UTM_TERM,
    COUNTRY,
    REGION,
    LANGUAGE,
    DEVICE,
    SIZE,
    BROWSER,
    VERSION_OF_BROWSER,
    SYSTEM,
    VERSION_OF_SYSTEM,
    BOT,
)
"""What questions can filter and group by, besides time. Names are unique among them."""


def prop(key: str) -> Dimension:
    """The dimension of a property of hits, by its name."""
    return Dimension(
        name=f"prop:{key}",
        columns=("props",),
        kind=ValueKind.PROP,
        scope=Scope.HIT,
        shown=(("", "(none)"),),
        key=key,
    )


def filters() -> dict[str, Dimension]:
    """The dimensions that hits can be filtered by, by the filter's name."""
    return {dimension.filter: dimension for dimension in DIMENSIONS if dimension.filter}


def pages() -> dict[str, Dimension]:
    """The dimensions that have a page in the statistics API, by the page's name."""
    return {dimension.page: dimension for dimension in DIMENSIONS if dimension.page}
