"""The warehouse as the rest of the program sees it: its doors, and the sessions behind them.

``tallystick.warehouse.duckdb`` implements these protocols; nothing outside of a warehouse's own package knows more of
it than what stands here and in ``types``.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from tallystick.model.dimensions import Dimension
from tallystick.model.hit import Hit
from tallystick.model.period import Period
from tallystick.model.selection import Selection
from tallystick.warehouse.types import (
    BotRow,
    DimensionCount,
    Figures,
    HitPage,
    KeptRequest,
    LabelCount,
    LedgerMarks,
    Loss,
    PathHours,
    PathName,
    Position,
    Slice,
    StatisticRow,
    Stored,
    TotalHours,
    UsedNames,
    Value,
    VisitStatistic,
    WarehouseMarks,
)

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


def seconds() -> int:
    """The wall clock, Unix seconds."""
    return int(time.time())


class WarehouseSession(Protocol):
    """One snapshot of all hits, for functions that ``Warehouse.read`` runs; everything here blocks."""

    # Reports. Only hits of people count.

    def total(self, selection: Selection) -> TotalHours:
        """All visits of the selection."""
        ...

    def top_paths(self, selection: Selection, limit: int, after: Position, without: Iterable[int]) -> list[PathHours]:
        """The most visited paths behind a position; of equal visits the greater id first."""
        ...

    def by_value(self, selection: Selection, dimension: Dimension, slice_: Slice) -> list[DimensionCount]:
        """Visits by value, most first, then by value."""
        ...

    def referrers(self, selection: Selection, own: str, slice_: Slice) -> list[DimensionCount]:
        """Visits by referrer, most first, then by referrer.

        Args:
            own: an address that is left out with everything behind it; empty leaves out none.
        """
        ...

    def referrers_as_seen(self, selection: Selection, slice_: Slice) -> list[DimensionCount]:
        """Visits by referrer, most first, then in the order in which they were first seen."""
        ...

    def figures(self, selection: Selection) -> Figures:
        """The selection's metrics, of all its hits together."""
        ...

    def figures_by_value(
        self, selection: Selection, dimension: Dimension, keys: Sequence[Value]
    ) -> dict[Value, Figures]:
        """Visitors and pageviews of some values."""
        ...

    def visits(self, site: int, path: int | None, begin: int, end: int) -> int:
        """Visits of a site, or of one of its paths, from a Unix second until before another."""
        ...

    # Bots.

    def bots_by_code(self, site: int, period: Period) -> list[tuple[int, int]]:
        """Bot codes and how many hits have each, most first."""
        ...

    def latest_bots(self, site: int, period: Period, codes: Sequence[int], before: int, limit: int) -> list[BotRow]:
        """The latest hits of some bot codes with ids below ``before``, newest first."""
        ...

    def labels(self, site: int) -> list[LabelCount]:
        """Each bot code of a site's hits, people's too."""
        ...

    # Exports. Only hits of people leave.

    def newest_hit(self, site: int) -> int:
        """The id of a site's newest hit; 0 without one."""
        ...

    def next_page(self, site: int, after: int, through: int, limit: int) -> HitPage | None:
        """The next hits with ids above ``after`` and up to ``through``; None without any."""
        ...

    def csv_lines(self, site: int, after: int, through: int, names: Sequence[PathName]) -> bytes:
        """Hits by id as lines of GoatCounter's CSV, version 2; those of paths without a name are left out."""
        ...

    def used_names(self, site: int, after: int, through: int) -> UsedNames:
        """What hits with ids above ``after`` and up to ``through`` refer to."""
        ...

    def write_parquet(  # noqa: PLR0913, PLR0917  # which hits, what they refer to, and where to
        self,
        site: int,
        after: int,
        through: int,
        paths: Sequence[PathName],
        campaigns: Sequence[tuple[int, str]],
        file: Path,
    ) -> None:
        """Write everything that is kept of hits to a Parquet file in ``Warehouse.exports``, by id."""
        ...

    def visit_windows(self, site: int, since: int, seconds: int) -> list[int]:
        """The windows, so many seconds long and numbered from 1970 on, in which a site was visited."""
        ...

    def visit_counts(self, statistic: VisitStatistic, site: int, window: range) -> list[StatisticRow]:
        """Visits in a window of Unix seconds, by time, path and what the statistic counts by."""
        ...

    # Requests.

    def kept_request(self, key: str) -> KeptRequest | None:
        """The request that was answered under a key."""
        ...


class WarehouseWriteSession(WarehouseSession, Protocol):
    """One transaction, for functions that ``Warehouse.write`` runs; everything here blocks.

    Each change may be made twice and then changes nothing the second time: a job is repeated after a crash.
    """

    def delete_site(self, site: int) -> int:
        """Remove every hit of a site; returns how many there were."""
        ...

    def delete_paths(self, site: int, paths: Sequence[int]) -> int:
        """Remove every hit of some paths; returns how many there were."""
        ...

    def merge_paths(self, site: int, paths: Sequence[int], into: int) -> int:
        """Give the hits of some paths to another one, where a session's first visit counts once; returns how many."""
        ...

    def relabel(self, site: int, bot: int, into: int, span: tuple[int, int]) -> list[int]:
        """Give hits of one bot code another; returns the paths of all hits of the new code.

        Args:
            bot, into: ``Bot`` codes, 0 for people.
            span: the first and the last id of the hits.
        """
        ...

    def expire(self, limits: Iterable[tuple[int, int]]) -> int:
        """Remove hits that are older than their site keeps them; returns how many.

        Args:
            limits: site, and the Unix second before which nothing is kept.
        """
        ...

    def count_expired(self, limits: Iterable[tuple[int, int]]) -> int:
        """How many hits ``expire`` would remove."""
        ...

    def newest_time(self) -> int:
        """The time of the newest hit, Unix seconds; 0 without hits."""
        ...

    def forget_old(self, now: int, passed: int) -> None:
        """Remove answers that need not be repeated any more, and keys of sessions that have ended.

        Args:
            now: the wall clock, Unix seconds.
            passed: seconds of the clock that requests are stamped with (``Ledger.passed``).
        """
        ...


class Warehouse(Protocol):
    """Hits, durably kept. Used from one event loop; ``open_warehouse`` opens one.

    Every door raises ``StoreUnavailable`` where the storage fails or is busy. Whatever else a function raises that was
    given to ``read`` or ``write`` is raised unchanged, and is no failure of the storage.

    Attributes:
        clock: Unix seconds.
        exports: the folder that exports are written to.
        owned_until: on the monotonic clock. Past it hits are neither taken nor read, because another server does
            that; chores (``write``) go on.
        losses: what was missing at the start and accepted.
    """

    clock: Callable[[], int]
    exports: Path
    owned_until: float
    losses: Sequence[Loss]

    @property
    def owned(self) -> bool:
        """Whether this server owns the analytics: takes and reads hits, as no other one does."""
        ...

    def require_owned(self) -> None:
        """Refuse what only the owner of the analytics does.

        Raises:
            AnalyticsElsewhere
        """
        ...

    async def append(self, hits: Sequence[Hit], request: KeptRequest | None = None) -> list[Stored]:
        """Store hits, and the answer to the request they came with; durable when it returns.

        Raises:
            StoreUnavailable: nothing was stored, or it is unknown that it was.
        """
        ...

    async def read(
        self,
        function: Callable[Concatenate[WarehouseSession, Arguments], Result],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Result:
        """``function(session, ...)`` on a reader thread, on one snapshot that shows everything acknowledged."""
        ...

    async def write(
        self,
        function: Callable[Concatenate[WarehouseWriteSession, Arguments], Result],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Result:
        """``function(session, ...)`` in a transaction of its own; durable when it returns.

        An exception of the function undoes everything and is raised here.
        """
        ...

    async def kept_request(self, key: str) -> KeptRequest | None:
        """The request that was answered under a key."""
        ...

    async def flush(self) -> None:
        """Return when commits succeed and every read shows everything acknowledged.

        Raises:
            StoreUnavailable: they do not.
        """
        ...

    async def arrived(self) -> None:
        """Return when everything handed in before is durably kept, or was refused.

        Raises:
            StoreUnavailable: commits do not succeed.
        """
        ...

    @property
    def marks(self) -> WarehouseMarks:
        """How far the hits have come, and the ledger as far as is known; durable."""
        ...

    @property
    def waiting(self) -> int:
        """Hits that wait for their commit."""
        ...

    @property
    def unmoved(self) -> int:
        """Hits that are acknowledged and wait to be brought into columns."""
        ...

    @property
    def sessions(self) -> int:
        """Visitor sessions that live in memory."""
        ...

    @property
    def failures(self) -> int:
        """Transactions that failed."""
        ...

    @property
    def failing(self) -> bool:
        """Whether the newest transaction failed."""
        ...

    async def close(self) -> None:
        """Finish everything accepted and close."""
        ...


class WarehouseStorage(Protocol):
    """The hits of a data directory as they lie there, for commands; a server may have them open where it says so."""

    def describe(self) -> str:
        """Where the hits lie, for a person."""
        ...

    def exists(self) -> bool:
        """Whether there are any, or the empty place for them."""
        ...

    def size_bytes(self) -> int:
        """How much the columns take on the disk.

        Raises:
            OSError: there are none, or they cannot be looked at.
        """
        ...

    def sqlite_files(self) -> dict[str, Path]:
        """SQLite files among them, by what they are called for a person; they may not exist."""
        ...

    def count(self) -> int:
        """How many hits lie in columns, while no server has them open; changes no byte.

        Raises:
            StoreFailed: they are damaged.
        """
        ...

    def read_everything(self, *, in_use: bool) -> int:
        """Read every value, and return how many hits there are; changes no byte.

        Args:
            in_use: a server has them open: a copy is read.

        Raises:
            StoreFailed: they are damaged.
            OSError: a copy cannot be made.
        """
        ...

    def disagreement(self, ledger: LedgerMarks | None) -> str | None:
        """What does not fit between the hits and the ledger, and the way out; while no server has them open.

        Raises:
            DatabaseUnreachable, DatabaseSchemaRefused: a file cannot be read.
        """
        ...

    def copy_to(self, file: Path, ledger: LedgerMarks | None) -> None:
        """Make a checked copy in one file, for a backup; a server may write meanwhile.

        Args:
            ledger: its marks before the copy began; None where there are none to compare with.

        Raises:
            StoreFailed: the hits are damaged.
            StoresDisagree: the copy lacks hits that are known of.
        """
        ...

    def refuse_missing(self, ledger: LedgerMarks | None) -> None:
        """For a directory without hits: refuse one that had some.

        Raises:
            StoresDisagree
        """
        ...

    def refuse_older_ledger(self, copy: Path, ledger: LedgerMarks) -> None:
        """Compare a ledger's copy with the copy of the hits that was made before it.

        Raises:
            StoresDisagree: the ledger has lost what the hits prove.
        """
        ...

    def check_copy(self, copy: Path) -> None:
        """Read every value of a copy that a backup held, and bring it to this program's schema.

        Raises:
            StoreFailed: it is damaged.
            DatabaseSchemaRefused: it was written by a newer program.
        """
        ...

    def replace(self, copy: Path | None) -> None:
        """Put a checked copy in the place of the hits, or nothing; damaged hits are kept under another name."""
        ...
