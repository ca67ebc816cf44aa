"""Compares the marks that the three stores of a data directory have noted of each other, before a start.

The ledger, the journal and DuckDB's file are committed one after the other, and each notes the state of the others. A
crash at any moment leaves consistent marks. A store that was lost, truncated or replaced by an older copy leaves
inconsistent ones, and starting from there would give ids twice.

Pure functions on values; ``services.stores`` reads the ledger's marks, ``Journal`` and ``Store`` read their own.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from tallystick.warehouse.types import LedgerMarks, Loss, NewestIds

HITS_PASSED_OVER = 1_000_000
"""Ids skipped after a loss: the lost store may have given more than the others have noted."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class JournalMarks(Struct, frozen=True):
    """The marks of the journal; see its migration ``0002_marks.sql``."""

    warehouse: str = ""
    last_id: int = 0
    moved: int = 0
    changes: int = 0
    commits: int = 0
    newest: NewestIds = NewestIds()


class ColumnsMarks(Struct, frozen=True):
    """The marks of DuckDB's file; see the migration ``0003_marks.sql``."""

    warehouse: str = ""
    complete: bool = True
    relaxed: str = ""
    last_id: int = 0
    changes: int = 0
    commits: int = 0
    newest: NewestIds = NewestIds()


def losses(journal: JournalMarks, columns: ColumnsMarks, ledger: LedgerMarks | None) -> list[Loss]:
    """The data that stores lack and others have noted; empty for a new directory, or if all stores are unharmed.

    Args:
        ledger: None for no comparison with a ledger.
    """
    return [
        *_of_columns(journal, columns),
        *_of_journal(journal, columns),
        *(_of_ledger(journal, columns, ledger) if ledger else ()),
        *(_of_hits(journal, columns, ledger) if ledger else ()),
    ]


def lost_from_columns(journal: JournalMarks, columns: ColumnsMarks, ledger: LedgerMarks | None) -> list[Loss]:
    """The data that a copy of DuckDB's file lacks, which was made after the other marks were read."""
    before = replace(journal, last_id=max(journal.last_id, columns.last_id))
    return [
        *_of_columns(before, columns),
        *_of_journal(before, columns),
        *(_of_hits(before, columns, ledger) if ledger else ()),
    ]


def _of_columns(journal: JournalMarks, columns: ColumnsMarks) -> Iterator[Loss]:
    if journal.warehouse and columns.warehouse not in {"", journal.warehouse}:
        yield Loss("warehouse-journal.sqlite3 belongs to another warehouse.duckdb", foreign=True)
    elif columns.last_id < journal.moved:
        lost = f"{columns.last_id + 1:,} to {journal.moved:,}"
        yield Loss(f"warehouse.duckdb or its .wal file is older than its journal, and lacks the hits {lost}")
    elif columns.changes < journal.changes:
        lost = f"{journal.changes - columns.changes:,} deletions or merges"
        yield Loss(f"warehouse.duckdb or its .wal file is older than its journal, and lacks {lost}")


def _of_journal(journal: JournalMarks, columns: ColumnsMarks) -> Iterator[Loss]:
    if not columns.complete and not journal.warehouse:
        yield Loss("warehouse-journal.sqlite3 is missing or empty, and with it the hits that were in no other file")
    elif not columns.complete and journal.last_id < columns.last_id:
        yield Loss(
            "warehouse-journal.sqlite3 or its -wal file is older than warehouse.duckdb, and lacks the hits that were"
            " in no other file",
            of_last_seconds=True,
        )


def _of_ledger(journal: JournalMarks, columns: ColumnsMarks, ledger: LedgerMarks) -> Iterator[Loss]:
    commits, newest = max(journal.commits, columns.commits), journal.newest.and_those_of(columns.newest)
    if ledger.commits < commits:
        lost = f"at least {commits - ledger.commits:,} commits"
        yield Loss(f"the ledger is older than the hits, and lacks {lost}", of_last_seconds=True, of_ledger=True)
    elif ledger.newest.and_those_of(newest) != ledger.newest:
        lost = " and ".join(
            f"{kind} ids up to {getattr(newest, kind):,} while it has given {getattr(ledger.newest, kind):,}"
            for kind in NewestIds.__struct_fields__
            if getattr(newest, kind) > getattr(ledger.newest, kind)
        )
        yield Loss(
            f"the ledger is older than the hits, which have {lost}",
            of_last_seconds=True,
            of_ledger=True,
            of_old=not commits,
        )


def _of_hits(journal: JournalMarks, columns: ColumnsMarks, ledger: LedgerMarks) -> Iterator[Loss]:
    name = columns.warehouse or journal.warehouse
    if not name and ledger.shared:
        # Another server's hits may be in its own data directory.
        return
    last_id, changes = ledger.warehouses.get(name, (0, 0)) if name else max(ledger.warehouses.values(), default=(0, 0))
    if max(journal.last_id, columns.last_id) < last_id:
        yield Loss(f"the hits are older than the ledger, which knows of hits up to {last_id:,}", of_last_seconds=True)
    elif journal.changes <= columns.changes < changes:
        lost = f"{changes - columns.changes:,} deletions or merges"
        yield Loss(f"the hits are older than the ledger, and lack {lost}")


def way_out(lost: Sequence[Loss], data: Path) -> str:
    """The message of a refusal: the losses, and what to do."""
    what = "; ".join(loss.what for loss in lost)
    if any(loss.foreign for loss in lost):
        out = "Put the right one back, or move the journal away and start once with --accept-loss"
    else:
        out = (
            "Put the missing files back, or restore a backup (tallystick restore FILE --force);"
            " to go on without what is lost, start once with --accept-loss"
        )
    return f"the files in {data} do not fit together: {what}. {out}"


def boot() -> str:
    """The machine's boot id; empty if the system has none."""
    try:
        return BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""
