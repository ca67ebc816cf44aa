"""``tallystick restore``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from cyclopts import Parameter

from tallystick.cli.data_directory import held_data_directory, ledger_file_kept
from tallystick.cli.progress import progress
from tallystick.errors import DatabaseUnreachable, InputRefused
from tallystick.ledger import Database, open_database
from tallystick.ledger.copying import BackupFile, Tell
from tallystick.ledger.sqlite import SqliteDatabase
from tallystick.services.copying import (
    checked,
    counters_in,
    others_on,
    restore_into_postgresql,
    restore_into_sqlite,
)
from tallystick.services.warehouse_copying import hits_in, replaced_warehouse
from tallystick.settings import StorageSettings
from tallystick.warehouse import WAREHOUSE_FILE


def restore(
    file: Path,
    /,
    *,
    force: Annotated[bool, Parameter(negative=())] = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Put a backup in the place of the ledger and of the hits.

    Stop the server first. The backup is checked before anything is touched, and the ledger is the old one or the
    new one at every moment. A backup can be restored into either database, so this is also the way from one to
    the other; hits always lie in the data directory.

    Args:
        file: What backup wrote.
        force: Replace a ledger that holds counters, and hits.
    """
    backup = checked(file)
    database = open_database(settings.database, settings.data)
    if isinstance(database, SqliteDatabase) and database.path.exists() and file.samefile(database.path):
        msg = f"{file} is the ledger itself"
        raise InputRefused(msg)
    with _alone(database, settings.data), progress("Restoring") as tell:
        warehouse = settings.data / WAREHOUSE_FILE
        _refuse_to_replace(database, warehouse, force=force)
        with replaced_warehouse(backup, warehouse):
            counters = _restore_ledger(backup, database, tell)
        hits = hits_in(warehouse)
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


def _refuse_to_replace(database: Database, warehouse: Path, *, force: bool) -> None:
    if not force:
        _refuse_if_used(database.describe(), counters_in(database), "counters")
        _refuse_if_used(str(warehouse), hits_in(warehouse), "hits")


def _refuse_if_used(place: str, number: int | None, kind: str) -> None:
    if number is None:
        msg = f"{place} is damaged; --force restores all the same and keeps the damaged file beside it"
        raise InputRefused(msg)
    if number:
        msg = f"{place} holds {number:,} {kind}; --force replaces them all"
        raise InputRefused(msg)
