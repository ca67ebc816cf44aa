"""A copy of the warehouse, taken by another process while the server writes.

Between two checkpoints the database file does not change where it is in use, and the WAL only grows. So with
checkpoints kept away, the WAL as it is now and then the file are what a crash at that moment would leave; and what
a crash leaves, DuckDB opens. The copy is opened, which plays the WAL back, and every value of it is read.

What the journal holds is read first and brought into the copy, unless it has arrived there by itself.
"""

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from tallystick.errors import DatabaseUnreachable, StoreFailed
from tallystick.warehouse import rows
from tallystick.warehouse.checkpoints import unchanging
from tallystick.warehouse.journal import Batch, journal_of
from tallystick.warehouse.rebuilding import highest_id
from tallystick.warehouse.store import Store, WarehouseSession, transaction

MEMORY_MB = 512
WAL_SUFFIX = ".wal"


def copy_files(source: Path, target: Path) -> None:
    """Copy a warehouse that may be in use; ``target`` is one file when this returns, and checked.

    Raises:
        StoreFailed: the copy is damaged, and so the warehouse is.
    """
    wal, wal_copy = (file.with_name(file.name + WAL_SUFFIX) for file in (source, target))
    acknowledged = journal_of(source)
    with unchanging(source, fcntl.LOCK_SH):
        # The WAL first: it may name blocks of the file that were written just before it.
        if wal.exists():
            shutil.copyfile(wal, wal_copy)
        shutil.copyfile(source, target)
    with _opened(target) as session:
        bring_in(session, acknowledged)
    checked(target)


def bring_in(session: WarehouseSession, batches: Sequence[Batch]) -> None:
    """Add batches of a journal that have not arrived by themselves."""
    there = highest_id(session)
    if missing := [batch for batch in batches if batch.last_id > there]:
        rows.prepare(session.connection)
        with transaction(session.connection):
            rows.insert(session.connection, [rows.recovered(batch.content) for batch in missing])
            session.queries.set_last_id(session.connection, last_id=missing[-1].last_id)


def checked(file: Path) -> int:
    """How many hits a warehouse holds that nobody has open; every value of it was read, and the WAL is folded in.

    Raises:
        StoreFailed: it is damaged, or no warehouse.
        DatabaseSchemaRefused: it was written by a newer program.
    """
    with _opened(file) as session:
        hits, _ = session.queries.read_everything(session.connection)
        session.connection.execute("CHECKPOINT")
    return int(hits)


def size_of(file: Path) -> int:
    """How many hits a warehouse holds in columns that nobody has open.

    Raises:
        StoreFailed: it is damaged, or no warehouse.
        DatabaseSchemaRefused: it was written by a newer program.
    """
    with _opened(file) as session:
        return int(session.queries.size(session.connection))


def seen(file: Path) -> int:
    """How many hits a warehouse holds in columns that nobody has open; looks only, and changes no byte.

    Raises:
        StoreFailed: it is damaged, or no warehouse.
    """
    try:
        with closing(duckdb.connect(str(file), read_only=True)) as connection:
            [(hits,)] = connection.execute("SELECT count(*) FROM hit").fetchall()
    except duckdb.Error as error:
        msg = f"{file} is no warehouse, or damaged: {error}"
        raise StoreFailed(msg) from error
    return int(hits)


@contextmanager
def _opened(file: Path) -> Iterator[WarehouseSession]:
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
