"""The warehouse in a backup: one file inside the other, in parts, so that a backup stays one file.

A backup is a SQLite file that holds the ledger; the table ``backup_warehouse`` in it holds a copy of the hits.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tallystick.errors import StoreFailed
from tallystick.ledger.copying import WAREHOUSE_TABLE, BackupFile
from tallystick.ledger.sqlite import SqliteDatabase
from tallystick.services.files import UNFINISHED_RESTORE, sync
from tallystick.services.stores import marks_of
from tallystick.warehouse import WarehouseStorage
from tallystick.warehouse.types import LedgerMarks

PART_BYTES = 1 << 20
COPY = "hits"


@contextmanager
def copied_warehouse(storage: WarehouseStorage, backup: Path, ledger: LedgerMarks | None) -> Iterator[Path | None]:
    """A checked copy of the hits, beside the backup that it will be put into; None when there is no warehouse.

    Args:
        ledger: its marks; None where there are none to compare with.

    Raises:
        StoreFailed: the hits are damaged.
        StoresDisagree: there are fewer than the ledger, or another part of the warehouse, knows of.
    """
    if not storage.exists():
        storage.refuse_missing(ledger)
        yield None
        return
    with TemporaryDirectory(prefix=f".{backup.name}-", dir=backup.absolute().parent) as directory:
        copy = Path(directory) / COPY
        storage.copy_to(copy, ledger)
        yield copy


def refuse_older_ledger(storage: WarehouseStorage, backup: Path, copy: Path | None) -> None:
    """Compare a ledger's copy with the hits that were copied before it.

    Raises:
        StoresDisagree: the ledger has lost what they prove.
    """
    ledger = marks_of(BackupFile(backup))
    if copy and ledger:
        storage.refuse_older_ledger(copy, ledger)


def put_into_backup(copy: Path | None, backup: Path) -> None:
    """Store a copy of the hits in a backup of the ledger; without a copy do nothing."""
    if copy is None:
        return
    with closing(SqliteDatabase(backup, "relaxed").session()) as session:
        session.connection.pragma("journal_mode", "delete")
        with session.transaction(), copy.open("rb") as file:
            parts = enumerate(iter(lambda: file.read(PART_BYTES), b""))
            columns = "(part INTEGER PRIMARY KEY, bytes BLOB NOT NULL)"
            session.connection.execute(f"CREATE TABLE {WAREHOUSE_TABLE} {columns} STRICT")
            session.connection.executemany(f"INSERT INTO {WAREHOUSE_TABLE} VALUES (?, ?)", parts)  # noqa: S608  # ours


@contextmanager
def replaced_warehouse(backup: BackupFile, storage: WarehouseStorage, data: Path) -> Iterator[None]:
    """Put a backup's hits in the place of those that no process has open, after the block has replaced the ledger.

    Hits mean nothing without the ledger they came with: a backup without hits removes those that are there.
    Killed in between, this leaves the file ``UNFINISHED_RESTORE``, with which no server starts.

    Args:
        data: the data directory.

    Raises:
        StoreFailed: the hits in the backup are damaged.
        DatabaseSchemaRefused: they were written by a newer program.
    """
    has_hits = _has_hits(backup)
    if not has_hits and not storage.exists():
        yield
        return
    unfinished = data / UNFINISHED_RESTORE
    with TemporaryDirectory(prefix=".restore-", dir=data) as directory:
        copy = Path(directory) / COPY
        if has_hits:
            _take_out(backup, copy)
            storage.check_copy(copy)
            _give_to_owner_of(data, copy)
            sync(copy)
        unfinished.touch(mode=0o600)
        sync(data)
        try:
            yield
        except BaseException:
            # The old ledger is still there, and so are the old hits.
            unfinished.unlink()
            raise
        storage.replace(copy if has_hits else None)
        sync(data)
        unfinished.unlink()


def hits_in(storage: WarehouseStorage) -> int | None:
    """How many hits there are, while no server has them open: 0 without a warehouse, None when it is damaged."""
    if not storage.exists():
        return 0
    try:
        return storage.count()
    except StoreFailed:
        return None


def _has_hits(backup: BackupFile) -> bool:
    with closing(backup.session()) as session:
        return bool(session.connection.table_exists(None, WAREHOUSE_TABLE))


def _take_out(backup: BackupFile, file: Path) -> None:
    with closing(backup.session()) as session, file.open("wb") as target:
        for (part,) in session.connection.execute(f"SELECT bytes FROM {WAREHOUSE_TABLE} ORDER BY part"):  # noqa: S608
            assert isinstance(part, bytes)
            target.write(part)


def _give_to_owner_of(directory: Path, file: Path) -> None:
    """A restore by root must not take the hits away from the account that serves them."""
    if os.geteuid() == 0:
        owner = directory.stat()
        os.chown(file, owner.st_uid, owner.st_gid)
