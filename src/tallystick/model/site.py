"""An analytics site and its settings (GoatCounter contract, 1.6 and 3.3)."""

import re
from enum import IntFlag
from typing import Literal

from msgspec import Struct

from tallystick.model.account import UserSettings

Public = Literal["private", "secret", "public"]


class Collect(IntFlag):
    """What a site stores of a hit."""

    NOTHING = 1
    REFERRER = 2
    USER_AGENT = 4
    SCREEN_SIZE = 8
    LOCATION = 16
    REGION = 32
    LANGUAGE = 64
    SESSION = 128
    HITS = 256
    """Single hits, with session and second; without this bit only the hour is stored and no session."""


COLLECT = int(
    Collect.REFERRER
    | Collect.USER_AGENT
    | Collect.SCREEN_SIZE
    | Collect.LOCATION
    | Collect.REGION
    | Collect.SESSION
    | Collect.HITS
)
"""The default of a new site: 446."""


class SiteSettings(Struct, frozen=True, kw_only=True):
    """The settings of a site.

    Attributes:
        secret: the text that a link must have when ``public`` is ``secret``.
        allow_counter: whether anyone may read the visitor counter.
        allow_bosmang: whether the server's operator may see the statistics.
        data_retention: days that hits are kept; 0 keeps them for good.
        ignore_ips: addresses, and networks in CIDR notation, whose hits are dropped.
        ignore_countries, ignore_paths, ignore_hosts, ignore_campaigns: such hits are dropped; see
            ``model/leaving_out.py``.
        path_rules: paths under which others are counted, in order; see ``model/path_rules.py``.
        collect: ``Collect`` bits.
        collect_regions: countries whose regions are stored; empty for all countries.
        allow_embed: origins that may show the pages in a frame.
        respect_gpc: drop hits of browsers that send ``Sec-GPC: 1``.
        respect_dnt: drop hits of browsers that send ``DNT: 1``.
        collect_props: whether properties of hits are stored.
    """

    public: Public = "private"
    secret: str = ""
    allow_counter: bool = False
    allow_bosmang: bool = False
    data_retention: int = 0
    ignore_ips: tuple[str, ...] = ()
    ignore_countries: tuple[str, ...] = ()
    ignore_paths: tuple[str, ...] = ()
    ignore_hosts: tuple[str, ...] = ()
    ignore_campaigns: tuple[str, ...] = ()
    path_rules: tuple[str, ...] = ()
    collect: int = COLLECT
    collect_regions: tuple[str, ...] = ("US", "RU", "CN")
    allow_embed: tuple[str, ...] = ()
    respect_gpc: bool = False
    respect_dnt: bool = False
    collect_props: bool = True


BEFORE_FIRST_HIT_S = 12 * 3_600
"""If the first hit is older than the site, statistics begin this long before the hit (3.3)."""

_is_generated = re.compile(r"serve-[a-z0-9]{8}").fullmatch
"""Matches the short names that the server generates, as GoatCounter does."""


class Site(Struct, frozen=True, kw_only=True):
    """A site whose hits are counted. Times are Unix milliseconds.

    Attributes:
        parent: the account's first site; None for that site itself.
        cname: the host by which requests choose the site, in lower case.
        code: a short name; unique on this server.
        domain: the website's own name, in lower case; unique on this server, or empty.
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
    domain: str = ""

    @property
    def name(self) -> str:
        """The name shown to people: the site's host, else its short name unless that was generated."""
        return self.cname or (f"site {self.id}" if _is_generated(self.code) else self.code)

    @property
    def address_name(self) -> str:
        """The name that finds the site in requests that name it: its domain, else its host, else its short name."""
        return self.domain or self.cname or self.code

    @property
    def counting_since(self) -> int | None:
        """When counting began, in Unix milliseconds: the site's creation, or its first hit if that is older.

        None without hits. Statistics of a hit older than the site begin half a day before it (``first_hit``).
        """
        if not self.received_data:
            return None
        return self.first_hit if self.first_hit >= self.created else self.first_hit + BEFORE_FIRST_HIT_S * 1000

    @property
    def root(self) -> int:
        """The id of the account's first site, which identifies the account."""
        return self.parent if self.parent is not None else self.id
