"""``tallystick backup``: writes the ledger and the hits to one file."""

import sys
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tallystick.cli.support.opening import bring_up_to_date, open_existing_database
from tallystick.cli.support.progress import progress
from tallystick.errors import InputRefused, StoreUnavailable
from tallystick.services.backup.ledger_copy import back_up
from tallystick.services.backup.warehouse_copy import copied_warehouse, hits_in, put_into_backup, refuse_older_ledger
from tallystick.services.files import whole_file
from tallystick.services.operating.backups import BackupNote
from tallystick.services.stores import backup_notes, marks_of, stored_hits
from tallystick.settings import StorageSettings


def backup(
    file: Path,
    /,
    *,
    force: Annotated[bool, Parameter(negative=())] = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Write a backup; also while a server runs.

    The backup is one SQLite file. It has a consistent snapshot of the whole ledger, from SQLite or PostgreSQL, and the
    hits of the data directory, or of the lake, as they were just before. The file appears when it is checked, complete
    and on disk. The page /admin of the server shows when the last one was made.

    Args:
        file: Where to write it.
        force: Replace the file if it exists.
    """
    with open_existing_database(settings) as database:
        storage = stored_hits(database, settings.lake, settings.data)
        if settings.lake is not None:
            # Refuses one of another version: then the ledger must stay as that version's servers need it.
            hits_in(storage)
        if database.name != "sqlite":
            # A SQLite file is copied as it is; these tables are copied into tables of this version.
            bring_up_to_date(database, settings.data)
        # Readable by its owner only, like the ledger.
        with (
            whole_file(file, replaces=force, mode=0o600) as partial,
            progress("Backing up") as tell,
            # Before the ledger, so that the ledger has everything the copied hits refer to.
            copied_warehouse(storage, partial, marks_of(database)) as hits,
        ):
            back_up(database, partial, tell)
            refuse_older_ledger(storage, partial, hits)
            put_into_backup(hits, partial)
        size = file.stat().st_size
        try:
            notes = backup_notes(database, settings.lake, settings.data)
            notes.write(BackupNote(time.time_ns() // 1_000_000, size, hits is not None))
        except (OSError, InputRefused, StoreUnavailable) as error:
            print(f"tallystick: /admin will not show this backup, its note cannot be written: {error}", file=sys.stderr)
    # A PostgreSQL ledger is the same from every data directory; the hits are not.
    without = (
        f", without hits: {settings.data} has none" if hits is None and settings.database and not settings.lake else ""
    )
    print(f"{file}: {size:,} bytes, checked{without}", file=sys.stderr)
