"""One recorded request to a site, as the warehouse keeps it."""

from enum import IntEnum

from msgspec import Struct

MAX_TITLE = 1_024
"""Characters of a title."""
MAX_AHEAD_S = 5
"""The clocks of two machines may differ by so much."""
WEB_BEGAN = 681_436_800
"""1991-08-06: no page was visited before, so an earlier time is a mistake."""

HOUR_S = 3_600
SESSION_S = 8 * HOUR_S
"""A visitor is told apart for this long since the last hit, by the hits' own time."""


class Bot(IntEnum):
    """Why a hit is no person's (GoatCounter contract, 2.2). 0 and 1 are people."""

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


_NO_BOT = int(Bot.NO_MATCH)  # each hit is asked several times, and to name a member of an enum takes long


def is_bot(code: int) -> bool:
    """Whether a result code says that no person sent the hit."""
    return code > _NO_BOT


def time_problem(created: int, now: int) -> str:
    """What is wrong with the time of a hit (Unix seconds); empty where nothing is."""
    if created > now + MAX_AHEAD_S:
        return "in the future"
    return "older than the web: must be after 1991-08-06" if created < WEB_BEGAN else ""


class Visitor(Struct, frozen=True, gc=False):
    """Who sent a hit, as keyed hashes (64 bits) of site, address and agent: nothing else is kept of a person.

    Attributes:
        current: under the salt in force.
        previous: under the salt before it; the same as ``current`` while there is none.
    """

    current: int
    previous: int


class Hit(Struct, kw_only=True, gc=False):
    """What the pipeline hands to the warehouse, which gives it an id, a session and ``first``.

    Attributes:
        path: id of a path of the site.
        visitor: None for a hit without session: then it is always a first visit.
        first: overrides what the warehouse finds, for imports that know; None lets it find out.
        bot: a ``Bot`` code; 0 for a person's hit.
        ref_scheme: ``h`` HTTP URL, ``g`` generated, ``c`` campaign, ``o`` other.
        campaign: id of a campaign of the site.
        country: ISO 3166-1 alpha-2; region: the part of ISO 3166-2 behind the dash.
        language: ISO 639-3.
        width: of the screen in CSS pixels, 0 when unknown.
        single: False where the site keeps no single hits: the row then has no session and only its hour.
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
    single: bool = True
    created: int
