"""``tallystick restore``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from cyclopts import Parameter

from tallystick.cli.data_directory import held_data_directory, ledger_file_kept, server_runs
from tallystick.cli.progress import progress
from tallystick.errors import DatabaseUnreachable, DataDirectoryUnusable, InputRefused
from tallystick.ledger import Database, open_database
from tallystick.ledger.sqlite import SqliteDatabase
from tallystick.services.copying import (
    checked,
    counters_in,
    others_on,
    restore_into_postgresql,
    restore_into_sqlite,
)
from tallystick.settings import StorageSettings


def restore(
    file: Path,
    /,
    *,
    force: Annotated[bool, Parameter(negative=())] = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Put a backup in the place of the ledger.

    Stop the server first. The backup is checked before anything is touched, and the ledger is the old one or the
    new one at every moment. A backup can be restored into either database, so this is also the way from one to
    the other.

    Args:
        file: What backup wrote.
        force: Replace a ledger that holds counters.
    """
    backup = checked(file)
    database = open_database(settings.database, settings.data)
    if isinstance(database, SqliteDatabase) and database.path.exists() and file.samefile(database.path):
        msg = f"{file} is the ledger itself"
        raise InputRefused(msg)
    with _alone(database, settings.data), progress("Restoring") as tell:
        _refuse_to_replace(database, force=force)
        if isinstance(database, SqliteDatabase):
            counters = restore_into_sqlite(backup, database, tell)
        else:
            with TemporaryDirectory(prefix="tallystick-") as spare:
                counters = restore_into_postgresql(backup, database, Path(spare) / "ledger.sqlite3", tell)
    print(f"{counters:,} counters restored into {database.describe()}", file=sys.stderr)


@contextmanager
def _alone(database: Database, data: Path) -> Iterator[None]:
    """Keep servers and other commands away.

    Raises:
        StartRefused: one is running.
    """
    if database.name == "sqlite":
        with held_data_directory(data), ledger_file_kept(data, for_replacing=True):
            yield
        return
    if server_runs(data):
        msg = f"the data directory {data} is held by a running server; stop it first"
        raise DataDirectoryUnusable(msg)
    if others := others_on(database):
        msg = f"{database.describe()} has {others} other connections of Tallystick; stop its servers first"
        raise DatabaseUnreachable(msg)
    yield


def _refuse_to_replace(database: Database, *, force: bool) -> None:
    counters = counters_in(database)
    if force or counters == 0:
        return
    if counters is None:
        msg = f"{database.describe()} is damaged; --force restores all the same and keeps the damaged file beside it"
    else:
        msg = f"{database.describe()} holds {counters:,} counters; --force replaces them all"
    raise InputRefused(msg)
