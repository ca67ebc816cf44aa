"""Copies the warehouse from another process while the server writes.

Between two checkpoints the used parts of the database file do not change, and the WAL only grows. So while checkpoints
are locked out, a copy of the WAL and then of the file is the state after a crash at that moment, which DuckDB can open.
The copy is opened, which replays the WAL, and all its values are read.

The journal is read first; its batches that the copy lacks are added to it.
"""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from tallystick.errors import DatabaseUnreachable, StoreFailed, StoresDisagree
from tallystick.warehouse.duckdb import aggregates, rows, visits
from tallystick.warehouse.duckdb.checkpoints import unchanging
from tallystick.warehouse.duckdb.instance import THREADS
from tallystick.warehouse.duckdb.journal import JournalContents, journal_of
from tallystick.warehouse.duckdb.marks import ColumnsMarks, lost_from_columns, way_out
from tallystick.warehouse.duckdb.migrations import all_steps, recorded
from tallystick.warehouse.duckdb.mover import set_last_id
from tallystick.warehouse.duckdb.opening import columns_marks, seal
from tallystick.warehouse.duckdb.queried import Connection, QuerySession, named_queries
from tallystick.warehouse.duckdb.rebuilding import highest_id
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.store import Store, newer_format, quoted, transaction
from tallystick.warehouse.types import ComparedVisits, LedgerMarks

MEMORY_MB = 512
PORTABLE = "v1.5.0"
"""The format of copies: that of the oldest DuckDB that we run on."""

WAL_SUFFIX = ".wal"


def copy_files(source: Path, target: Path, ledger: LedgerMarks | None = None) -> None:
    """Copy a warehouse that may be in use; ``target`` is one file when this returns, and checked.

    Args:
        ledger: its marks before the copy began; None for no comparison.

    Raises:
        StoreFailed: the copy is damaged, and so the warehouse is.
        StoresDisagree: the journal or the ledger has noted more than the copy holds.
    """
    wal, wal_copy = (file.with_name(file.name + WAL_SUFFIX) for file in (source, target))
    journal = journal_of(source)
    with unchanging(source, fcntl.LOCK_SH):
        # The WAL first: it may refer to blocks of the file that were written just before it.
        if wal.exists():
            shutil.copyfile(wal, wal_copy)
        shutil.copyfile(source, target)
    with _opened(target) as session:
        refuse_lost(source, journal, columns_marks(session), ledger)
        bring_in(session, journal)
    checked(target)


def make_portable(file: Path) -> None:
    """Rewrite a warehouse that no process has open so that every version of DuckDB that we run on can open it.

    Newer versions of DuckDB write files that older ones, such as that of the shared warehouse, cannot open.
    """
    rewritten = file.with_name(f"{file.name}.rewritten")
    with tempfile.TemporaryDirectory(prefix="tallystick-") as spilled, closing(duckdb.connect()) as connection:
        connection.execute(f"SET memory_limit = '{MEMORY_MB}MB'")
        connection.execute(f"SET threads = {THREADS}")
        connection.execute(f"SET temp_directory = {quoted(spilled)}")
        connection.execute(f"ATTACH {quoted(str(file))} AS old (READ_ONLY)")
        version = connection.execute(
            "SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = 'old'"
        ).fetchone()
        if version is not None and str(version[0]) <= f"{PORTABLE}+":
            return
        rewritten.unlink(missing_ok=True)
        connection.execute(f"ATTACH {quoted(str(rewritten))} AS new (STORAGE_VERSION {quoted(PORTABLE)})")
        connection.execute("COPY FROM DATABASE old TO new")
        connection.execute("CHECKPOINT new")
    rewritten.replace(file)


def refuse_missing(source: Path, ledger: LedgerMarks | None) -> None:
    """Refuse a directory without a warehouse if it had some hits.

    Raises:
        StoresDisagree: the journal or the ledger has noted hits.
    """
    refuse_lost(source, journal_of(source), ColumnsMarks(), ledger)


def refuse_lost(source: Path, journal: JournalContents, columns: ColumnsMarks, ledger: LedgerMarks | None) -> None:
    """Compare a copy with the marks that were read before it was made.

    Raises:
        StoresDisagree: the copy holds less.
    """
    if lost := lost_from_columns(journal.marks, columns, ledger):
        raise StoresDisagree(way_out(lost, source.parent))


def bring_in(session: DuckDbSession, journal: JournalContents) -> None:
    """Add the batches of a journal that a copy lacks, and mark the copy as complete without a journal."""
    moved = highest_id(session)
    missing = [batch for batch in journal.batches if batch.last_id > moved]
    rows.prepare(session.connection)
    visits.prepare(session.connection)
    with transaction(session.connection):
        if missing:
            contents = [rows.recovered(batch.content, batch.format) for batch in missing]
            rows.insert(session.connection, contents)
            visits.follow(session.connection, contents)
            set_last_id(session, missing[-1].last_id, contents, journal.marks.commits)
        seal(session)


def checked(file: Path) -> int:
    """Read all values of a warehouse that no process has open, and fold in its WAL. Returns the number of hits.

    Raises:
        StoreFailed: it is damaged, or not a warehouse.
        DatabaseSchemaRefused: it was written by a newer program.
    """
    with _opened(file) as session:
        hits, _ = session.queries.read_everything(session.connection)
        aggregates.read_aggregates(session)
        session.connection.execute("CHECKPOINT")
    return int(hits)


def read_through(file: Path) -> int:
    """Read all values of a warehouse that no process has open; changes no byte. Returns the number of hits.

    Raises:
        StoreFailed: it is damaged, or not a warehouse.
    """
    with _unchanged(file) as connection:
        hits, _ = named_queries().read_everything(connection)
        if len(recorded(connection)) == len(all_steps()):
            aggregates.read_aggregates(QuerySession(connection, named_queries()))
    return int(hits)


def count_hits(file: Path) -> int:
    """The number of hits in columns of a warehouse that no process has open; changes no byte.

    Raises:
        StoreFailed: it is damaged, or not a warehouse.
    """
    with _unchanged(file) as connection:
        [(hits,)] = connection.execute("SELECT count(*) FROM hit").fetchall()
    return int(hits)


def visits_add_up(file: Path) -> bool:
    """Whether visits have as many hits as there are in a warehouse that no process has open; changes no byte.

    Raises:
        StoreFailed: it is damaged, or not a warehouse.
    """
    with _unchanged(file) as connection:
        return not _has_visits(connection) or visits.add_up(connection)


def compare_visits(file: Path) -> ComparedVisits:
    """Compare visits with their hits in a warehouse that no process has open; changes no byte.

    Raises:
        StoreFailed: it is damaged, or not a warehouse.
    """
    with _unchanged(file) as connection:
        return visits.compare(connection) if _has_visits(connection) else ComparedVisits(0, 0)


def _has_visits(connection: Connection) -> bool:
    """Whether visits have been computed; otherwise the next start does so."""
    return len(recorded(connection)) == len(all_steps()) and visits.are_computed(connection)


@contextmanager
def _unchanged(file: Path) -> Iterator[Connection]:
    """A connection that only reads, with little memory, and spills nothing beside the file."""
    with tempfile.TemporaryDirectory(prefix="tallystick-") as directory:
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": THREADS,
            "memory_limit": f"{MEMORY_MB}MB",
            "temp_directory": directory,
        }
        try:
            with closing(duckdb.connect(str(file), read_only=True, config=config)) as connection:
                yield connection
        except duckdb.Error as error:
            said = newer_format(error) or f"is no warehouse, or damaged: {' '.join(str(error).split())}"
            msg = f"{file} {said}"
            raise StoreFailed(msg) from error


@contextmanager
def _opened(file: Path) -> Iterator[DuckDbSession]:
    store = Store(file, MEMORY_MB)
    try:
        store.open()
        with store.session() as session:
            yield session
    except (duckdb.Error, DatabaseUnreachable) as error:
        msg = f"{file} is no warehouse, or damaged: {error}"
        raise StoreFailed(msg) from error
    finally:
        store.close()
