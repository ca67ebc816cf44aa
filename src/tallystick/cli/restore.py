"""``tallystick restore``."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from cyclopts import Parameter

from tallystick.cli.support.asking import confirm
from tallystick.cli.support.data_directory import held_data_directory, ledger_file_kept
from tallystick.cli.support.progress import progress
from tallystick.errors import DatabaseUnreachable, InputRefused
from tallystick.ledger import Database, open_database
from tallystick.ledger.copying import BackupFile, Tell
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
from tallystick.settings import StorageSettings
from tallystick.warehouse import WarehouseStorage, warehouse_storage


def restore(
    file: Path,
    /,
    *,
    force: Annotated[bool, Parameter(name=("--force", "--yes", "-y"), negative=())] = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Put a backup in the place of the ledger and of the hits.

    Stop the server first. The backup is checked before anything is touched, and the ledger is the old one or the
    new one at every moment. A backup can be restored into either database, so this is also the way from one to
    the other; hits always lie in the data directory. Where there is data already, you are asked whether it is to
    be replaced.

    Args:
        file: What backup wrote.
        force: Replace what is there without a question.
    """
    backup = checked(file)
    database = open_database(settings.database, settings.data)
    if isinstance(database, SqliteDatabase) and database.path.exists() and file.samefile(database.path):
        msg = f"{file} is the ledger itself"
        raise InputRefused(msg)
    storage = warehouse_storage(settings.data)
    with _alone(database, settings.data):
        if not force:
            _confirm_replacing(database, storage)
        with progress("Restoring") as tell, replaced_warehouse(backup, storage, settings.data):
            counters = _restore_ledger(backup, database, tell)
        with closing(database.session(writes=True)) as session, session.transaction(), acting(COMMAND_LINE):
            note(session, EventKind.RESTORED, milliseconds(), detail=" ".join(f"from {file.name}".split()))
        hits = hits_in(storage)
    also = f", and {hits:,} hits into {settings.data}" if hits else ""
    print(f"{counters:,} counters restored into {database.describe()}{also}", file=sys.stderr)


def _restore_ledger(backup: BackupFile, database: Database, tell: Tell) -> int:
    if isinstance(database, SqliteDatabase):
        return restore_into_sqlite(backup, database, tell)
    with TemporaryDirectory(prefix="tallystick-") as spare:
        return restore_into_postgresql(backup, database, Path(spare) / "ledger.sqlite3", tell)


@contextmanager
def _alone(database: Database, data: Path) -> Iterator[None]:
    """Keep servers and other commands away.

    Raises:
        StartRefused: one is running.
    """
    with held_data_directory(data), ledger_file_kept(data, for_replacing=True):
        if database.name != "sqlite" and (others := others_on(database)):
            msg = f"{database.describe()} has {others} other connections of Tallystick; stop its servers first"
            raise DatabaseUnreachable(msg)
        yield


def _confirm_replacing(database: Database, storage: WarehouseStorage) -> None:
    """Ask before data is replaced.

    Raises:
        InputRefused: the answer was not yes.
    """
    ledger, hits = contents(database), hits_in(storage)
    damaged = [name for name, held in ((database.describe(), ledger), (storage.describe(), hits)) if held is None]
    holds = [
        f"{place} holds {number:,} {kind}"
        for place, number, kind in (
            (database.describe(), ledger.counters if ledger else 0, "counters"),
            (database.describe(), ledger.accounts if ledger else 0, "accounts"),
            (storage.describe(), hits or 0, "hits"),
        )
        if number
    ]
    if found := " and ".join([*(f"{name} is damaged" for name in damaged), *holds]):
        kept = " Damaged files are kept beside the new ones." if damaged else ""
        confirm(
            f"{found}. Replace everything by the backup?{kept}",
            f"{found}; nothing was restored",
            yes=False,
            option="--force",
        )
