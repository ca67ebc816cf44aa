"""Results of GoatCounter's API, and the hits that it takes. Members that are not listed here are ignored."""

import datetime as dt
from typing import Literal

from msgspec import Struct, field

Format = Literal["csv", "json", "parquet"]


class Hit(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A pageview or an event to be counted.

    Attributes:
        path: of the page, or the event's name.
        ref: the referrer.
        size: the screen's width in pixels, as text.
        query: of the page's address, for campaigns.
        created_at: time of the hit, with a zone; now unless given.
        session: id of the visitor session; without it ``user_agent`` and ``ip`` make one, and neither is stored.
    """

    path: str
    title: str = ""
    event: bool = False
    ref: str = ""
    size: str = ""
    query: str = ""
    bot: int = 0
    user_agent: str = ""
    location: str = ""
    language: str = ""
    ip: str = ""
    created_at: dt.datetime | None = None
    session: str = ""


class Counted(Struct, frozen=True):
    """The result of ``count``. Hits that are not listed here are stored, or are bots.

    Attributes:
        errors: index of a hit -> why it is invalid.
        filtered: indexes of hits from addresses that the site ignores.
    """

    errors: dict[int, str]
    filtered: list[int]


class User(Struct, frozen=True, kw_only=True):
    """The account of a token."""

    id: int
    site: int | None = None
    email: str = ""
    email_verified: bool = False
    totp_enabled: bool = False
    access: dict[str, str] = {}
    settings: dict[str, object] = {}
    login_at: dt.datetime | None = None
    created_at: dt.datetime | None = None


class Token(Struct, frozen=True, kw_only=True):
    """A token, without its secret.

    Attributes:
        permissions: bits, as GoatCounter numbers them.
        sites: ids; -1 means every site of the account.
    """

    name: str
    permissions: int
    sites: list[int] = []


class Me(Struct, frozen=True):
    """The token in use and its account."""

    user: User
    token: Token


class SiteSettings(Struct, frozen=True, kw_only=True):
    """The settings of a site. Lists are texts with commas."""

    public: str | bool = "private"
    secret: str = ""
    allow_counter: bool = False
    allow_bosmang: bool = False
    data_retention: int = 0
    ignore_ips: str = ""
    collect: int = 0
    collect_regions: str = ""
    allow_embed: str = ""
    respect_gpc: bool = False
    respect_dnt: bool = False
    collect_props: bool = True


class Site(Struct, frozen=True, kw_only=True):
    """A website."""

    id: int
    parent: int | None = None
    cname: str | None = None
    code: str = ""
    link_domain: str = ""
    settings: SiteSettings = field(name="setttings", default_factory=SiteSettings)
    received_data: bool = False
    state: str = "a"
    created_at: dt.datetime | None = None
    updated_at: dt.datetime | None = None
    first_hit_at: dt.datetime | None = None


class Path(Struct, frozen=True):
    """A page, or an event."""

    id: int
    path: str
    title: str = ""
    event: bool = False


class Day(Struct, frozen=True):
    """Visits of a day.

    Attributes:
        hourly: visits in each hour of the local clock.
        weekly: visits of this day and the next six, on every seventh row; otherwise 0.
        monthly: visits until the next month, on the first row and on the first of a month; otherwise 0.
    """

    day: dt.date
    hourly: list[int]
    daily: int
    weekly: int = 0
    monthly: int = 0


class Figures(Struct, frozen=True, kw_only=True):
    """Metrics; None unless ``metrics`` names them."""

    visitors: int | None = None
    pageviews: int | None = None
    bounce_rate: float | None = None
    visit_duration: float | None = None


class Total(Figures, frozen=True, kw_only=True):
    """All visits of a period.

    Attributes:
        total: visits, events included.
    """

    total: int
    total_events: int = 0
    total_utc: int = 0
    stats: list[Day] = []


class PathVisits(Figures, frozen=True, kw_only=True):
    """Visits of a path.

    Attributes:
        max: visits in the highest hour, day, week or month.
    """

    count: int
    path_id: int
    path: str
    event: bool = False
    title: str = ""
    max: int = 0
    stats: list[Day] = []


class Row(Figures, frozen=True, kw_only=True):
    """Visits with one browser, from one country, by one referrer, ...

    Attributes:
        id: argument of ``details``.
        ref_scheme: kind of a referrer: ``h`` a URL, ``g`` a group of sites, ``c`` a campaign, ``o`` another.
    """

    count: int
    name: str = ""
    id: str = ""
    ref_scheme: str | None = None


class Export(Struct, frozen=True, kw_only=True):
    """An export of a site's data.

    Attributes:
        last_hit_id: ``start_from_hit_id`` of the next CSV.
        size: of the file, in MB.
        hash: of the file.
        finished_at: None while the file is being written.
        error: why the file could not be written.
    """

    id: int
    site_id: int
    format: str = "csv"
    start_from_hit_id: int = 0
    last_hit_id: int | None = None
    created_at: dt.datetime | None = None
    finished_at: dt.datetime | None = None
    num_rows: int | None = None
    size: str | None = None
    hash: str | None = None
    error: str | None = None
