"""``tallystick backup``."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tallystick.cli.support.opening import bring_up_to_date, found_database
from tallystick.cli.support.progress import progress
from tallystick.services.backup.ledger_copy import back_up
from tallystick.services.backup.warehouse_copy import copied_warehouse, put_into_backup, refuse_older_ledger
from tallystick.services.files import whole_file
from tallystick.services.stores import marks_of
from tallystick.settings import StorageSettings
from tallystick.warehouse import warehouse_storage


def backup(
    file: Path,
    /,
    *,
    force: Annotated[bool, Parameter(negative=())] = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Write a backup while the server serves.

    The backup is one SQLite file. It holds the whole ledger as it was at one instant, whichever database it is kept
    in, and the hits of the data directory as they were just before. It is checked, and takes its name when it is
    whole and on disk.

    Args:
        file: Where to write it.
        force: Replace the file if it exists.
    """
    storage = warehouse_storage(settings.data)
    with found_database(settings) as database:
        if database.name != "sqlite":
            # A file is copied as it is, but these tables are copied into tables of this version.
            bring_up_to_date(database, settings.data)
        # Only for its owner: it holds everything the ledger does.
        with (
            whole_file(file, replaces=force, mode=0o600) as partial,
            progress("Backing up") as tell,
            # Before the ledger: whatever a hit refers to is in the ledger by now.
            copied_warehouse(storage, partial, marks_of(database)) as hits,
        ):
            back_up(database, partial, tell)
            refuse_older_ledger(storage, partial, hits)
            put_into_backup(hits, partial)
    # A ledger in PostgreSQL is the same from every directory; the hits are not.
    without = f", without hits: {settings.data} holds none" if hits is None and settings.database else ""
    print(f"{file}: {file.stat().st_size:,} bytes, checked{without}", file=sys.stderr)
