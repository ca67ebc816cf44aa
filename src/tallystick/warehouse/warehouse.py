"""The interface of the warehouse: its methods for the event loop, and the sessions that functions receive.

``tallystick.warehouse.duckdb`` implements these protocols. Other packages use only this module and ``types``.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from tallystick.gathering import Resolvable
from tallystick.model.aggregates import AggregateFigures, AggregateImport, AggregateQuestion, Row
from tallystick.model.dimensions import Dimension
from tallystick.model.funnel import FunnelAnswer, FunnelQuestion
from tallystick.model.hit import Hit
from tallystick.model.period import Period
from tallystick.model.question import Answer, Match, Question
from tallystick.model.selection import Selection
from tallystick.warehouse.types import (
    BotRow,
    ChoreCounts,
    ComparedVisits,
    DimensionCount,
    Figures,
    HitPage,
    IdempotencyRecord,
    LabelCount,
    LedgerMarks,
    Loss,
    PathHits,
    PathHours,
    PathName,
    Position,
    Present,
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
    """One snapshot of all hits, for functions that ``Warehouse.read`` runs; all methods block."""

    # Reports. Only hits of people count.

    def total(self, selection: Selection) -> TotalHours:
        """All visits of the selection."""
        ...

    def top_paths(self, selection: Selection, limit: int, after: Position, without: Iterable[int]) -> list[PathHours]:
        """The most visited paths after a position; with equal visits, the greater id first."""
        ...

    def by_value(self, selection: Selection, dimension: Dimension, slice_: Slice) -> list[DimensionCount]:
        """Visits by value, most visits first, then by value."""
        ...

    def referrers(self, selection: Selection, own: str, slice_: Slice) -> list[DimensionCount]:
        """Visits by referrer, most visits first, then by referrer.

        Args:
            own: referrers that begin with this address are left out; empty for none.
        """
        ...

    def referrers_as_seen(self, selection: Selection, slice_: Slice) -> list[DimensionCount]:
        """Visits by referrer, most visits first, then in the order of their first hits."""
        ...

    def figures(self, selection: Selection) -> Figures:
        """The metrics of the selection, over all its hits."""
        ...

    def figures_by_value(
        self, selection: Selection, dimension: Dimension, keys: Sequence[Value]
    ) -> dict[Value, Figures]:
        """Visitors and pageviews of some values."""
        ...

    def visits(self, site: int, path: int | None, begin: int, end: int) -> int:
        """Visits of a site, or of one of its paths, from ``begin`` until before ``end``, Unix seconds."""
        ...

    def visits_in_parts(self, site: int, begin: int, end: int, seconds: int) -> list[int]:
        """Visits of a site in each part of so many seconds from ``begin`` until before ``end``, Unix seconds."""
        ...

    # Questions.

    def answer(self, question: Question) -> Answer:
        """The answer to a question in ids (see ``Match.values`` and ``AnswerRow.values``), without its comparison.

        The rows are in the order of ``ordered``, except that rows with equal figures may be in any order of ids.
        """
        ...

    def answer_funnel(self, question: FunnelQuestion) -> FunnelAnswer:
        """The answer to a question about a funnel, in ids.

        Raises:
            InputRefused: an RE2 expression is not valid.
        """
        ...

    def names_matching(self, names: Sequence[str], match: Match) -> list[int]:
        """The positions of names that one of the match's values fits; ``negated`` is not looked at.

        Raises:
            InputRefused: an RE2 expression is not valid.
        """
        ...

    # Imported aggregates.

    def count_expired(self, limits: Iterable[tuple[int, int]]) -> int:
        """The number of hits and imported rows that ``expire`` would remove.

        Args:
            limits: site, and the Unix second before which hits are removed.
        """
        ...

    def expired_by_site(self, limits: Iterable[tuple[int, int]]) -> dict[int, int]:
        """How many hits of each site ``expire`` would remove; sites without any are left out.

        Args:
            limits: site, and the Unix second before which hits are removed.
        """
        ...

    def aggregate_imports(self, site: int) -> list[AggregateImport]:
        """The imports of a site, those that are not done too, oldest first."""
        ...

    def aggregated(self, question: AggregateQuestion) -> list[tuple[tuple[str | int, ...], AggregateFigures]]:
        """The sums of each group that has rows; without groupings one group, also without rows.

        Values are texts as questions show them, and for time units numbers as in ``AnswerRow.values``.

        Raises:
            InputRefused: an RE2 expression is not valid.
        """
        ...

    def first_counted(self, site: int) -> int | None:
        """The time of a site's first hit of people, Unix seconds; None without one."""
        ...

    def present(self, since: int) -> dict[int, Present]:
        """Who is there, by site; sites without a hit of a person since then (Unix seconds) are left out."""
        ...

    def prop_names(self, sites: Sequence[int], period: Period, limit: int) -> list[str]:
        """The names of properties of people's hits, those of the most hits first."""
        ...

    # Bots.

    def bots_by_code(self, site: int, period: Period) -> list[tuple[int, int]]:
        """Bot codes with their numbers of hits, most hits first."""
        ...

    def latest_bots(self, site: int, period: Period, codes: Sequence[int], before: int, limit: int) -> list[BotRow]:
        """The latest hits of some bot codes with ids below ``before``, newest first."""
        ...

    def labels(self, site: int) -> list[LabelCount]:
        """The bot codes of a site's hits, with people's code 0."""
        ...

    # Paths.

    def hits_of_paths(self, site: int, paths: Sequence[int], limit: int, offset: int) -> list[PathHits]:
        """Some paths with their hits, also those without any: most hits of people first, then of bots, then by id."""
        ...

    # Exports. Only hits of people are exported.

    def newest_hit(self, site: int) -> int:
        """The id of a site's newest hit; 0 without one."""
        ...

    def next_page(self, site: int, after: int, through: int, limit: int) -> HitPage | None:
        """The next hits with ids above ``after`` and up to ``through``; None if there are none."""
        ...

    def csv_lines(self, site: int, after: int, through: int, names: Sequence[PathName]) -> bytes:
        """Hits by id as lines of GoatCounter's CSV, version 2; hits of paths without a name are left out."""
        ...

    def used_names(self, site: int, after: int, through: int) -> UsedNames:
        """The names that hits with ids above ``after`` and up to ``through`` refer to."""
        ...

    def write_parquet(  # noqa: PLR0913, PLR0917  # hits, names and file
        self,
        site: int,
        after: int,
        through: int,
        paths: Sequence[PathName],
        campaigns: Sequence[tuple[int, str]],
        file: Path,
    ) -> None:
        """Write all stored fields of hits to a Parquet file in ``Warehouse.exports``, by id."""
        ...

    def visit_windows(self, site: int, since: int, seconds: int) -> list[int]:
        """The numbers of the windows with visits; windows have a length in seconds and are numbered from 1970 on."""
        ...

    def visit_counts(self, statistic: VisitStatistic, site: int, window: range) -> list[StatisticRow]:
        """Visits in a window of Unix seconds, by time, path and the values of the statistic."""
        ...

    # Requests.

    def idempotency_record(self, key: str) -> IdempotencyRecord | None:
        """The idempotency record of a key; None without one."""
        ...


class WarehouseWriteSession(WarehouseSession, Protocol):
    """One transaction, for functions that ``Warehouse.write`` runs; all methods block.

    Each change is idempotent: a job is repeated after a crash.
    """

    def delete_site(self, site: int) -> int:
        """Remove all hits and imported aggregates of a site. Returns the number of hits."""
        ...

    def delete_paths(self, site: int, paths: Sequence[int]) -> int:
        """Remove all hits of some paths. Returns their number."""
        ...

    def merge_paths(self, site: int, paths: Sequence[int], into: int) -> int:
        """Move the hits of some paths to another one, where a session counts as one visit. Returns their number."""
        ...

    def relabel(self, site: int, bot: int, into: int, span: tuple[int, int]) -> list[int]:
        """Replace a bot code of hits by another one. Returns the paths of all hits with the new code.

        Args:
            bot, into: ``Bot`` codes, 0 for people.
            span: the first and the last id of the hits.
        """
        ...

    def relabel_matching(
        self, question: Question, into: int, span: tuple[int, int], key: str, passed: int
    ) -> list[int]:
        """Give the hits that a question counts another bot code, once for each key. Returns their paths.

        Args:
            question: in ids; of people's hits, or of bots'.
            into: a ``Bot`` code, 0 for people.
            span: the first and the last id of the hits.
            key: identifies the change.
            passed: seconds of the clock by which idempotency records age.
        """
        ...

    def expire(self, limits: Iterable[tuple[int, int]]) -> int:
        """Remove hits and imported days older than their sites' retention. Returns the number of hits.

        Args:
            limits: site, and the Unix second before which hits are removed.
        """
        ...

    def expire_part(self, site: int, since: int, before: int, at_most: int) -> int:
        """Remove the oldest hits of a site, of the times from ``since`` until before ``before``.

        Args:
            since, before: Unix seconds.
            at_most: hits to remove; all of one second are removed together.

        Returns:
            The time before which none is left, of those from ``since`` on; ``before`` when all are removed.
        """
        ...

    def newest_time(self) -> int:
        """The time of the newest hit, Unix seconds; 0 without hits."""
        ...

    def forget_old(self, now: int, passed: int) -> None:
        """Remove expired idempotency records, keys of ended sessions, and interrupted imports of aggregates.

        Args:
            now: the wall clock, Unix seconds.
            passed: seconds of the clock by which idempotency records age (``Ledger.passed``).
        """
        ...

    def begin_aggregates(self, begun: AggregateImport) -> int:
        """Begin an import, which has no rows yet. Returns its id; the one in ``begun`` is not looked at.

        Raises:
            Conflicting: the site has too many.
        """
        ...

    def add_aggregates(self, site: int, number: int, part: int, rows: Mapping[str, Sequence[Row]]) -> None:
        """Add a part to an import; one that has arrived before is not added again.

        Args:
            part: parts are numbered from 1.
            rows: by the aggregate's name.

        Raises:
            NotThere
            Conflicting: the import is done, or an earlier part is missing.
        """
        ...

    def finish_aggregates(self, site: int, number: int, rows: int, *, replace: bool) -> AggregateImport:
        """Make an import one that questions read, if it is whole and no other has days of the same tables.

        Args:
            rows: how many it must have.
            replace: whether such others are removed.

        Raises:
            NotThere
            Conflicting: rows are missing, or another import has days of the same tables; nothing is changed.
        """
        ...

    def remove_aggregates(self, site: int, number: int) -> AggregateImport:
        """Remove an import, whether done or not.

        Raises:
            NotThere
        """
        ...


class Warehouse(Protocol):
    """Hits, durably stored. Used from one event loop; ``open_warehouse`` opens one.

    All methods raise ``StoreUnavailable`` if the storage fails or is busy. Other errors of functions that were given to
    ``read`` or ``write`` are raised unchanged, and do not count as failures of the storage.

    Attributes:
        clock: Unix seconds.
        exports: the folder that exports are written to.
        owned_until: on the monotonic clock. Later, hits are neither stored nor read, because another server may own
            the analytics; jobs (``write``) continue.
        losses: what was missing at the start, and was accepted.
        shared: whether other servers store and read the same hits.
    """

    clock: Callable[[], int]
    exports: Path
    owned_until: float
    losses: Sequence[Loss]
    shared: bool

    def was_incomplete(self, since: float) -> bool:
        """Whether reads have waited for seconds for acknowledged hits that another server is to store.

        Args:
            since: only waits that have not ended before, on the monotonic clock.
        """
        ...

    @property
    def owned(self) -> bool:
        """Whether this server owns the analytics: only it stores and reads hits."""
        ...

    @property
    def carries_out_jobs(self) -> bool:
        """Whether this server carries out jobs, exports and imports: one at a time does."""
        ...

    def require_owned(self) -> None:
        """Refuse a request on a server that does not own the analytics.

        Raises:
            AnalyticsElsewhere
        """
        ...

    async def append(self, hits: Sequence[Hit], request: IdempotencyRecord | None = None) -> Sequence[Stored]:
        """Store hits and the idempotency record of their request; durable when it returns.

        Raises:
            StoreUnavailable: nothing was stored, or that is unknown.
            KeyInFlight: another node has stored a request with the record's key.
        """
        ...

    def append_into(self, future: Resolvable, hits: Sequence[Hit], request: IdempotencyRecord | None = None) -> None:
        """Like ``append``, for a caller that brings what waits for the result.

        Raises:
            AnalyticsElsewhere, StoreBusy, StoreClosed: at once; then nothing is resolved.
        """
        ...

    async def read(
        self,
        function: Callable[Concatenate[WarehouseSession, Arguments], Result],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Result:
        """Run ``function(session, ...)`` on a reader thread, on one snapshot with all acknowledged hits."""
        ...

    async def complete(self) -> None:
        """Return when a read need not wait for acknowledged hits that other servers are to store.

        Raises:
            StoreUnavailable: that takes too long, or cannot be found out.
        """
        ...

    async def write(
        self,
        function: Callable[Concatenate[WarehouseWriteSession, Arguments], Result],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Result:
        """Run ``function(session, ...)`` in its own transaction; durable when it returns.

        An exception of the function undoes the transaction and is raised here.
        """
        ...

    async def carry_out(
        self,
        function: Callable[Concatenate[WarehouseWriteSession, Arguments], Result],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Result:
        """Like ``write``, for a job: only on the server that carries out jobs, and no other one is asked to let it.

        Raises:
            StoreBusy: this server does not carry out jobs now.
        """
        ...

    async def idempotency_record(self, key: str) -> IdempotencyRecord | None:
        """The idempotency record of a key; None without one."""
        ...

    async def flush(self) -> None:
        """Return when commits succeed and reads include all acknowledged hits.

        Raises:
            StoreUnavailable: commits fail.
        """
        ...

    async def arrived(self) -> None:
        """Return when all hits appended before are durably stored or refused.

        Raises:
            StoreUnavailable: commits fail.
        """
        ...

    @property
    def marks(self) -> WarehouseMarks:
        """The newest hit and changes, and the newest known commit of the ledger; durable."""
        ...

    @property
    def waiting(self) -> int:
        """Number of hits that are not committed yet."""
        ...

    @property
    def unmoved(self) -> int:
        """Number of acknowledged hits that are not in columns yet."""
        ...

    @property
    def sessions(self) -> int:
        """Number of visitor sessions in memory."""
        ...

    @property
    def failures(self) -> int:
        """Number of failed transactions."""
        ...

    @property
    def failing(self) -> bool:
        """Whether the newest transaction failed."""
        ...

    @property
    def mover(self) -> str | None:
        """The server that brings the hits of all servers into columns, a few seconds ago; None for an embedded one.

        Empty while there is none.
        """
        ...

    @property
    def node(self) -> str | None:
        """The name of this server among those that share the warehouse; None for an embedded one."""
        ...

    @property
    def chores(self) -> ChoreCounts | None:
        """What this server has done to keep a shared warehouse small; None for an embedded one."""
        ...

    async def close(self) -> None:
        """Finish accepted hits and calls, and close."""
        ...


class WarehouseStorage(Protocol):
    """The files of a data directory's hits, for commands. A server may have them open only where that is stated."""

    def describe(self) -> str:
        """Where the hits are stored, for messages."""
        ...

    def exists(self) -> bool:
        """Whether there is a file for hits, even an empty one."""
        ...

    def size_bytes(self) -> int:
        """Size of the columns on the disk.

        Raises:
            OSError: the file does not exist, or cannot be read.
        """
        ...

    def sqlite_files(self) -> dict[str, Path]:
        """SQLite files among them, by their names in messages; they may not exist."""
        ...

    def count(self) -> int:
        """The number of hits in columns. No server may have them open; changes no byte.

        Raises:
            StoreFailed: they are damaged.
        """
        ...

    def read_everything(self, *, in_use: bool) -> int:
        """Read all values; changes no byte. Returns the number of hits.

        Args:
            in_use: whether a server has them open; then a copy is read.

        Raises:
            StoreFailed: they are damaged.
            OSError: a copy cannot be made.
        """
        ...

    def visits_add_up(self) -> bool:
        """Whether the stored visits together have as many hits as there are; quickly. Changes no byte.

        No server may have them open. True if the next start computes the visits.

        Raises:
            StoreFailed: they are damaged.
        """
        ...

    def compare_visits(self, *, in_use: bool) -> ComparedVisits:
        """Compare every stored visit with its hits; changes no byte.

        Args:
            in_use: whether a server has them open; then a copy is compared.

        Raises:
            StoreFailed: they are damaged.
            OSError: a copy cannot be made.
        """
        ...

    def note_restore(self, *, unfinished: bool) -> bool | None:
        """Note, where all servers with these hits see it, that a restore has replaced the ledger alone, or both.

        Returns:
            Whether that of another restore was noted before. None if the hits are one server's: then it is to be noted
            in the data directory.

        Raises:
            StoreUnavailable: it cannot be noted.
        """
        ...

    def forget_visits(self) -> None:
        """Make the next start compute all visits from the hits. No server may have them open.

        Raises:
            StartRefused: the files cannot be used.
        """
        ...

    def disagreement(self, ledger: LedgerMarks | None) -> str | None:
        """Compare the hits with the ledger; no server may have them open. Returns a message with a remedy, or None.

        Raises:
            DatabaseUnreachable, DatabaseSchemaRefused: a file cannot be read.
        """
        ...

    def copy_to(self, file: Path, ledger: LedgerMarks | None) -> None:
        """Write a checked copy to one file, for a backup; a server may write meanwhile.

        Args:
            ledger: its marks before the copy began; None for no comparison.

        Raises:
            StoreFailed: the hits are damaged.
            StoresDisagree: the copy lacks hits that were noted.
        """
        ...

    def refuse_missing(self, ledger: LedgerMarks | None) -> None:
        """Refuse a directory without hits if it had some.

        Raises:
            StoresDisagree
        """
        ...

    def refuse_older_ledger(self, copy: Path, ledger: LedgerMarks) -> None:
        """Compare a copy of the ledger with the copy of the hits that was made before.

        Raises:
            StoresDisagree: the ledger lacks data that the hits have noted.
        """
        ...

    def check_copy(self, copy: Path) -> None:
        """Read all values of a copy from a backup, and migrate it to the present schema.

        Raises:
            StoreFailed: it is damaged.
            DatabaseSchemaRefused: it was written by a newer program.
        """
        ...

    def replace(self, copy: Path | None) -> None:
        """Replace the hits by a checked copy, or remove them; damaged hits are kept under another name."""
        ...
