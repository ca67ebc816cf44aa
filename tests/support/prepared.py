"""Stores that are made once and copied for each test: their migrations take longer than most tests."""

import asyncio
import atexit
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from tallystick.cli.doctor import LEDGER_FILE
from tallystick.ledger import open_database
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse


def copy_migrated_ledger(data: Path) -> None:
    """Put an empty SQLite ledger into a directory that has none."""
    if not (data / LEDGER_FILE).exists():
        shutil.copytree(_ledger(), data, dirs_exist_ok=True)


def copy_migrated_warehouse(data: Path) -> None:
    """Put an empty warehouse into a directory that has none."""
    if not (data / WAREHOUSE_FILE).exists():
        shutil.copytree(_warehouse(), data, dirs_exist_ok=True)


def kept_folder() -> Path:
    """A folder that is removed when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="tallystick-prepared-"))
    atexit.register(shutil.rmtree, folder)
    return folder


@cache
def _ledger() -> Path:
    folder = kept_folder()
    open_database(None, folder).migrate()
    return folder


@cache
def _warehouse() -> Path:
    folder = kept_folder()

    async def make() -> None:
        await (await DuckDbWarehouse.open(folder / WAREHOUSE_FILE)).close()

    # Tests call this where an event loop runs.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, make()).result()
    return folder
