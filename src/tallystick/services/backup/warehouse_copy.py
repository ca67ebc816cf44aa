"""The warehouse in a backup: one file inside the other, in parts, so that a backup stays one file.

A backup is a SQLite file that holds the ledger; the table ``backup_warehouse`` in it holds the DuckDB file.
"""

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tallystick.errors import StoreFailed, StoresDisagree
from tallystick.ledger.copying import WAREHOUSE_TABLE, BackupFile
from tallystick.ledger.sqlite import SqliteDatabase
from tallystick.services.files import UNFINISHED_RESTORE, sync
from tallystick.services.stores import marks_of
from tallystick.warehouse.duckdb.copying import WAL_SUFFIX, checked, copy_files, refuse_missing, size_of
from tallystick.warehouse.duckdb.journal import JOURNAL_FILE
from tallystick.warehouse.duckdb.marks import JournalMarks, LedgerMarks, losses, way_out
from tallystick.warehouse.duckdb.opening import marks_in

PART_BYTES = 1 << 20


@contextmanager
def copied_warehouse(source: Path, backup: Path, ledger: LedgerMarks | None) -> Iterator[Path | None]:
    """A checked copy of a warehouse, beside the backup that it will be put into; None when there is no warehouse.

    Args:
        ledger: its marks; None where there are none to compare with.

    Raises:
        StoreFailed: the warehouse is damaged.
        StoresDisagree: the journal or the ledger knows of more than it holds.
    """
    if not source.exists():
        refuse_missing(source, ledger)
        yield None
        return
    with TemporaryDirectory(prefix=f".{backup.name}-", dir=backup.absolute().parent) as directory:
        copy = Path(directory) / source.name
        copy_files(source, copy, ledger)
        yield copy


def refuse_older_ledger(backup: Path, copy: Path | None, data: Path) -> None:
    """Compare a ledger's copy with the hits that were copied before it, out of the data directory.

    Raises:
        StoresDisagree: the ledger has lost what they prove.
    """
    ledger = marks_of(BackupFile(backup))
    found = losses(JournalMarks(), marks_in(copy), ledger) if copy and ledger else []
    if lost := [loss for loss in found if not loss.of_old]:
        raise StoresDisagree(way_out(lost, data))


def put_into_backup(copy: Path | None, backup: Path) -> None:
    """Put a copy of a warehouse into a backup of the ledger; nothing when there is none."""
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
def replaced_warehouse(backup: BackupFile, target: Path) -> Iterator[None]:
    """Put a backup's warehouse in the place of one that nobody has open, after the block has replaced the ledger.

    Hits mean nothing without the ledger they came with: a backup without hits removes those that are there.
    Killed in between, this leaves the file ``UNFINISHED_RESTORE``, with which no server starts.

    Raises:
        StoreFailed: the warehouse in the backup is damaged.
        DatabaseSchemaRefused: it was written by a newer program.
    """
    holds = _holds_warehouse(backup)
    if not holds and not target.exists():
        yield
        return
    unfinished = target.with_name(UNFINISHED_RESTORE)
    with TemporaryDirectory(prefix=".restore-", dir=target.parent) as directory:
        new = Path(directory) / target.name
        if holds:
            _take_out(backup, new)
            _give_to_owner_of(target.parent, new)
            sync(new)
        unfinished.touch(mode=0o600)
        sync(target.parent)
        try:
            yield
        except BaseException:
            # The old ledger is still there, and so is the old warehouse.
            unfinished.unlink()
            raise
        _set_aside(target)
        if holds:
            new.replace(target)
        sync(target.parent)
        unfinished.unlink()


def hits_in(file: Path) -> int | None:
    """How many hits a warehouse holds that nobody has open: 0 when there is none, None when it is damaged."""
    if not file.exists():
        return 0
    try:
        return size_of(file)
    except StoreFailed:
        return None


def _holds_warehouse(backup: BackupFile) -> bool:
    with closing(backup.session()) as session:
        return bool(session.connection.table_exists(None, WAREHOUSE_TABLE))


def _take_out(backup: BackupFile, file: Path) -> None:
    with closing(backup.session()) as session, file.open("wb") as target:
        for (part,) in session.connection.execute(f"SELECT bytes FROM {WAREHOUSE_TABLE} ORDER BY part"):  # noqa: S608
            assert isinstance(part, bytes)
            target.write(part)
    checked(file)


def _set_aside(old: Path) -> None:
    """Remove a warehouse, or keep a damaged one under another name.

    What would be played back goes first: the journal and the WAL.
    """
    suffix = f".damaged-{time.strftime('%Y%m%dT%H%M%S')}" if hits_in(old) is None else None
    beside = (JOURNAL_FILE, f"{JOURNAL_FILE}-wal", f"{JOURNAL_FILE}-shm", f"{old.name}{WAL_SUFFIX}")
    for file in (*map(old.with_name, beside), old):
        if suffix and file.exists():
            file.rename(file.with_name(file.name + suffix))
        file.unlink(missing_ok=True)


def _give_to_owner_of(directory: Path, file: Path) -> None:
    """A restore by root must not take the hits away from the account that serves them."""
    if os.geteuid() == 0:
        owner = directory.stat()
        os.chown(file, owner.st_uid, owner.st_gid)
