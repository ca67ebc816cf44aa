"""Lakes for tests, each with a PostgreSQL database and a directory of its own.

With ``TALLYSTICK_TEST_WAREHOUSE=lake``, the tests of the embedded warehouse run on a lake: hits go through the same
journal and mover, and into the lake's tables. ``judge_the_lake`` arranges it.
"""

import atexit
import os
from contextlib import ExitStack, closing
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from support.postgres import Postgres
from support.prepared import kept_folder
from tallystick.ledger.database import opened
from tallystick.ledger.postgresql import PostgresqlDatabase
from tallystick.warehouse.duckdb import warehouse
from tallystick.warehouse.duckdb.checkpoints import Checkpoints
from tallystick.warehouse.lake.migrations import migrate
from tallystick.warehouse.lake.store import LakeStore

ON_LAKE = os.environ.get("TALLYSTICK_TEST_WAREHOUSE") == "lake"
MEMORY_MB = 512

_numbers = count()
_urls: dict[Path, str] = {}


class QuickLakeStore(LakeStore):
    """A lake for tests in this process.

    To verify the signatures of its extensions takes half a second. And a second thread of DuckDB looks again and again
    whether the catalogue has answered the first one. Servers that are processes do and have both.
    """

    CONFIGURATION: ClassVar[dict[str, Any]] = {
        **LakeStore.CONFIGURATION,
        "allow_unsigned_extensions": True,
        "threads": 1,
    }


class LakeBehindJournal(QuickLakeStore):
    """A lake in the place of the embedded file, whose directory has a journal."""

    def __init__(self, file: Path, memory_mb: int) -> None:
        directory = file.parent / f"{file.name}.lake"
        if file not in _urls:
            _urls[file] = fresh_lake(directory / "files")
        super().__init__(_urls[file], str(directory / "files"), memory_mb, work=file.parent, epoch=1)
        self.file, self.wal_bytes = file, 0


def judge_the_lake() -> None:
    """Let every warehouse that tests open from now on be a lake."""
    patch = pytest.MonkeyPatch()
    patch.setattr(warehouse, "Store", LakeBehindJournal)
    patch.setattr(Checkpoints, "take", lambda _: True)


def fresh_lake(files: Path) -> str:
    """The URL of a new catalogue with the warehouse's tables, whose lease has the epoch 1.

    Args:
        files: the directory of its files; made here.
    """
    files.mkdir(parents=True, exist_ok=True)
    server, template = _server(), _template()
    name = f"lake_{next(_numbers)}"
    _execute(server.url("postgres"), f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    _execute(
        server.url(name), f"UPDATE tallystick_lake.ducklake_metadata SET value = '{files}/' WHERE key = 'data_path'"
    )
    return server.url(name)


def fresh_database() -> str:
    """The URL of a new database with a lease of the epoch 1, and without a lake."""
    server, name = _server(), f"lake_{next(_numbers)}"
    _execute(server.url("postgres"), f"CREATE DATABASE {name}")
    migrate(partial(opened, PostgresqlDatabase(server.url(name))))
    set_epoch(server.url(name), 1)
    return server.url(name)


def set_epoch(url: str, epoch: int) -> None:
    """What a takeover of the lease does."""
    _execute(url, f"UPDATE tallystick_hits.fence SET epoch = {epoch}")


def _execute(url: str, *statements: str) -> None:
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@cache
def _server() -> Postgres:
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(Postgres.started())


@cache
def _template() -> str:
    url, folder = fresh_database(), kept_folder()
    store = QuickLakeStore(url, str(folder / "files"), MEMORY_MB, work=folder, epoch=1)
    store.open()
    store.close()
    return str(conninfo_to_dict(url)["dbname"])
