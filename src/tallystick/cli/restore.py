"""``tallystick restore``: replaces the ledger and the hits by a backup."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from cyclopts import Parameter

from tallystick.cli.support.data_directory import held_data_directory, ledger_file_kept
from tallystick.cli.support.progress import progress
from tallystick.cli.support.prompts import confirm
from tallystick.errors import DatabaseUnreachable, InputRefused
from tallystick.ledger import Database, open_database
from tallystick.ledger.copying import BackupFile, ReportProgress
from tallystick.ledger.ledger import milliseconds
from tallystick.ledger.sqlite import SqliteDatabase
from tallystick.services.accounts.audit import COMMAND_LINE, EventKind, acting, note
from tallystick.services.backup.ledger_copy import (
    checked,
    contents,
    others_on,
    restore_into_postgresql,
    restore_into_sqlite,
)
from tallystick.services.backup.warehouse_copy import hits_in, replaced_warehouse
from tallystick.services.stores import stored_hits
from tallystick.settings import StorageSettings
from tallystick.warehouse import WarehouseStorage


def restore(
    file: Path,
    /,
    *,
    force: Annotated[bool, Parameter(name=("--force", "--yes", "-y"), negative=())] = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Replace the ledger and the hits by a backup.

    Stop the server first. The backup is checked before anything is changed, and the ledger is replaced atomically. A
    backup can be restored into SQLite and PostgreSQL, and its hits into a data directory or a lake, so this is also the
    way to move from one to the other. If there is data already, the command asks before it replaces it.

    Args:
        file: The file that backup wrote.
        force: Replace existing data without asking.
    """
    backup = checked(file)
    database = open_database(settings.database, settings.data)
    if isinstance(database, SqliteDatabase) and database.path.exists() and file.samefile(database.path):
        msg = f"{file} is the ledger itself"
        raise InputRefused(msg)
    storage = stored_hits(database, settings.lake, settings.data)
    with _alone(database, settings.data):
        if not force:
            _confirm_replacing(database, storage)
        with progress("Restoring") as report, replaced_warehouse(backup, storage, settings.data):
            counters = _restore_ledger(backup, database, report)
        with closing(database.session(writes=True)) as session, session.transaction(), acting(COMMAND_LINE):
            note(session, EventKind.RESTORED, milliseconds(), detail=" ".join(f"from {file.name}".split()))
        hits = hits_in(storage)
    also = f", and {hits:,} hits into {storage.describe() if settings.lake else settings.data}" if hits else ""
    print(f"{counters:,} counters restored into {database.describe()}{also}", file=sys.stderr)


def _restore_ledger(backup: BackupFile, database: Database, report: ReportProgress) -> int:
    if isinstance(database, SqliteDatabase):
        return restore_into_sqlite(backup, database, report)
    with TemporaryDirectory(prefix="tallystick-") as spare:
        return restore_into_postgresql(backup, database, Path(spare) / "ledger.sqlite3", report)


@contextmanager
def _alone(database: Database, data: Path) -> Iterator[None]:
    """Lock the data against servers and other commands.

    Raises:
        StartRefused: a server or another command is running.
    """
    with held_data_directory(data), ledger_file_kept(data, for_replacing=True):
        if database.name != "sqlite" and (others := others_on(database)):
            msg = f"{database.describe()} has {others} other connections of Tallystick; stop its servers first"
            raise DatabaseUnreachable(msg)
        yield


def _confirm_replacing(database: Database, storage: WarehouseStorage) -> None:
    """Ask before existing data is replaced.

    Raises:
        InputRefused: not confirmed.
    """
    ledger, hits = contents(database), hits_in(storage)
    damaged = [name for name, held in ((database.describe(), ledger), (storage.describe(), hits)) if held is None]
    stored = [
        f"{place} has {number:,} {kind}"
        for place, number, kind in (
            (database.describe(), ledger.counters if ledger else 0, "counters"),
            (database.describe(), ledger.accounts if ledger else 0, "accounts"),
            (storage.describe(), hits or 0, "hits"),
        )
        if number
    ]
    if existing := " and ".join([*(f"{name} is damaged" for name in damaged), *stored]):
        kept = " Damaged files are kept beside the new ones." if damaged else ""
        confirm(
            f"{existing}. Replace everything by the backup?{kept}",
            f"{existing}; nothing was restored",
            yes=False,
            option="--force",
        )
