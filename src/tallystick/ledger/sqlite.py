"""The ledger in one SQLite file, through apsw."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import apsw
import msgspec
from msgspec.structs import astuple

from tallystick.errors import (
    DatabaseSchemaRefused,
    DatabaseUnreachable,
    StoreBusy,
    StoreFailed,
    StoreFull,
    StoreUnavailable,
)
from tallystick.ledger.database import Durability
from tallystick.ledger.history import HistoryChanges
from tallystick.ledger.migrations import Applied, Migration, all_migrations, migrate
from tallystick.ledger.queried import QueriedSession, from_row, named_queries
from tallystick.model.counter import Counter
from tallystick.model.key import Key, lane_of

OLDEST_SAFE_SQLITE = (3, 51, 3)
"""Up to 3.51.2 a WAL database can be corrupted when two connections write or checkpoint at once."""

CACHED_ROWS = 20_000
"""Counters that a writing session keeps between batches; about 8 MB when full."""

BUSY_TIMEOUT_MS = 30_000
CLOSING_TIMEOUT_MS = 1_000
CHECKPOINT_PAGES = 4_000

_PRAGMAS = (
    # A batch of scattered counters writes a page for each: small pages write less. Only a new file takes this.
    "page_size = 2048",
    "journal_mode = wal",
    f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
    "cache_size = -32000",
    "temp_store = memory",
    "trusted_schema = off",
    # Destroyed data (the salts) must not stay in free pages.
    "secure_delete = on",
)

_STORAGE_ERRORS = (
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.FullError,
    apsw.IOError,
    apsw.LockedError,
    apsw.NoMemError,
    apsw.NotADBError,
    apsw.PermissionsError,
    apsw.ProtocolError,
    apsw.ReadOnlyError,
)

_encode = msgspec.json.Encoder().encode
_decode_rows = msgspec.json.Decoder(list[tuple[str, str, int, int, int, int, int, int, int, int, int, int]]).decode
_queries = named_queries("sqlite", "apsw")


class SqliteDatabase:
    """A ledger in a file.

    Args:
        path: the database file; its directory must exist.
        durability: ``full`` syncs the WAL in every commit, ``relaxed`` leaves that to the checkpoint.
        vfs: name of a registered apsw VFS, for fault tests; None is the system's.
        most_keys: see ``Session``.
    """

    name: Literal["sqlite", "postgresql"] = "sqlite"
    lanes_alone = False
    writers = 1

    def __init__(
        self, path: Path, durability: Durability = "full", vfs: str | None = None, most_keys: int | None = None
    ) -> None:
        self.path = path
        self.durability = durability
        self.vfs = vfs
        self.most_keys = most_keys

    def describe(self) -> str:
        """The path of the database file."""
        return str(self.path)

    def session(self, *, writes: bool = False) -> "SqliteSession":
        """Open a connection.

        Raises:
            DatabaseUnreachable: the file cannot be opened, or is not a database.
        """
        try:
            return SqliteSession(self._connect_in_time(), keeps_rows=writes, most_keys=self.most_keys)
        except apsw.Error as error:
            msg = f"cannot open the database {self.path}: {error}"
            raise DatabaseUnreachable(msg) from error

    def _connect_in_time(self) -> apsw.Connection:
        # SQLite itself does not wait when several connections turn a new file into a WAL database at once.
        deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
        while True:
            try:
                return self._connect()
            except apsw.BusyError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(str(self.path), vfs=self.vfs)
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.execute(f"PRAGMA synchronous = {'full' if self.durability == 'full' else 'normal'}")
        return connection

    def announcer(self, on_notification: Callable[[], None]) -> None:
        """Return None: only one server uses the file, and commands that write to it cannot notify it."""

    def schema(self) -> int | None:
        """The number of the newest applied migration; None if there is no ledger. Creates nothing."""
        try:
            # Opening an empty file, too, would create a database.
            if not self.path.stat().st_size:
                return None
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            msg = f"cannot open the database {self.path}: {error.strerror}"
            raise DatabaseUnreachable(msg) from error
        with closing(self.session()) as session, session.snapshot():
            applied = session.recorded()
        return applied[-1].number if applied else None

    def migrate(self) -> None:
        """Bring the schema up to date."""
        if tuple(int(part) for part in apsw.sqlite_lib_version().split(".")) < OLDEST_SAFE_SQLITE:
            safe = ".".join(map(str, OLDEST_SAFE_SQLITE))
            msg = f"SQLite {apsw.sqlite_lib_version()} can corrupt this database; apsw with {safe} or newer is needed"
            raise DatabaseSchemaRefused(msg)
        session = self.session()
        try:
            migrate(all_migrations("sqlite"), session.transaction, session.applied, session.take)
        except StoreUnavailable as error:
            msg = f"cannot prepare the database {self.path}: {error}"
            raise DatabaseUnreachable(msg) from error
        finally:
            session.close()


class SqliteSession(QueriedSession):
    """One connection to the file.

    A session that ``keeps_rows`` caches the counters it has written: with one writing process they need not be read
    again. ``data_version`` changes when another process (the command line) has written.
    """

    connection: apsw.Connection
    shared = False
    lanes_alone = False
    queries = _queries
    common = named_queries("common", "apsw")

    def __init__(self, connection: apsw.Connection, *, keeps_rows: bool = False, most_keys: int | None = None) -> None:
        self.connection = connection
        self.most_keys = most_keys
        self.changed: set[str] = set()
        self.joined: dict[Key, Counter | None] = {}
        self.kept: dict[str, Any] = {}
        self._keeps_rows = keeps_rows
        self._rows: dict[Key, Counter | None] = {}
        self._data_version = -1

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A writing transaction: durable when the block ends, undone when it raises."""
        try:
            self._execute("BEGIN IMMEDIATE")
            self._forget_rows_of_others()
            yield
            self._execute("COMMIT")
        except apsw.Error as error:
            with suppress(StoreUnavailable):
                self._undo()
            raise _store_error(error) from error
        except BaseException:
            self._undo()
            raise

    def _forget_rows_of_others(self) -> None:
        version = self.connection.pragma("data_version")
        if version != self._data_version or len(self._rows) > CACHED_ROWS:
            self._rows.clear()
            self.kept.clear()
            self._data_version = version

    def _undo(self) -> None:
        self._rows.clear()
        self.kept.clear()
        try:
            if self.connection.in_transaction:
                self._execute("ROLLBACK")
        except apsw.Error as error:
            raise _store_error(error) from error  # the connection is broken: the writer opens another one

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of the transaction; only it is undone when it raises."""
        try:
            self._execute("SAVEPOINT part")
            try:
                yield
            except _STORAGE_ERRORS:
                raise
            except BaseException:
                self._undo_part()
                raise
            self._execute("RELEASE part")
        except _STORAGE_ERRORS as error:
            # Not the part's fault: the whole transaction is lost.
            raise _store_error(error) from error

    def _undo_part(self) -> None:
        self._rows.clear()
        self.kept.clear()
        # SQLite undoes the whole transaction by itself after some errors; then nothing of it may be kept.
        if not self.connection.in_transaction:
            msg = "the database undid the transaction"
            raise StoreFailed(msg)
        self._execute("ROLLBACK TO part")
        self._execute("RELEASE part")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A reading transaction that sees one state of the database. A statement's own error passes as it is."""
        self._run("BEGIN")
        try:
            yield
        except _STORAGE_ERRORS as error:
            raise _store_error(error) from error
        finally:
            if self.connection.in_transaction:  # SQLite ends it by itself after some errors
                self._run("ROLLBACK")

    def _run(self, sql: str) -> None:
        """Run a statement that only a broken connection refuses."""
        try:
            self._execute(sql)
        except apsw.Error as error:
            raise _store_error(error) from error

    def load(self, keys: Iterable[Key]) -> dict[Key, Counter]:
        """The counters of a batch."""
        unique = set(keys)
        if not self._keeps_rows:
            return self.find(unique)
        rows = self._rows
        if missing := unique.difference(rows):
            rows.update(dict.fromkeys(missing))
            rows.update(self.find(missing))
        return {key: row for key in unique if (row := rows[key]) is not None}

    def save(
        self,
        changed: Mapping[Key, Counter | None],
        loaded: Mapping[Key, Counter],  # noqa: ARG002  # one writer: what is there is stored over
        whole: Collection[Key] | None = None,
    ) -> None:
        """Store the changes of a batch; None removes."""
        whole = changed.keys() if whole is None else whole
        counted = [
            (lane_of(key), *key, counter.value, counter.expires, counter.version)
            for key, counter in changed.items()
            if counter is not None and key not in whole
        ]
        if counted:
            _queries.save_counted(self.connection, rows=_json(counted))
        if len(counted) < len(changed):
            self._save_whole({key: counter for key, counter in changed.items() if key in whole})
        if self._keeps_rows:
            self._rows.update(changed)

    def _save_whole(self, changed: Mapping[Key, Counter | None]) -> None:
        kept = [(lane_of(key), *key, *astuple(counter)) for key, counter in changed.items() if counter is not None]
        if kept:
            _queries.save(self.connection, rows=_json(kept))
        if len(kept) < len(changed):
            deleted = [(lane_of(key), *key) for key, counter in changed.items() if counter is None]
            _queries.remove(self.connection, keys=_json(deleted))

    def keep_history(self, history: HistoryChanges) -> None:
        """Store what a batch changes in the history of its counters."""
        if history.forgotten:
            keys = _json([(lane_of(key), *key) for key in history.forgotten])
            _queries.forget_hours(self.connection, keys=keys)
            _queries.forget_milestones(self.connection, keys=keys)
        if history.hours:
            hours = [(lane_of(past.key), *past.key, past.hour, past.base) for past in history.hours]
            _queries.keep_hours(self.connection, rows=_json(hours))
        if history.milestones:
            milestones = [(lane_of(passed.key), *passed.key, passed.value, passed.at) for passed in history.milestones]
            _queries.keep_milestones(self.connection, rows=_json(milestones))

    def find(self, keys: Iterable[Key]) -> dict[Key, Counter]:
        """Read counters without locking them."""
        try:
            rows = _queries.load(self.connection, keys=_json([(lane_of(key), *key) for key in keys]))
        except apsw.Error as error:
            # The one statement that may run outside of a transaction.
            raise _store_error(error) from error
        return dict(map(from_row, _decode_rows(rows)))

    def applied(self) -> list[Applied]:
        """The migrations applied to this database."""
        self._execute(
            "CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL,"
            " checksum TEXT NOT NULL, applied TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP) STRICT"
        )
        return self.recorded()

    def recorded(self) -> list[Applied]:
        """The applied migrations, read without creating anything; empty if the database is not a ledger."""
        if not self.connection.table_exists(None, "migration"):
            return []
        rows = self.connection.execute("SELECT number, checksum FROM migration ORDER BY number")
        return [Applied(int(str(number)), str(checksum)) for number, checksum in rows]

    def take(self, step: Migration) -> None:
        """Apply one migration and record it."""
        self.connection.execute(step.sql).fetchall()
        self.connection.execute(
            "INSERT INTO migration (number, name, checksum) VALUES (?, ?, ?)",
            (step.number, step.name, step.checksum),
        )

    def close(self) -> None:
        """Close the connection; a writer folds the WAL into the database file first."""
        if self._keeps_rows:
            # Another process may be reading, or the disk fail: the WAL stays and is recovered at the next start.
            with suppress(apsw.Error):
                self.connection.set_busy_timeout(CLOSING_TIMEOUT_MS)
                self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self.connection.close()

    def _execute(self, sql: str) -> None:
        self.connection.execute(sql)


def _json(rows: Any) -> str:  # noqa: ANN401  # whatever msgspec encodes
    return _encode(rows).decode()


def _store_error(error: apsw.Error) -> StoreUnavailable:
    """Translate a database error into ours."""
    if isinstance(error, apsw.FullError):
        return StoreFull("the disk is full")
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        return StoreBusy("the database is locked by another program")
    return StoreFailed(f"the database failed: {error}")
