"""The DuckDB file: opened once per process; each thread has its own connection.

Traps: a process that closes any other descriptor of the database file releases DuckDB's lock on it; and a
failed checkpoint leaves the whole instance unusable until all its connections are closed (``reopen``).
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from threading import Condition
from typing import Any

import duckdb

from tallystick.errors import (
    DatabaseSchemaRefused,
    DatabaseUnreachable,
    StoreBusy,
    StoreFailed,
    StoreFull,
    StoreUnavailable,
)
from tallystick.warehouse.duckdb import visits
from tallystick.warehouse.duckdb.migrations import migrate
from tallystick.warehouse.duckdb.queried import Connection, named_queries
from tallystick.warehouse.duckdb.session import DuckDbSession

WAREHOUSE_FILE = "warehouse.duckdb"
SPILLED_DIRECTORY = "warehouse.temp"
EXPORTS_DIRECTORY = "exports"
"""The only folder outside of the database that DuckDB may write to, beside the file."""

THREADS = 2
NEVER = "1TB"


class Store:
    """One DuckDB instance.

    Args:
        file: the database; its directory must exist.
        memory_mb: memory of DuckDB, in MB.
    """

    def __init__(self, file: Path, memory_mb: int) -> None:
        self.file = file.absolute()
        self._spilled = self.file.with_name(SPILLED_DIRECTORY)
        self._memory_mb = memory_mb
        self._root: Connection | None = None
        self._in_use: set[Connection] = set()
        self._reopening = False
        self._changed = Condition()

    @cached_property
    def queries(self) -> Any:  # noqa: ANN401
        """The named queries, read when first needed."""
        return named_queries()

    def open(self) -> None:
        """Open the database and bring its schema up to date.

        Raises:
            DatabaseUnreachable: it cannot be opened, or another process has it open.
            DatabaseSchemaRefused: it was written by a newer program.
        """
        try:
            self._root = self._connect()
            # What a killed process has spilled; DuckDB removes it only when it spills again.
            shutil.rmtree(self._spilled, ignore_errors=True)
            with self.session() as session:
                migrate(session.connection, partial(transaction, session.connection), what=f"the warehouse {self.file}")
                with transaction(session.connection):
                    visits.fill(session.connection)
        except duckdb.Error as error:
            self.close()
            msg = f"cannot open the warehouse {self.file}: {' '.join(str(error).split())}"
            raise DatabaseUnreachable(msg) from error
        except DatabaseSchemaRefused:
            self.close()
            raise

    def _connect(self) -> Connection:
        root = duckdb.connect(
            str(self.file),
            config={
                "threads": THREADS,
                "memory_limit": f"{self._memory_mb}MB",
                "temp_directory": str(self._spilled),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "allow_community_extensions": False,
                "python_enable_replacements": False,
                # Checkpoints are made by ``Checkpoints`` only.
                "wal_autocheckpoint": NEVER,
                "auto_checkpoint_skip_wal_threshold": 2**62,
            },
        )
        exports = str(self.file.with_name(EXPORTS_DIRECTORY))
        root.execute(f"SET GLOBAL allowed_directories = [{_quoted(exports)}]")
        root.execute("PRAGMA disable_checkpoint_on_shutdown")
        root.execute("SET GLOBAL enable_external_access = false")
        root.execute("SET GLOBAL TimeZone = 'UTC'")
        root.execute("SET GLOBAL lock_configuration = true")
        return root

    @contextmanager
    def session(self) -> Iterator[DuckDbSession]:
        """A connection that is closed when the block ends.

        Raises:
            StoreFailed: the database could not be opened again.
        """
        session = self.borrow()
        try:
            yield session
        finally:
            self.give_back(session)

    def borrow(self) -> DuckDbSession:
        """A connection, to be closed with ``give_back``; waits while the database is opened again.

        Raises:
            StoreFailed: the database could not be opened again.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._reopening)
            if self._root is None:
                msg = "the warehouse is not open"
                raise StoreFailed(msg)
            connection = self._root.cursor()
            self._in_use.add(connection)
        return DuckDbSession(connection, self.queries)

    def give_back(self, session: DuckDbSession) -> None:
        """Close a borrowed connection."""
        with suppress(duckdb.Error):
            session.connection.close()
        with self._changed:
            self._in_use.discard(session.connection)
            self._changed.notify_all()

    def reopen(self) -> None:
        """Close a failed instance and open a new one, once all connections were given back.

        Connections in use are interrupted.

        Raises:
            StoreFailed: it cannot be opened; the next call tries again.
        """
        with self._changed:
            self._reopening = True
            for connection in self._in_use:
                connection.interrupt()
            self._changed.wait_for(lambda: not self._in_use)
        try:
            self.close()
            self._root = self._connect()
        except duckdb.Error as error:
            msg = f"cannot open the warehouse: {error}"
            raise StoreFailed(msg) from error
        finally:
            with self._changed:
                self._reopening = False
                self._changed.notify_all()

    def close(self) -> None:
        """Close the instance; the WAL is not changed."""
        if self._root is not None:
            root, self._root = self._root, None
            with suppress(duckdb.Error):
                root.close()

    @property
    def wal_bytes(self) -> int:
        """Bytes written since the last checkpoint."""
        try:
            return self.file.with_name(f"{self.file.name}.wal").stat().st_size
        except FileNotFoundError:
            return 0


@contextmanager
def transaction(connection: Connection, kind: str = "BEGIN") -> Iterator[None]:
    """A transaction: durable when the block ends, undone when it raises."""
    connection.execute(kind)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # Some errors have undone it already.
        with suppress(duckdb.Error):
            connection.execute("ROLLBACK")
        raise


def store_error(error: duckdb.Error) -> StoreUnavailable:
    """Translate an error of DuckDB into ours."""
    text = str(error)
    if any(sign in text for sign in ("No space left on device", "File too large", "Disk quota exceeded")):
        return StoreFull("the disk is full")
    if isinstance(error, duckdb.OutOfMemoryException):  # its text is about blocks and options: nothing for clients
        return StoreBusy("the warehouse's memory is used up; ask for less, or try again later")
    if isinstance(error, duckdb.InterruptException):
        return StoreBusy(f"the warehouse has too much to do: {text}")
    return StoreFailed(f"the warehouse failed: {text}")


def is_broken(error: BaseException) -> bool:
    """Whether the instance is unusable and has to be opened again."""
    return isinstance(error, (duckdb.FatalException, duckdb.InternalException, duckdb.ConnectionException))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
