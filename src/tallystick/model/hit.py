"""Hits: recorded requests to a site, as the warehouse stores them."""

from enum import IntEnum

from msgspec import Struct

MAX_TITLE = 1_024
"""Characters of a title."""
MAX_AHEAD_S = 5
"""Tolerated difference between the clocks of two machines."""
WEB_BEGAN = 681_436_800
"""1991-08-06, when the Web began; an earlier time is a mistake."""

HOUR_S = 3_600
SESSION_S = 8 * HOUR_S
"""A visitor session lasts this long after its last hit, by the hits' own times."""


class Bot(IntEnum):
    """Why a hit is considered a bot's (GoatCounter contract, 2.2). 0 and 1 are people."""

    KNOWN_NOT = 0
    NO_MATCH = 1
    PREFETCH = 2
    LINK = 3
    CLIENT_LIBRARY = 4
    KNOWN = 5
    BOTY_WORD = 6
    SHORT = 7
    AWS = 8
    DIGITAL_OCEAN = 9
    SERVERS_COM = 10
    GOOGLE_CLOUD = 11
    HETZNER = 12
    AZURE = 13
    ALIBABA = 14
    LINODE = 15
    ORACLE = 16
    OVH = 17
    PHANTOM = 150
    NIGHTMARE = 151
    SELENIUM = 152
    WEBDRIVER = 153


_NO_BOT = int(Bot.NO_MATCH)  # checked several times a hit, and looking up an enum's member is slow


def is_bot(code: int) -> bool:
    """Whether a ``Bot`` code means that a bot sent the hit."""
    return code > _NO_BOT


def time_problem(created: int, now: int) -> str:
    """A message about an implausible time of a hit (Unix seconds); empty for a plausible one."""
    if created > now + MAX_AHEAD_S:
        return "in the future"
    return "older than the web: must be after 1991-08-06" if created < WEB_BEGAN else ""


class Visitor(Struct, frozen=True, gc=False):
    """The sender of a hit as keyed hashes (64 bits) of site, address and User-Agent. Nothing else of a person is kept.

    Attributes:
        current: with the current salt.
        previous: with the previous salt; the same as ``current`` if there is none.
    """

    current: int
    previous: int


class Hit(Struct, kw_only=True, gc=False):
    """A hit as the pipeline passes it to the warehouse, which adds an id, a session and ``first``.

    Attributes:
        path: id of a path of the site.
        visitor: None for a hit without session, which is always a first visit.
        first: whether this is a first visit, for imports that know it; None to let the warehouse decide.
        bot: a ``Bot`` code; 0 for a person's hit.
        ref_scheme: ``h`` HTTP URL, ``g`` generated, ``c`` campaign, ``o`` other.
        campaign: id of a campaign of the site.
        country: ISO 3166-1 alpha-2.
        region: the part of ISO 3166-2 after the dash.
        language: ISO 639-3.
        width: of the screen in CSS pixels; 0 when unknown.
        utm_source, utm_medium, utm_content, utm_term: parameters of the page's URL; empty without.
        host: of the page, lower case, without ``www.``; empty when unknown.
        source: the name of what led here; empty for none.
        channel: the kind of source, for example ``Organic Search``; empty for none.
        page: of an event, the id of the path of the page where it happened; None if unknown, and for pageviews.
        props: properties, as canonical text (``model/props.py``); empty for none.
        interactive: of an event, whether a visit with it is no bounce.
        device: ``Desktop``, ``Mobile`` or ``Tablet``, by the agent; empty when unknown.
        single: False if the site keeps no single hits; the row then has only the hour and no session.
        created: Unix seconds.
    """

    site: int
    path: int
    visitor: Visitor | None = None
    first: bool | None = None
    event: bool = False
    bot: int = 0
    ref: str = ""
    ref_scheme: str = "o"
    campaign: int | None = None
    browser: str = ""
    browser_version: str = ""
    system: str = ""
    system_version: str = ""
    country: str = ""
    region: str = ""
    language: str = ""
    width: int = 0
    utm_source: str = ""
    utm_medium: str = ""
    utm_content: str = ""
    utm_term: str = ""
    host: str = ""
    source: str = ""
    channel: str = ""
    page: int | None = None
    props: str = ""
    interactive: bool = True
    device: str = ""
    single: bool = True
    created: int
