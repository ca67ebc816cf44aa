"""The journal: what is acknowledged before it lies in columns.

A batch of hits is one row and one sync here, whatever its size; DuckDB takes ten times as long for it. Rows leave
the journal when DuckDB has them; the id of its newest hit tells whether it has a batch.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import apsw

from tallystick.errors import DatabaseUnreachable, StoreFailed, StoreFull, StoreUnavailable

JOURNAL_FILE = "warehouse-journal.sqlite3"
BUSY_TIMEOUT_MS = 30_000
CHECKPOINT_PAGES = 1_000
_PRAGMAS = (
    "journal_mode = wal",
    "temp_store = memory",
    "trusted_schema = off",
)


class Batch(NamedTuple):
    """What one commit of the journal holds.

    Attributes:
        last_id: of its newest hit.
        content: as its writer encoded it.
    """

    last_id: int
    content: bytes


class Journal:
    """One SQLite file, used by one thread at a time.

    Args:
        file: its directory must exist.
        durability: ``relaxed`` leaves the sync to SQLite's checkpoints.
        vfs: name of a registered apsw VFS, for fault tests; None is the system's.

    Raises:
        DatabaseUnreachable: the file cannot be opened, or is no database.
    """

    def __init__(self, file: Path, durability: Literal["full", "relaxed"] = "full", vfs: str | None = None) -> None:
        self._file, self._durability, self._vfs = file, durability, vfs
        try:
            self._connection = self._connect()
        except apsw.Error as error:
            msg = f"cannot open the journal {file}: {error}"
            raise DatabaseUnreachable(msg) from error

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(str(self._file), vfs=self._vfs)
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.wal_autocheckpoint(CHECKPOINT_PAGES)
        connection.execute(f"PRAGMA synchronous = {'full' if self._durability == 'full' else 'normal'}")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS batch (last_id INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT"
        )
        return connection

    def batches(self) -> Iterator[Batch]:
        """What the journal holds, oldest first."""
        yield from _batches(self._connection)

    def keep(self, batch: Batch, moved: int) -> None:
        """Store a batch durably, and let go of those that DuckDB has.

        Args:
            moved: the newest id that DuckDB holds durably.

        Raises:
            StoreFull, StoreFailed: nothing was stored, or it is unknown that it was.
        """
        with self._transaction():
            self._connection.execute("DELETE FROM batch WHERE last_id <= ?", (moved,))
            self._connection.execute("INSERT INTO batch (last_id, content) VALUES (?, ?)", batch)

    def let_go(self, moved: int) -> None:
        """Remove the batches that DuckDB has."""
        with self._transaction():
            self._connection.execute("DELETE FROM batch WHERE last_id <= ?", (moved,))

    def reopen(self) -> None:
        """Another connection, after a failure: nobody knows what state the old one is in.

        Raises:
            StoreFull, StoreFailed
        """
        # Opened before the old one is closed: with no connection left SQLite would recover what a failed sync left.
        try:
            old, self._connection = self._connection, self._connect()
            old.close()
        except apsw.Error as error:
            raise understood(error) from error

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
            raise understood(error) from error


def journal_of(warehouse: Path) -> list[Batch]:
    """What the journal beside a warehouse holds, also while a server uses it; creates nothing.

    Raises:
        DatabaseUnreachable: it cannot be read.
    """
    file = warehouse.with_name(JOURNAL_FILE)
    if not file.exists():
        return []
    try:
        connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            if not connection.table_exists(None, "batch"):
                return []
            return list(_batches(connection))
        finally:
            connection.close()
    except apsw.Error as error:
        msg = f"cannot read the journal {file}: {error}"
        raise DatabaseUnreachable(msg) from error


def _batches(connection: apsw.Connection) -> Iterator[Batch]:
    for last_id, content in connection.execute("SELECT last_id, content FROM batch ORDER BY last_id"):
        assert isinstance(last_id, int)
        assert isinstance(content, bytes)
        yield Batch(last_id, content)


def understood(error: apsw.Error) -> StoreUnavailable:
    """What a database error means to whoever waits."""
    if isinstance(error, apsw.FullError):
        return StoreFull("the disk is full")
    return StoreFailed(f"the warehouse's journal failed: {error}")
