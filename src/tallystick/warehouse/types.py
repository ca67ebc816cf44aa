"""Values that cross the warehouse's doors: what services hand in and get back, whichever warehouse keeps the hits."""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from msgspec import Struct

Value = str | int | None
"""A value of a dimension."""

Figures = dict[str, int | float | None]
"""Metrics of a selection, by name; None where there was nothing to divide by."""

EVERY_ID = (0, (1 << 53) - 1)
"""First and last of all ids that a hit can have."""

VisitStatistic = Literal["hit_stats", "browser_stats", "system_stats", "location_stats", "size_stats", "language_stats"]
"""What visits are counted by for an export: hour and referrer, or day and one dimension."""


class Stored(Struct, frozen=True, gc=False):
    """What the warehouse gave a hit.

    Attributes:
        id: consecutive in the order of commits; never given twice.
        session: 0 when the hit has none.
        first: whether it is its session's first hit on the path.
    """

    id: int
    session: int
    first: bool


class KeptRequest(Struct, frozen=True):
    """An answered request, so that its repetition is answered alike and stores nothing.

    Attributes:
        key: the principal and the idempotency key.
        fingerprint: of the request.
        answer: the response.
        created: Unix seconds, of the clock that ``forget_old`` is given as ``passed``.
    """

    key: str
    fingerprint: str
    answer: str
    created: int


class Position(Struct, frozen=True):
    """A row of the most visited paths, behind which a report goes on."""

    visits: int = 2**62
    path: int = 0


class Slice(Struct, frozen=True):
    """Rows of a list: at most ``limit``, after the first ``offset``."""

    limit: int
    offset: int = 0


class Hours(Struct, frozen=True):
    """Visits by hour.

    Attributes:
        hours: pairs of an hour, counted from midnight of the period's first date, and its visits; to be read once.
    """

    visits: int
    hours: Iterable[tuple[int, int]]


class PathHours(Hours, frozen=True):
    """Visits of a path by hour."""

    path: int


class TotalHours(Hours, frozen=True):
    """All visits by hour.

    Attributes:
        events: among the visits.
        day_visits: of the whole days that the period touches.
    """

    events: int
    day_visits: int


class DimensionCount(Struct, frozen=True):
    """Visits with one value of a dimension.

    Attributes:
        key: which value it is.
        value: as it is shown; empty or None where it is not known.
        scheme: of a referrer; the most frequent one.
    """

    key: Value
    value: Value
    visits: int
    scheme: str | None = None


class BotRow(NamedTuple):
    """A hit that no person sent; ``created`` is Unix seconds."""

    id: int
    path: int
    bot: int
    ref: str
    ref_scheme: str
    browser: str
    system: str
    country: str
    created: int


class LabelCount(NamedTuple):
    """Hits of one bot code: how many, first and last id, and the newest's Unix second."""

    bot: int
    hits: int
    first: int
    last: int
    newest: int


class HitPage(NamedTuple):
    """Some of a site's hits by id.

    Attributes:
        last_id: the greatest id among them.
        paths: ids of their paths, each once.
    """

    rows: int
    last_id: int
    paths: list[int]


class UsedNames(NamedTuple):
    """What a site's hits refer to.

    Attributes:
        last_id: the greatest id of a hit; None without hits.
        paths, campaigns: ids, each once.
    """

    rows: int
    last_id: int | None
    paths: list[int]
    campaigns: list[int]


class PathName(NamedTuple):
    """What a path is called in an export."""

    id: int
    path: str
    title: str


class ParquetHit(NamedTuple):
    """A hit in a Parquet export, read back.

    Attributes:
        first: None where the file does not say.
        session: 0 for none.
        created: Unix seconds; None where the file holds no time.
    """

    path: str
    title: str
    ref: str
    ref_scheme: str
    campaign: str
    browser: str
    browser_version: str
    system: str
    system_version: str
    country: str
    region: str
    language: str
    event: bool
    first: bool | None
    session: int
    width: int
    created: int | None


StatisticRow = tuple[Any, ...]
"""Unix second and path, then the values of a ``VisitStatistic``, then visits."""


class NewestIds(Struct, frozen=True):
    """The newest ids of the ledger that hits refer to."""

    site: int = 0
    path: int = 0
    campaign: int = 0

    def and_those_of(self, other: "NewestIds") -> "NewestIds":
        """The newer ones of two."""
        return NewestIds(max(self.site, other.site), max(self.path, other.path), max(self.campaign, other.campaign))


class LedgerMarks(Struct, frozen=True):
    """How far the ledger has come, and how far it knows the hits have come.

    Attributes:
        commits: commits of the ledger so far.
        newest: where the sequences stand that hits refer to.
        warehouses: of each warehouse that was noted, by name: its newest hit and its changes.
        shared: whether servers with other data directories, and other hits, use this ledger.
    """

    commits: int = 0
    newest: NewestIds = NewestIds()
    warehouses: dict[str, tuple[int, int]] = {}  # msgspec copies it
    shared: bool = False


class WarehouseMarks(Struct, frozen=True):
    """How far the hits have come, and how far they know the ledger has come; durable.

    Attributes:
        warehouse: names the hits, so that a ledger notices others in their place.
        last_id: of the newest hit acknowledged.
        changes: deletions, merges and other changes of stored hits, counted.
        commits: of the ledger.
        newest: the newest ids of the ledger that hits refer to.
    """

    warehouse: str
    last_id: int
    changes: int
    commits: int
    newest: NewestIds


class Loss(Struct, frozen=True):
    """Something that one store had and another one proves.

    Attributes:
        what: a sentence for a person.
        of_last_seconds: a power cut under ``--durability relaxed`` can explain it.
        of_ledger: the ledger has lost it.
        foreign: the files do not belong together at all; nothing can go on from there.
        of_old: no program with marks has opened the directory yet, so it is no reason to refuse; ids are raised.
    """

    what: str
    of_last_seconds: bool = False
    of_ledger: bool = False
    foreign: bool = False
    of_old: bool = False
