"""Opening the stores of a server, in the order in which they depend on each other."""

import asyncio
from pathlib import Path
from typing import Literal, NamedTuple

import structlog

from tallystick.errors import InvalidSetting
from tallystick.ledger import Ledger, open_database
from tallystick.ledger.postgresql import PostgresqlDatabase
from tallystick.services.accounts.seals import KEY_FILE, VARIABLE, Seals
from tallystick.services.accounts.two_factor import seal_secrets, unreadable_secrets
from tallystick.services.stores import opened_lake, opened_warehouse, refuse_beside_lake
from tallystick.services.time_passed import TimePassed
from tallystick.warehouse import Warehouse

log = structlog.get_logger()


class Stores(NamedTuple):
    """The open stores.

    Attributes:
        passed: the clock by which idempotency records age; None in tests with a clock of their own.
        seals: with the key of this data directory; None without a key.
    """

    ledger: Ledger
    warehouse: Warehouse
    passed: TimePassed | None = None
    seals: Seals | None = None

    async def close(self) -> None:
        """Finish accepted work, and close both stores."""
        try:
            await self.warehouse.close()
        finally:
            await self.ledger.close()


async def open_stores(  # noqa: PLR0913  # settings of both stores
    data: Path,
    database: str | None,
    durability: Literal["full", "relaxed"],
    warehouse_memory: int,
    *,
    lake: str | None = None,
    most_keys: int | None = None,
    accept_loss: bool = False,
) -> Stores:
    """Open the ledger and the warehouse, and compare them.

    Args:
        database: a URL; None for SQLite in the data directory.
        warehouse_memory: megabytes.
        lake: where all servers on the database keep hits; None for the data directory.
        most_keys: public counters that people without an account may bring a namespace to; None for any number.
        accept_loss: start although one store lacks data that another one has noted.

    Raises:
        StartRefused: a database or a file cannot be used.
    """
    opened = open_database(database, data, durability, most_keys)
    if lake is not None and not isinstance(opened, PostgresqlDatabase):
        msg = "--lake needs a PostgreSQL database, which all servers share: add --database postgresql://..."
        raise InvalidSetting(msg)
    seals = await asyncio.to_thread(Seals.load, data)
    ledger = await Ledger.open(opened)
    try:
        passed = TimePassed(ledger, ledger.clock)
        await passed.begin()
        ledger.passed = passed
        if seals:
            await _seal_secrets(ledger, seals)
        if lake is not None and isinstance(opened, PostgresqlDatabase):
            warehouse = await opened_lake(opened, lake, data, warehouse_memory, ledger.seconds)
        else:
            await asyncio.to_thread(refuse_beside_lake, opened)
            warehouse = await opened_warehouse(ledger, data, durability, warehouse_memory, accept_loss=accept_loss)
    except BaseException:
        # Also after a cancellation or an error of our own: otherwise the ledger's threads would keep running.
        await ledger.close()
        raise
    return Stores(ledger, warehouse, passed, seals)


async def _seal_secrets(ledger: Ledger, seals: Seals) -> None:
    """Encrypt secrets that an older version stored in plain text, and log how many the key does not open."""
    if sealed := await ledger.write(seal_secrets, seals):
        log.info("secrets of authenticator apps were encrypted", count=sealed)
    if unreadable := await ledger.read(unreadable_secrets, seals):
        log.error(
            "the key does not open secrets of authenticator apps; people need recovery codes until it is put back",
            count=unreadable,
            key=f"{KEY_FILE} in the data directory, or {VARIABLE}",
        )
