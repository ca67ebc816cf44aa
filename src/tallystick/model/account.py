"""People, what they may do, and the tokens that act for them (GoatCounter contract, 1.1, 1.3 and 6.4)."""

from collections.abc import Mapping
from enum import IntFlag
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct, field

Access = Literal["r", "s", "a", "*"]
"""Read only, settings, admin, superuser; each may do what the ones before it may."""

ACCESS_ORDER: tuple[Access, ...] = ("r", "s", "a", "*")
ALL_SITES = "all"
EVERY_SITE = -1
"""In a token's list of sites: all sites of the account, including later ones."""


class Permission(IntFlag):
    """What a token may do. Bits up to 64 are GoatCounter's, higher ones are Tallystick's own."""

    NOTHING = 1
    COUNT = 2
    EXPORT = 4
    SITE_READ = 8
    SITE_CREATE = 16
    SITE_UPDATE = 32
    STATS = 64
    COUNTERS_READ = 128
    COUNTERS_WRITE = 256

    @property
    def label(self) -> str:
        """The name in errors and on the command line, for example ``site-read``."""
        return (self.name or "").lower().replace("_", "-")


NEEDED_ACCESS: Mapping[Permission, Access] = MappingProxyType(
    {
        Permission.STATS: "r",
        Permission.SITE_READ: "s",
        Permission.COUNT: "a",
        Permission.EXPORT: "a",
        Permission.SITE_CREATE: "a",
        Permission.SITE_UPDATE: "a",
    }
)
"""The access to a site that a person needs before a token of theirs can use a permission there."""


def _widgets() -> list[dict[str, Any]]:
    detailed: list[dict[str, Any]] = [
        {"n": name, "s": {"key": None, "limit": 6}} for name in ("toprefs", "campaigns", "browsers", "systems")
    ]
    return [
        {"n": "pages", "s": {"limit_pages": 10, "limit_refs": 10, "style": "line"}},
        {"n": "totalpages", "s": {"align": False, "no-events": False, "style": "line"}},
        *detailed,
        {"n": "locations", "s": {"key": "", "limit": 6}},
        {"n": "languages", "s": {"limit": 6}},
        {"n": "sizes", "s": {"key": None, "sort-count": False}},
    ]


def _views() -> list[dict[str, Any]]:
    return [{"name": "default", "filter": "", "group": 0, "period": "week"}]


class UserSettings(Struct, frozen=True, kw_only=True):
    """A person's display settings; names and defaults are the contract's (1.3).

    Attributes:
        number_format: code point of the thousands separator; 1 is none.
        timezone: ``CC.Zone``, for example ``ID.Asia/Makassar``; ``.UTC`` without a country.
        twelve_hours: our own, chosen on pages: clocks of 12 hours in place of the language's 24, which
            ``twenty_four_hours=False`` does not ask for, because every account begins with it.
        email_reports: 0 never, 1 daily, 2 weekly, 3 every two weeks, 4 monthly.
    """

    twenty_four_hours: bool = False
    twelve_hours: bool = False
    sunday_starts_week: bool = False
    language: str = "en-GB"
    date_format: str = "2 Jan ’06"  # noqa: RUF001  # the contract's default
    number_format: int = 8239
    timezone: str = ".UTC"
    widgets: list[dict[str, Any]] = field(default_factory=_widgets)
    views: list[dict[str, Any]] = field(default_factory=_views)
    email_reports: int = 0
    fewer_numbers: bool = False
    fewer_numbers_lock_until: str = "0001-01-01T00:00:00Z"
    theme: str = ""
    datepicker: bool = True


CONTRACT_SETTINGS = tuple(name for name in UserSettings.__struct_fields__ if name != "twelve_hours")
"""The names in ``UserSettings`` that the contract has; the others are only for our pages."""


class Account(Struct, frozen=True, kw_only=True):
    """A person. Times are Unix milliseconds.

    Attributes:
        uid: UUID v4; shown to members of shared counters in place of the id.
        email: lower case; unique on this server.
        name: shown to other people.
        site: the first site of this person's account; None while there is none.
        access: a letter of ``Access`` by site id or ``all``.
    """

    id: int
    uid: str
    email: str
    email_verified: bool
    name: str
    site: int | None
    totp_enabled: bool
    access: dict[str, Access]
    settings: UserSettings
    login: int | None
    opened: int | None
    created: int
    updated: int | None

    def access_to(self, site: int) -> Access | None:
        """The person's access to a site of the account. An entry for the site takes precedence over ``all``."""
        return self.access.get(str(site), self.access.get(ALL_SITES))

    def may(self, needed: Access, site: int) -> bool:
        """Whether the person's access to a site is at least ``needed``."""
        held = self.access_to(site)
        return held is not None and ACCESS_ORDER.index(held) >= ACCESS_ORDER.index(needed)


class Token(Struct, frozen=True, kw_only=True):
    """An API token, without the secret itself. Times are Unix milliseconds.

    Attributes:
        prefix: the token's first characters, to recognise it.
        permissions: ``Permission`` bits.
        sites: ids of the covered sites; ``(-1,)`` for all of the account; empty for a token of shared counters only.
    """

    id: int
    account: int
    name: str
    prefix: str
    permissions: int
    sites: tuple[int, ...]
    created: int
    used: int | None

    def covers(self, site: int) -> bool:
        """Whether the token covers a site of the account."""
        return EVERY_SITE in self.sites or site in self.sites


class Principal(Struct, frozen=True):
    """The sender of a request: its token, and the account that the token acts for."""

    token: Token
    account: Account

    def permits(self, needed: Permission) -> bool:
        """Whether the token has a permission."""
        return bool(self.token.permissions & needed.value)  # of a flag itself Python would make a new flag: hot path
