"""An analytics site and its settings (GoatCounter contract, 1.6 and 3.3)."""

import re
from enum import IntFlag
from typing import Literal

from msgspec import Struct

from tallystick.model.account import UserSettings

Public = Literal["private", "secret", "public"]


class Collect(IntFlag):
    """What a site keeps of a hit."""

    NOTHING = 1
    REFERRER = 2
    USER_AGENT = 4
    SCREEN_SIZE = 8
    LOCATION = 16
    REGION = 32
    LANGUAGE = 64
    SESSION = 128
    HITS = 256
    """Single hits, with session and second; without it a hit keeps no session and only its hour."""


COLLECT = int(
    Collect.REFERRER
    | Collect.USER_AGENT
    | Collect.SCREEN_SIZE
    | Collect.LOCATION
    | Collect.REGION
    | Collect.SESSION
    | Collect.HITS
)
"""Collected unless the site says otherwise: 446."""


class SiteSettings(Struct, frozen=True, kw_only=True):
    """What a site's owner decides.

    Attributes:
        secret: what a link must carry when ``public`` is ``secret``.
        allow_counter: whether anyone may read the visitor counter.
        allow_bosmang: whether the server's operator may look at the numbers.
        data_retention: days that hits are kept; 0 keeps them for good.
        ignore_ips: addresses, and networks in CIDR notation, whose hits are dropped.
        collect: ``Collect`` bits.
        collect_regions: countries whose regions are kept; empty keeps all.
        allow_embed: origins that may show the pages in a frame.
        respect_gpc: drop hits of browsers that send ``Sec-GPC: 1``.
        respect_dnt: drop hits of browsers that send ``DNT: 1``.
    """

    public: Public = "private"
    secret: str = ""
    allow_counter: bool = False
    allow_bosmang: bool = False
    data_retention: int = 0
    ignore_ips: tuple[str, ...] = ()
    collect: int = COLLECT
    collect_regions: tuple[str, ...] = ("US", "RU", "CN")
    allow_embed: tuple[str, ...] = ()
    respect_gpc: bool = False
    respect_dnt: bool = False


BEFORE_FIRST_HIT_S = 12 * 3_600
"""So long before its first hit a site's statistics begin, if the hit is older than the site (3.3)."""

_made_up = re.compile(r"serve-[a-z0-9]{8}").fullmatch
"""The short names that the server gives, as GoatCounter's does."""


class Site(Struct, frozen=True, kw_only=True):
    """A site that hits are counted for. Times are Unix milliseconds.

    Attributes:
        parent: the account's first site; None for that one.
        cname: the Host that chooses the site, lower case.
        code: a short name; unique on this server.
        state: ``a`` active, ``d`` being deleted.
        first_hit: when its statistics begin.
    """

    id: int
    parent: int | None
    cname: str | None
    cname_setup: int | None
    code: str
    link_domain: str
    settings: SiteSettings
    user_defaults: UserSettings
    received_data: bool
    state: Literal["a", "d"]
    created: int
    updated: int | None
    first_hit: int

    @property
    def name(self) -> str:
        """What people call it: its Host, or the short name that somebody gave it."""
        return self.cname or (f"site {self.id}" if _made_up(self.code) else self.code)

    @property
    def counting_since(self) -> int | None:
        """When the first hit was, in Unix milliseconds; the site's creation where all came later. None before one.

        Where a hit is older than the site, statistics begin half a day before it (``first_hit``).
        """
        if not self.received_data:
            return None
        return self.first_hit if self.first_hit >= self.created else self.first_hit + BEFORE_FIRST_HIT_S * 1000

    @property
    def root(self) -> int:
        """The account's first site, by which accounts, tokens and sites belong together."""
        return self.parent if self.parent is not None else self.id
