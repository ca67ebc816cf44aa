"""The ledger, opened for a command: beside a running server, and never made by a command that only uses it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from tallystick.cli.support.data_directory import ledger_file_kept, server_runs
from tallystick.errors import DatabaseSchemaRefused, DataDirectoryUnusable, InputRefused
from tallystick.ledger import Database, Session, open_database
from tallystick.ledger.migrations import all_migrations
from tallystick.services.accounts.audit import COMMAND_LINE, acting
from tallystick.services.files import UNFINISHED_RESTORE
from tallystick.settings import StorageSettings


@contextmanager
def found_database(settings: StorageSettings) -> Iterator[Database]:
    """The database that the settings name, with its schema as it is.

    Raises:
        InputRefused: there is no ledger.
        StartRefused: it cannot be used.
    """
    refuse_unfinished_restore(settings.data)
    database = open_database(settings.database, settings.data)
    on_file = database.name == "sqlite"
    with ledger_file_kept(settings.data) if on_file and settings.data.is_dir() else nullcontext():
        if database.schema() is None:
            raise no_data(settings.data) if on_file else _no_ledger(database)
        yield database


def no_data(data: Path) -> InputRefused:
    """The refusal where a command finds nothing: a folder too far, most often."""
    return InputRefused(
        f"No Tallystick data in {data}. Point --data at the server's data directory."
        " To make a new one: tallystick serve, or tallystick init"
    )


def _no_ledger(database: Database) -> InputRefused:
    return InputRefused(
        f"No Tallystick data in {database.describe()}. Point --database at the server's database."
        " To make a new one: tallystick serve, or tallystick init"
    )


@contextmanager
def opened_ledger(settings: StorageSettings) -> Iterator[tuple[Database, Session]]:
    """The database with its schema brought up to date, and a session.

    Raises:
        InputRefused: there is no ledger.
        StartRefused: it cannot be used.
    """
    with found_database(settings) as database:
        bring_up_to_date(database, settings.data)
        with closing(database.session()) as session, acting(COMMAND_LINE):
            yield database, session


def bring_up_to_date(database: Database, data: Path) -> None:
    """Take the outstanding migrations, but not under a running server that does not know them.

    Where none is outstanding nothing is written, so reading needs neither a lock nor the right to make tables.

    Raises:
        StartRefused: the database is served by an older program, or was written by a newer one.
    """
    schema, known = database.schema(), len(all_migrations(database.name))
    if schema == known:
        return
    if schema is not None and schema < known and server_runs(data):
        msg = f"{database.describe()} is served by an older Tallystick; stop that server and start this version's"
        raise DatabaseSchemaRefused(msg)
    database.migrate()


def refuse_unfinished_restore(data: Path) -> None:
    """Keep away from a ledger whose hits have not been restored yet.

    Raises:
        DataDirectoryUnusable: a restore was interrupted.
    """
    if (data / UNFINISHED_RESTORE).exists():
        msg = f"a restore into {data} was interrupted between the ledger and the hits; run it again with --force"
        raise DataDirectoryUnusable(msg)
