"""Values of the warehouse's interface, independent of its implementation."""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from msgspec import Struct

Value = str | int | None
"""A value of a dimension."""

Figures = dict[str, int | float | None]
"""Metrics of a selection, by name; None for a ratio without a divisor."""

EVERY_ID = (0, (1 << 53) - 1)
"""The first and the last possible id of a hit."""

VisitStatistic = Literal["hit_stats", "browser_stats", "system_stats", "location_stats", "size_stats", "language_stats"]
"""The values by which an export counts visits: hour and referrer, or day and one dimension."""


class Stored(Struct, frozen=True, gc=False):
    """Says that a hit is durably stored: all that every warehouse knows of it when it is acknowledged."""


class NumberedHit(Stored, frozen=True, gc=False):
    """The values that a warehouse in this process assigned to a hit when it was stored.

    Attributes:
        id: consecutive in the order of commits; never given twice.
        session: 0 without a session.
        first: whether it is its session's first hit on the path.
    """

    id: int
    session: int
    first: bool


class IdempotencyRecord(Struct, frozen=True):
    """The record of a keyed request with hits, so that a repetition stores nothing and gets the same response.

    Attributes:
        key: identifies the request.
        fingerprint: of the request.
        answer: the encoded outcome.
        created: seconds of the clock by which records age; ``passed`` of ``forget_old``.
    """

    key: str
    fingerprint: str
    answer: str
    created: int


class Position(Struct, frozen=True):
    """A row of the most visited paths, after which a report continues."""

    visits: int = 2**62
    path: int = 0


class Slice(Struct, frozen=True):
    """Rows of a list: at most ``limit``, after the first ``offset``."""

    limit: int
    offset: int = 0


class Hours(Struct, frozen=True):
    """Visits by hour.

    Attributes:
        hours: pairs of an hour, counted from midnight of the period's first date, and its visits; can be iterated once.
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
        key: identifies the value.
        value: for display; empty or None if unknown.
        scheme: of a referrer; the most frequent one.
    """

    key: Value
    value: Value
    visits: int
    scheme: str | None = None


class Present(NamedTuple):
    """Who is on a site now: visitors of the last minutes, and the id of the newest hit among theirs."""

    visitors: int
    newest: int


class BotRow(NamedTuple):
    """A hit of a bot; ``created`` is Unix seconds."""

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
    """Hits of one bot code: their number, first and last id, and the Unix second of the newest."""

    bot: int
    hits: int
    first: int
    last: int
    newest: int


class PathHits(NamedTuple):
    """Hits of one path: those of people, pageviews or events, and those of bots."""

    path: int
    hits: int
    bots: int


class HitPage(NamedTuple):
    """A page of a site's hits, by id.

    Attributes:
        last_id: the greatest id among them.
        paths: ids of their paths, each once.
    """

    rows: int
    last_id: int
    paths: list[int]


class UsedNames(NamedTuple):
    """The names that a site's hits refer to.

    Attributes:
        last_id: the greatest id of a hit; None without hits.
        paths, campaigns: ids, each once.
    """

    rows: int
    last_id: int | None
    paths: list[int]
    campaigns: list[int]


class PathName(NamedTuple):
    """The names of a path in an export."""

    id: int
    path: str
    title: str


class ParquetHit(NamedTuple):
    """A hit in a Parquet export, read back.

    Attributes:
        first: None if it is not in the file.
        session: 0 without a session.
        created: Unix seconds; None if it is not in the file.
        channel: None in files of versions that knew no sources.
        page: of an event, the path of the page where it happened; empty for none.
        props: as canonical text.
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
    utm_source: str = ""
    utm_medium: str = ""
    utm_content: str = ""
    utm_term: str = ""
    host: str = ""
    source: str = ""
    channel: str | None = None
    page: str = ""
    props: str = ""
    interactive: bool = True
    device: str | None = None


class ComparedVisits(NamedTuple):
    """What a comparison of the stored visits with the hits has found.

    Attributes:
        visits: all of them, stored or not.
        differing: those whose hits make another visit than the stored one.
    """

    visits: int
    differing: int


StatisticRow = tuple[Any, ...]
"""Unix second and path, then the values of a ``VisitStatistic``, then visits."""


class NewestIds(Struct, frozen=True):
    """The newest ids of the ledger that hits refer to."""

    site: int = 0
    path: int = 0
    campaign: int = 0

    def and_those_of(self, other: "NewestIds") -> "NewestIds":
        """The newer id of each kind."""
        return NewestIds(max(self.site, other.site), max(self.path, other.path), max(self.campaign, other.campaign))


class LedgerMarks(Struct, frozen=True):
    """The state of the ledger, and the state of the hits that it has noted.

    Attributes:
        commits: commits of the ledger so far.
        newest: the newest ids that hits may refer to.
        warehouses: the newest hit and the changes of each noted warehouse, by name.
        shared: whether servers with other data directories, and other hits, use this ledger.
    """

    commits: int = 0
    newest: NewestIds = NewestIds()
    warehouses: dict[str, tuple[int, int]] = {}  # msgspec copies it
    shared: bool = False


class WarehouseMarks(Struct, frozen=True):
    """The state of the hits, and the state of the ledger that they have noted; durable.

    Attributes:
        warehouse: a name of the hits, by which a ledger detects that they were exchanged.
        last_id: of the newest hit acknowledged.
        changes: number of deletions, merges and other changes of stored hits.
        commits: of the ledger.
        newest: the newest ids of the ledger that hits refer to.
    """

    warehouse: str
    last_id: int
    changes: int
    commits: int
    newest: NewestIds


class Loss(Struct, frozen=True):
    """Data that one store lacks and another one has noted.

    Attributes:
        what: a sentence for messages.
        of_last_seconds: a power cut under ``--durability relaxed`` can explain it.
        of_ledger: the ledger lacks it.
        foreign: the files do not belong together; the loss cannot be accepted.
        of_old: no version with marks has opened the directory yet: the start is not refused, and ids are raised.
    """

    what: str
    of_last_seconds: bool = False
    of_ledger: bool = False
    foreign: bool = False
    of_old: bool = False


class ChoreRuns(Struct):
    """How often a chore was done, piece by piece, and how long it took.

    Attributes:
        count: pieces that were done.
        failures: pieces that ended with an error.
        seconds, longest, last_seconds: of all pieces together, of the longest one, of the newest one.
        succeeded: when the newest piece was done, Unix seconds; 0 for never.
    """

    count: int = 0
    failures: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    last_seconds: float = 0.0
    succeeded: float = 0.0


class ChoreCounts(Struct):
    """What was done to keep a shared warehouse small since this server's start, and what it consists of.

    Attributes:
        runs: by the name of the chore.
        files, bytes: of hits, when this server last looked.
        scheduled: files that are to be removed.
    """

    runs: dict[str, ChoreRuns]
    flushed_rows: int = 0
    rewritten_files: int = 0
    merged_files: int = 0
    expired_snapshots: int = 0
    removed_files: int = 0
    files: int = 0
    bytes: int = 0
    snapshots: int = 0
    scheduled: int = 0


class LakeStanding(NamedTuple):
    """How the nodes on a lake do.

    Attributes:
        mover: the node that brings hits into the lake; empty for none at this moment.
        waiting: number of acknowledged hits that are not in the lake.
        behind: seconds since the oldest of them was acknowledged; 0 without any.
        schema: of the lake; 0 if it is unknown.
        known: the newest schema that this program knows.
    """

    mover: str
    waiting: int
    behind: float
    schema: int
    known: int
