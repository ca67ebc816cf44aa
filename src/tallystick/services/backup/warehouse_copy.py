"""The warehouse in a backup.

A backup is one SQLite file with the ledger; its table ``backup_warehouse`` holds a copy of the hits, in parts.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tallystick.errors import DatabaseSchemaRefused, InputRefused, StoreFailed
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
    """A checked copy of the hits, beside the backup; None if there is no warehouse.

    Args:
        ledger: its marks; None for no comparison.

    Raises:
        StoreFailed: the hits are damaged.
        StoresDisagree: the ledger or another part of the warehouse has noted more hits.
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
        StoresDisagree: the ledger lacks data that the hits have noted.
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
    """Replace the hits, which no process may have open, by a backup's, after the block has replaced the ledger.

    Hits are meaningless without their own ledger: a backup without hits removes the present ones. If it is killed in
    between, a mark remains with which no server starts: the file ``UNFINISHED_RESTORE``, or a row where many servers
    share their hits.

    Args:
        data: the data directory.

    Raises:
        StoreFailed: the hits in the backup are damaged.
        InputRefused: they were written by a newer program.
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
            try:
                storage.check_copy(copy)
            except DatabaseSchemaRefused as error:
                said = str(error).replace(f"the warehouse {copy}", "its copy of the hits")
                msg = f"{backup.path} cannot be restored: {said}"
                raise InputRefused(msg) from error
            _give_to_owner_of(data, copy)
            sync(copy)
        marked = storage.note_restore(unfinished=True)
        if marked is None:
            marked = unfinished.exists()
            unfinished.touch(mode=0o600)
            sync(data)
        try:
            yield
        except BaseException:
            # The old ledger is still there, and so are the old hits; unless another restore was killed between them.
            if not marked:
                _unmark(storage, unfinished)
            raise
        storage.replace(copy if has_hits else None)
        sync(data)
        _unmark(storage, unfinished)


def _unmark(storage: WarehouseStorage, unfinished: Path) -> None:
    if storage.note_restore(unfinished=False) is None:
        unfinished.unlink()


def hits_in(storage: WarehouseStorage) -> int | None:
    """The number of hits, which no server may have open: 0 without a warehouse, None if it is damaged."""
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
    """A restore by root must not lock out the account of the server."""
    if os.geteuid() == 0:
        owner = directory.stat()
        os.chown(file, owner.st_uid, owner.st_gid)
