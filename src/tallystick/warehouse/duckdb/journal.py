"""The journal: acknowledged hits that are not in columns yet.

A batch of hits is one row and one sync, whatever its size; DuckDB takes ten times as long. A row is deleted when DuckDB
has its hits, as shown by the id of DuckDB's newest hit.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import starmap
from pathlib import Path
from typing import Any, Literal, NamedTuple

import apsw
from msgspec.structs import astuple

from tallystick.errors import DatabaseSchemaRefused, DatabaseUnreachable, StoreFailed, StoreFull, StoreUnavailable
from tallystick.warehouse.duckdb import rows
from tallystick.warehouse.duckdb.marks import JournalMarks
from tallystick.warehouse.duckdb.migrations import all_steps, migrate, recorded, refuse_newer
from tallystick.warehouse.types import NewestIds

JOURNAL_FILE = "warehouse-journal.sqlite3"
FOLDER = "journal"
"""The folder of its migrations."""

BUSY_TIMEOUT_MS = 30_000
CHECKPOINT_PAGES = 1_000
_PRAGMAS = (
    "journal_mode = wal",
    "temp_store = memory",
    "trusted_schema = off",
)


_COMMIT = """
CREATE TEMP VIEW commitment AS SELECT
    0 AS batch, x'' AS content, 0 AS format,
    '' AS warehouse, 0 AS last_id, 0 AS moved, 0 AS changes, 0 AS commits, 0 AS site, 0 AS path, 0 AS campaign;
CREATE TEMP TRIGGER carry_out INSTEAD OF INSERT ON commitment BEGIN
    INSERT INTO batch (last_id, content, format) SELECT NEW.batch, NEW.content, NEW.format WHERE NEW.batch IS NOT NULL;
    DELETE FROM batch WHERE last_id <= NEW.moved;
    UPDATE marks SET
        warehouse = NEW.warehouse, last_id = NEW.last_id, moved = NEW.moved, changes = NEW.changes,
        commits = NEW.commits, site = NEW.site, path = NEW.path, campaign = NEW.campaign, written = written + 1;
END;
"""
"""Makes a whole commit one statement, during which Python's lock is released once: between statements this thread would
have to wait for it each time, behind the event loop."""


class JournalBatch(NamedTuple):
    """The hits of one commit of the journal.

    Attributes:
        last_id: of its newest hit.
        content: the encoded hits.
        format: of the encoding; see ``rows.BatchForm``.
    """

    last_id: int
    content: bytes
    format: int


class Journal:
    """One SQLite file, used by one thread at a time.

    Args:
        file: its directory must exist.
        durability: ``relaxed`` leaves the sync to SQLite's checkpoints.
        vfs: name of a registered apsw VFS, for fault tests; None is the system's.

    Raises:
        DatabaseUnreachable: the file cannot be opened, or is not a database.
        DatabaseSchemaRefused: it was written by a newer program.
    """

    def __init__(self, file: Path, durability: Literal["full", "relaxed"] = "full", vfs: str | None = None) -> None:
        self._file, self._durability, self._vfs = file, durability, vfs
        try:
            self._connection = self._connect()
            with _closed_on_error(self._connection):
                migrate(self._connection, self._transaction, FOLDER, f"the journal {file}")
                self._connection.execute(_COMMIT)
        except (apsw.Error, StoreUnavailable) as error:
            msg = f"cannot open the journal {file}: {error}"
            raise DatabaseUnreachable(msg) from error

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(str(self._file), vfs=self._vfs)
        with _closed_on_error(connection):
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}").fetchall()
            connection.wal_autocheckpoint(CHECKPOINT_PAGES)
            connection.execute(f"PRAGMA synchronous = {'full' if self._durability == 'full' else 'normal'}")
        return connection

    def batches(self) -> Iterator[JournalBatch]:
        """All batches, oldest first.

        Raises:
            StoreFailed: it is damaged.
            DatabaseSchemaRefused: a newer program wrote some of it.
        """
        try:
            yield from _batches(self._connection, self._file)
        except apsw.Error as error:
            raise store_error(error) from error

    def marks(self) -> JournalMarks:
        """The marks of the last commit.

        Raises:
            StoreFailed: it is damaged.
        """
        try:
            return _marks(self._connection)
        except apsw.Error as error:
            raise store_error(error) from error

    def keep(self, batch: JournalBatch, marks: JournalMarks) -> None:
        """Store a batch and the marks durably, and remove the batches that DuckDB has.

        Raises:
            StoreFull, StoreFailed: nothing was stored, or that is unknown.
        """
        self._commit(batch, marks)

    def note(self, marks: JournalMarks) -> None:
        """Store the marks durably, and remove the batches that DuckDB has.

        Raises:
            StoreFull, StoreFailed: nothing was stored, or that is unknown.
        """
        self._commit((None, None, None), marks)

    def _commit(self, batch: JournalBatch | tuple[None, None, None], marks: JournalMarks) -> None:
        values = (*batch, *astuple(marks)[:-1], *astuple(marks.newest))
        try:
            self._connection.execute("INSERT INTO commitment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        except apsw.Error as error:
            raise store_error(error) from error

    def reopen(self) -> None:
        """Open another connection, after a failure that left the old one in an unknown state.

        Raises:
            StoreFull, StoreFailed
        """
        # Opened before the old one is closed: without any connection, SQLite would recover the rest of a failed sync.
        try:
            old, self._connection = self._connection, self._connect()
            self._connection.execute(_COMMIT)
            old.close()
        except apsw.Error as error:
            raise store_error(error) from error

    def close(self) -> None:
        """Close; the WAL is folded into the file."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except apsw.Error as error:
            raise store_error(error) from error
        except BaseException:
            # The storage has not failed, so this connection is used again.
            self._connection.execute("ROLLBACK")
            raise


@contextmanager
def _closed_on_error(connection: apsw.Connection) -> Iterator[None]:
    with ExitStack() as opened:
        opened.callback(connection.close)
        yield
        opened.pop_all()


class JournalContents(NamedTuple):
    """The contents of a journal."""

    batches: list[JournalBatch]
    marks: JournalMarks


def journal_of(warehouse: Path) -> JournalContents:
    """Read the journal beside a warehouse, also while a server uses it; creates nothing.

    Raises:
        DatabaseUnreachable: it cannot be read.
        DatabaseSchemaRefused: it was written by a newer program.
    """
    file = warehouse.with_name(JOURNAL_FILE)
    if not file.exists():
        return JournalContents([], JournalMarks())
    try:
        connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            # Read-only: the WAL must not change, even if this connection is the last one.
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.execute("BEGIN")
            return _contents(connection, file)
        finally:
            connection.close()
    except apsw.Error as error:
        msg = f"cannot read the journal {file}: {error}"
        raise DatabaseUnreachable(msg) from error


def _contents(connection: apsw.Connection, file: Path) -> JournalContents:
    schema = len(recorded(connection, FOLDER))
    refuse_newer(schema, len(all_steps(FOLDER)), f"the journal {file}")
    if schema == len(all_steps(FOLDER)):
        return JournalContents(list(_batches(connection, file)), _marks(connection))
    if not connection.table_exists(None, "batch"):
        return JournalContents([], JournalMarks())
    # Written by a version without marks in the journal.
    batches = connection.execute("SELECT last_id, content, 1 FROM batch ORDER BY last_id")
    return JournalContents(list(starmap(JournalBatch, batches)), JournalMarks())


def _batches(connection: apsw.Connection, file: Path) -> Iterator[JournalBatch]:
    for last_id, content, format_ in connection.execute("SELECT last_id, content, format FROM batch ORDER BY last_id"):
        assert isinstance(last_id, int)
        assert isinstance(content, bytes)
        assert isinstance(format_, int)
        if format_ > rows.FORM.format:
            msg = (
                f"the journal {file} holds hits in format {format_}, this program knows formats up to"
                f" {rows.FORM.format}: start the Tallystick that wrote them, or a newer one"
            )
            raise DatabaseSchemaRefused(msg)
        yield JournalBatch(last_id, content, format_)


def _marks(connection: apsw.Connection) -> JournalMarks:
    marks: Any = connection.execute(
        "SELECT warehouse, last_id, moved, changes, commits, site, path, campaign FROM marks"
    ).fetchall()
    if len(marks) != 1:
        msg = "its marks are damaged"
        raise StoreFailed(msg)
    name, last_id, moved, changes, commits, *newest = marks[0]
    return JournalMarks(name, last_id, moved, changes, commits, NewestIds(*newest))


def store_error(error: apsw.Error) -> StoreUnavailable:
    """Translate an error of SQLite into ours."""
    if isinstance(error, apsw.FullError):
        return StoreFull("the disk is full")
    return StoreFailed(f"the warehouse's journal failed: {error}")
