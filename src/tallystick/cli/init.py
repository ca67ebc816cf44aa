"""``tallystick init``: creates an empty data directory."""

import asyncio
import sys

from tallystick.cli.support.data_directory import held_data_directory
from tallystick.cli.support.opening import refuse_unfinished_restore
from tallystick.errors import InputRefused
from tallystick.ledger import open_database
from tallystick.settings import StorageSettings
from tallystick.warehouse import open_warehouse


def init(*, settings: StorageSettings = StorageSettings()) -> None:
    """Create an empty data directory, so that accounts and counters can be created before the first start.

    serve also creates one if it is missing. No other command does.
    """
    refuse_unfinished_restore(settings.data)
    database = open_database(settings.database, settings.data)
    if database.schema() is not None:
        msg = f"there is Tallystick data in {database.describe()} already; nothing was changed"
        raise InputRefused(msg)
    with held_data_directory(settings.data):
        database.migrate()

        async def make_warehouse() -> None:
            await (await open_warehouse(settings.data)).close()

        asyncio.run(make_warehouse())
    print(f"created {database.describe()}", file=sys.stderr)
