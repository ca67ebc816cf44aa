"""Opens the ledger for commands, also beside a running server. Never creates one."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path

from tallystick.cli.support.data_directory import ledger_file_kept, server_runs
from tallystick.errors import DatabaseSchemaRefused, DataDirectoryUnusable, InputRefused
from tallystick.ledger import Database, Session, open_database
from tallystick.ledger.database import opened
from tallystick.ledger.migrations import all_migrations
from tallystick.ledger.postgresql import PostgresqlDatabase
from tallystick.services.accounts.audit import COMMAND_LINE, acting
from tallystick.services.files import UNFINISHED_RESTORE
from tallystick.settings import StorageSettings
from tallystick.warehouse import refuse_unfinished_lake


@contextmanager
def open_existing_database(settings: StorageSettings) -> Iterator[Database]:
    """Open the database of the settings, without migrating it.

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
        if isinstance(database, PostgresqlDatabase):
            refuse_unfinished_lake(partial(opened, database))
        yield database


def no_data(data: Path) -> InputRefused:
    """The error of a command without data, most often because of a wrong directory."""
    return InputRefused(
        f"No Tallystick data in {data}. Point --data at the server's data directory."
        " To create a new one: tallystick serve, or tallystick init"
    )


def _no_ledger(database: Database) -> InputRefused:
    return InputRefused(
        f"No Tallystick data in {database.describe()}. Point --database at the server's database."
        " To create a new one: tallystick serve, or tallystick init"
    )


@contextmanager
def opened_ledger(settings: StorageSettings) -> Iterator[tuple[Database, Session]]:
    """Open the database, migrate it, and open a session whose changes the audit log ascribes to the command line.

    Raises:
        InputRefused: there is no ledger.
        StartRefused: it cannot be used.
    """
    with open_existing_database(settings) as database:
        bring_up_to_date(database, settings.data)
        with closing(database.session()) as session, acting(COMMAND_LINE):
            yield database, session


def bring_up_to_date(database: Database, data: Path) -> None:
    """Run outstanding migrations, but not while a server of an older version runs.

    Without outstanding migrations nothing is written, so reading needs neither a lock nor the right to create tables.

    Raises:
        StartRefused: a server of an older version runs, or a newer version wrote the database.
    """
    schema, newest = database.schema(), len(all_migrations(database.name))
    if schema == newest:
        return
    if schema is not None and schema < newest and server_runs(data):
        msg = f"{database.describe()} is served by an older Tallystick; stop that server and start this version's"
        raise DatabaseSchemaRefused(msg)
    database.migrate()


def refuse_unfinished_restore(data: Path) -> None:
    """Refuse a ledger whose hits have not been restored yet.

    Raises:
        DataDirectoryUnusable: a restore was interrupted.
    """
    if (data / UNFINISHED_RESTORE).exists():
        msg = f"a restore into {data} was interrupted between the ledger and the hits; run it again with --force"
        raise DataDirectoryUnusable(msg)
