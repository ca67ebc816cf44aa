"""The DuckDB file: opened once per process; each thread has its own connection.

Traps: a process that closes any other descriptor of the database file releases DuckDB's lock on it; and a
failed checkpoint leaves the whole instance unusable until all its connections are closed (``reopen``).
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

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
from tallystick.warehouse.duckdb.instance import THREADS, Instance
from tallystick.warehouse.duckdb.migrations import migrate
from tallystick.warehouse.duckdb.queried import Connection

WAREHOUSE_FILE = "warehouse.duckdb"
SPILLED_DIRECTORY = "warehouse.temp"
EXPORTS_DIRECTORY = "exports"
"""The only folder outside of the database that DuckDB may write to, beside the file."""

NEVER = "1TB"


class Store(Instance):
    """One DuckDB file.

    Args:
        file: the database; its directory must exist.
        memory_mb: memory of DuckDB, in MB.
    """

    def __init__(self, file: Path, memory_mb: int) -> None:
        super().__init__()
        self.file = file.absolute()
        self._spilled = self.file.with_name(SPILLED_DIRECTORY)
        self._memory_mb = memory_mb

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
            if newer := newer_format(error):
                msg = f"the warehouse {self.file} {newer}"
                raise DatabaseSchemaRefused(msg) from error
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
        root.execute(f"SET GLOBAL allowed_directories = [{quoted(exports)}]")
        root.execute("PRAGMA disable_checkpoint_on_shutdown")
        lock_configuration(root)
        return root

    @property
    def wal_bytes(self) -> int:
        """Bytes written since the last checkpoint."""
        try:
            return self.file.with_name(f"{self.file.name}.wal").stat().st_size
        except FileNotFoundError:
            return 0


def lock_configuration(root: Connection) -> None:
    """Set what is left of the configuration, and let nothing change it from now on."""
    root.execute("SET GLOBAL enable_external_access = false")
    root.execute("SET GLOBAL TimeZone = 'UTC'")
    # DuckDB 1.5 and DuckLake change it themselves while they execute several statements.
    root.execute("SET GLOBAL allowed_configs = ['current_transaction_invalidation_policy']")
    root.execute("SET GLOBAL lock_configuration = true")


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


def newer_format(error: duckdb.Error) -> str:
    """What to say of a file that a newer version of DuckDB has written; empty if an error is about something else."""
    versions = r"file with version number (\d+), but we can only read versions between \d+ and (\d+)"
    formats = re.search(versions, str(error))
    if formats is None or int(formats[1]) <= int(formats[2]):
        return ""
    has = f"has format {formats[1]} of DuckDB, this program knows formats up to {formats[2]}"
    return f"{has}: {DatabaseSchemaRefused.OF_NEWER}"


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


def quoted(text: str) -> str:
    """A text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
