"""Runs the jobs that a command enqueues, unless a running server will do so within seconds."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tallystick.cli.support.data_directory import held_data_directory, server_runs
from tallystick.cli.support.opening import no_data, opened_ledger
from tallystick.errors import InputRefused
from tallystick.ledger import Ledger, Session, open_database
from tallystick.settings import StorageSettings
from tallystick.tasks import BackgroundTasks
from tallystick.warehouse import WarehouseSession, open_warehouse, warehouse_storage

Result = TypeVar("Result")


def write_and_do_jobs(settings: StorageSettings, function: Callable[[Session], Result]) -> Result:
    """Run ``function(session)`` in a transaction of the ledger, then the jobs that it enqueued."""
    with opened_ledger(settings) as (_, session), session.transaction():
        result = function(session)
    do_jobs(settings)
    return result


def do_jobs(settings: StorageSettings) -> None:
    """Run the warehouse's outstanding jobs, unless a server will."""
    if server_runs(settings.data):
        print("the running server does the rest within seconds", file=sys.stderr)
        return
    if settings.database is not None and not holds_hits(settings.data):
        # The hits are in another directory; a job done here would be missing there.
        print("the server does the rest, at once or when it starts", file=sys.stderr)
        return
    with held_data_directory(settings.data):
        if asyncio.run(_work(settings)):
            print("some jobs are not done yet; the server that counts pageviews will retry them", file=sys.stderr)


def holds_hits(data: Path) -> bool:
    """Whether a data directory has a warehouse of hits."""
    return warehouse_storage(data).exists()


async def _work(settings: StorageSettings) -> int:
    """Run the jobs. Returns the number of those that are left."""
    from tallystick.services.job_worker import JobWorker  # noqa: PLC0415  # beside a server the warehouse is not needed
    from tallystick.services.ownership import Ownership  # noqa: PLC0415
    from tallystick.services.stores import opened_warehouse  # noqa: PLC0415

    ledger = await Ledger.open(open_database(settings.database, settings.data))
    try:
        warehouse = await opened_warehouse(ledger, settings.data)
        ownership = Ownership(ledger, warehouse, settings.data, lambda: None)
        try:
            await ownership.begin()
            async with BackgroundTasks(ownership.tasks()):
                return await JobWorker(ledger, warehouse, lambda _: None, seen_within=0).work()
        finally:
            await warehouse.close()
    finally:
        await ledger.close()


def read_hits(settings: StorageSettings, function: Callable[[WarehouseSession], Result]) -> Result:
    """Run ``function(session)`` on the warehouse, which no server may have open.

    Raises:
        InputRefused: there is no warehouse, or a server uses it.
    """
    if settings.database is not None and not holds_hits(settings.data):
        raise no_data(settings.data)
    if server_runs(settings.data):
        msg = f"a server holds {settings.data}: go through it, with --site http://HOST and a token in TALLYSTICK_TOKEN"
        raise InputRefused(msg)

    async def read() -> Result:
        warehouse = await open_warehouse(settings.data)
        try:
            return await warehouse.read(function)
        finally:
            await warehouse.close()

    with held_data_directory(settings.data):
        return asyncio.run(read())
