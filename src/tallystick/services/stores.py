"""Opens the two stores and compares them: see ``warehouse/DESIGN.md``."""

from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Literal

from tallystick.errors import InvalidSetting
from tallystick.ledger import Database, Ledger, Session
from tallystick.ledger.database import opened
from tallystick.ledger.migrations import all_migrations
from tallystick.ledger.postgresql import PostgresqlDatabase
from tallystick.services.file_places import BucketPlace, FilePlace, FolderPlace
from tallystick.services.operating.backups import BackupNoteFile, BackupNotes, SharedBackupNote
from tallystick.services.sharing.changes import CHANGES
from tallystick.warehouse import (
    Warehouse,
    WarehouseStorage,
    lake_bucket,
    lake_standing,
    lake_storage,
    open_lake,
    open_warehouse,
    warehouse_storage,
)
from tallystick.warehouse.types import LedgerMarks, NewestIds

IDS_PASSED_OVER = 1_000
"""Ids of each kind that are skipped after the ledger has lost some: it may have given more than the hits show."""

OBJECT_STORAGE = "s3://"

HIT_IDS = {"site": "site", "path": "path", "campaign": "campaign"}
"""The sequences of the ids that hits refer to, by field of ``NewestIds``."""


async def opened_warehouse(
    ledger: Ledger,
    data: Path,
    durability: Literal["full", "relaxed"] = "full",
    memory_mb: int = 512,
    *,
    accept_loss: bool = False,
) -> Warehouse:
    """Open the warehouse of a ledger, if the two agree.

    Args:
        data: the data directory.
        accept_loss: start although something is missing, with ids above all that any store has noted.

    Raises:
        StartRefused: a file cannot be used, or something is missing.
    """
    marks = await ledger.read(ledger_marks)
    warehouse = await open_warehouse(
        data,
        durability,
        memory_mb,
        ledger.seconds,
        ledger=marks,
        commits=lambda: ledger.commits,
        accept_loss=accept_loss,
    )
    try:
        if any(loss.of_ledger for loss in warehouse.losses):
            await ledger.write(skip_lost_numbers, warehouse.marks.commits, warehouse.marks.newest)
            ledger.has_come_to(warehouse.marks.commits)
        await note(ledger, warehouse, marks.warehouses)
    except BaseException:
        await warehouse.close()
        raise
    return warehouse


async def opened_lake(
    database: PostgresqlDatabase, lake: str, data: Path, memory_mb: int, clock: Callable[[], int]
) -> Warehouse:
    """Open the warehouse that all servers on a database share.

    Args:
        lake: a directory that all servers have, or ``s3://BUCKET/PREFIX``.
        data: the data directory of this server, for what it needs while it runs.
        clock: Unix seconds.

    Raises:
        StartRefused: it cannot be opened.
    """
    files, exports = _files_of(lake), file_place(lake, data, "exports").work
    connect = partial(opened, database)
    return await open_lake(
        connect, database.url, files, work=data / "lake", exports=exports, memory_mb=memory_mb, clock=clock
    )


def stored_hits(database: Database, lake: str | None, data: Path) -> WarehouseStorage:
    """The stored hits of servers on a database, for commands.

    Raises:
        InvalidSetting: the servers share their hits and no lake is named, or one is named without PostgreSQL.
        StoreUnavailable: the database does not answer.
    """
    if lake is None:
        refuse_beside_lake(database)
        return warehouse_storage(data)
    if not isinstance(database, PostgresqlDatabase):
        msg = "--lake needs a PostgreSQL database: add --database postgresql://..."
        raise InvalidSetting(msg)
    return lake_storage(partial(opened, database), database.url, _files_of(lake))


def _files_of(lake: str) -> str:
    """Where the hits of a lake are."""
    return lake if lake.startswith(OBJECT_STORAGE) else str(Path(lake) / "hits")


def refuse_beside_lake(database: Database) -> None:
    """Refuse a server of its own hits on a database whose servers share theirs.

    Raises:
        InvalidSetting
        StoreUnavailable: the database does not answer.
    """
    if isinstance(database, PostgresqlDatabase) and lake_standing(partial(opened, database)) is not None:
        msg = f"the servers on {database.describe()} share their hits: add the --lake that they have"
        raise InvalidSetting(msg)


def file_place(lake: str | None, data: Path, kind: str) -> FilePlace:
    """Where all servers with the same hits find files of one kind.

    Args:
        kind: ``uploads``, ``exports`` or ``counters``.

    Raises:
        StartRefused: object storage cannot be used.
    """
    if lake is None:
        return FolderPlace(data / kind)
    if lake.startswith(OBJECT_STORAGE):
        return BucketPlace(data / kind, lake_bucket(lake, kind))
    return FolderPlace(Path(lake) / kind)


def backup_notes(database: Database, lake: str | None, data: Path) -> BackupNotes:
    """The note of the last backup: that of all servers with the same hits."""
    return BackupNoteFile(data) if lake is None else SharedBackupNote(database)


async def note(
    ledger: Ledger, warehouse: Warehouse, noted: Mapping[str, tuple[int, int]]
) -> Mapping[str, tuple[int, int]]:
    """Note the newest hit in the ledger, unless it is noted already. Returns what is noted.

    Raises:
        StoreUnavailable
    """
    marks = warehouse.marks
    now = {marks.warehouse: (marks.last_id, marks.changes)}
    if now[marks.warehouse] != noted.get(marks.warehouse, (0, 0)):
        await ledger.write(note_warehouse, marks.warehouse, marks.last_id, marks.changes)
    return now


def ledger_marks(session: Session) -> LedgerMarks:
    """Read the ledger's marks."""
    numbers = {str(name): int(last) for name, last in session.common.numbers(session.connection)}
    marks = session.common.warehouse_marks(session.connection)
    return LedgerMarks(
        commits=session.commits(),
        newest=NewestIds(**{field: numbers.get(sequence, 0) for field, sequence in HIT_IDS.items()}),
        warehouses={str(name): (int(last_id), int(changes)) for name, last_id, changes in marks},
        shared=session.shared,
    )


def marks_of(database: Database) -> LedgerMarks | None:
    """The marks as read by ``ledger_marks``; None without a ledger, or for one of a version without marks.

    Raises:
        StartRefused, StoreUnavailable
    """
    if database.schema() != len(all_migrations(database.name)):
        return None
    with closing(database.session()) as session, session.snapshot():
        return ledger_marks(session)


def note_warehouse(session: Session, name: str, last_id: int, changes: int) -> None:
    """Note the newest hit and the number of changes of a warehouse."""
    session.common.note_warehouse(session.connection, warehouse=name, last_id=last_id, changes=changes)
    if not session.shared:
        session.common.forget_other_warehouses(session.connection, warehouse=name)


def skip_lost_numbers(session: Session, commits: int, newest: NewestIds) -> None:
    """Skip numbers after the ledger has lost commits, so that none is given twice.

    Args:
        commits: the least number of commits that were made.
        newest: the newest ids that hits refer to.
    """
    numbers = {str(name): int(last) for name, last in session.common.numbers(session.connection)}
    for field, sequence in HIT_IDS.items():
        numbers[sequence] = max(numbers.get(sequence, 0), getattr(newest, field))
    for name, last in numbers.items():
        # Numbers of changes have no gaps: their numbering gets another name instead.
        if name != CHANGES:
            session.common.set_number(session.connection, name=name, last=last + IDS_PASSED_OVER)
    session.common.forget_epoch(session.connection)
    behind = max(0, commits - session.commits())
    session.common.raise_commits(session.connection, lane=0, commits=behind)
