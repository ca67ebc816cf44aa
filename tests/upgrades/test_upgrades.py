"""What each older program left behind is upgraded, counted and counted on: see ``tools/record_states.py``."""

import asyncio
import json
import tarfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from support.analytics import FIREFOX, HOST
from support.in_process import Clock, InProcess, knowledge
from support.postgres import Postgres
from support.warehouses import rows
from tallystick.app import Application
from tallystick.errors import DatabaseSchemaRefused
from tallystick.ledger import Database, Ledger, open_database
from tallystick.ledger.migrations import all_migrations
from tallystick.services.accounts.accounts import credentials
from tallystick.services.accounts.passwords import password_matches
from tallystick.services.opening import Stores
from tallystick.services.stores import opened_warehouse
from tallystick.settings import Settings
from tallystick.warehouse.duckdb.migrations import all_steps

STATES = sorted(Path(__file__).with_name("states").iterdir())

EDITED = {
    "c4d72dc9": "migration 0003_sharing was applied to this database",
    "6cde174f": "migration 0003_sharing was applied to this database",
    "1380cc2b": "step 5 of the schema of the warehouse {data}/warehouse.duckdb was taken",
    "77bffc87": "step 5 of the schema of the warehouse {data}/warehouse.duckdb was taken",
}
"""Commits after which a migration was edited: what they left is refused. No release had them; add none."""

TOGETHER = {("warehouse", 4), ("warehouse", 9), ("journal", 1)}
"""Migrations that came with the next one: no program has them alone."""

OTHER_KEYS = {"5a6c1a03", "b175c7d0", "caac10e4"}
"""Commits whose idempotency records are stored under other digests: their keys are counted anew."""

A_MINUTE_MS = 60_000
DAY_S = 86_400


class Left:
    """What an older program left.

    Attributes:
        known: what must be there, as ``count_known_things`` has counted it.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        with tarfile.open(file) as archive:
            known = archive.extractfile("known.json")
            assert known is not None
            self.known: dict[str, Any] = json.load(known)
            self.dumped = "postgresql.sql" in archive.getnames()
        self.commit = str(self.known["commit"])[:8]

    def unpack(self, folder: Path) -> Path:
        """Returns the data directory."""
        with tarfile.open(self._file) as archive:
            archive.extractall(folder, filter="data")
        return folder / "data"


LEFT = [Left(file) for file in STATES]
REFUSED = [pytest.param(left, id=left.commit) for left in LEFT if left.commit in EDITED]
READ = [pytest.param(left, id=left.commit) for left in LEFT if left.commit not in EDITED]
DUMPED = [pytest.param(left, id=left.commit) for left in LEFT if left.commit not in EDITED and left.dumped]


@asynccontextmanager
async def upgraded(database: Database, data: Path, known: Mapping[str, Any]) -> AsyncIterator[InProcess]:
    """Open what an older program left, as a start does, a minute after that."""
    clock = Clock()
    clock.now = known["at"] + A_MINUTE_MS
    ledger = await Ledger.open(database, clock)
    try:
        warehouse = await opened_warehouse(ledger, data)
    except BaseException:
        await ledger.close()
        raise
    application = Application(Settings(data=data, creation_limit=0), Stores(ledger, warehouse), await knowledge())
    application.tasks.start()
    try:
        yield InProcess(application, clock, data)
    finally:
        await application.close()


async def said(running: InProcess, target: str, *, token: str = "", method: str = "GET") -> Any:
    """What is answered, as JSON."""
    headers = [("host", HOST), *([("authorization", f"Bearer {token}")] if token else [])]
    answer = await running.ask(target, method=method, headers=headers)
    assert answer.status == 200, (target, answer.text)
    return answer.json()


async def expect_numbers(running: InProcess, left: Left, known: Mapping[str, Any]) -> None:
    """All counters have the numbers of the older program, and go on from there."""
    for key, value in known["counters"].items():
        assert await said(running, f"/get/{key}") == {"value": value}
    assert await said(running, "/hit/shop/visits") == {"value": known["counters"]["shop/visits"] + 1}
    again = await running.ask("/hit/shop/keyed", headers=[("idempotency-key", "once")])
    assert again.json() == {"value": known["counters"]["shop/keyed"] + (left.commit in OTHER_KEYS)}
    for counter, value in known["shared"].items():
        token = known["token_for_counters"]
        shared = await said(running, f"/v2/counters/{counter}", token=token)
        assert (shared["name"], shared["value"]) == ("Visitors", value)
        assert await said(running, f"/v2/counters/{counter}/increment", method="POST", token=token) == value + 1


async def expect_account(running: InProcess, known: Mapping[str, Any]) -> None:
    """The account and its token are those of the older program."""
    if "account" in known:
        me = await said(running, "/api/v0/me", token=known["token"])
        assert me["user"]["email"] == known["account"]["email"]


async def expect_hits(running: InProcess, known: Mapping[str, Any]) -> None:
    """Each path has the hits of the older program, also those of its journal, and one more is counted."""
    if known["hits"]:
        start, end = (datetime.fromtimestamp(known["at"] / 1000 + days * DAY_S, UTC).date() for days in (-1, 1))
        stats = await said(running, f"/api/v0/stats/hits?start={start}&end={end}", token=known["token"])
        assert {hit["path"] for hit in stats["hits"]} == set(known["hits"])
        agent = [("host", HOST), ("user-agent", FIREFOX)]
        assert (await running.ask("/count?p=/new", headers=agent, client="192.0.2.1")).status == 200
        assert len(await rows(running.application.services.warehouse, "id")) == sum(known["hits"].values()) + 1


@pytest.mark.parametrize("left", READ)
async def test_a_data_directory_is_upgraded(left: Left, tmp_path: Path) -> None:
    data = left.unpack(tmp_path)
    async with upgraded(open_database(None, data), data, left.known) as running:
        await expect_numbers(running, left, left.known)
        await expect_account(running, left.known)
        await expect_hits(running, left.known)


@pytest.mark.parametrize("left", DUMPED)
async def test_a_database_is_upgraded(left: Left, tmp_path: Path, postgres: Postgres) -> None:
    left.unpack(tmp_path)
    known, data = left.known["on_postgresql"], tmp_path / "empty"
    data.mkdir()
    with postgres.fresh_database() as url:
        await asyncio.to_thread(load, url, tmp_path / "postgresql.sql")
        async with upgraded(open_database(url, data), data, known) as running:
            await expect_numbers(running, left, known)
            await expect_account(running, known)


def load(url: str, dump: Path) -> None:
    """Fill an empty database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(dump.read_bytes())


async def test_the_password_of_an_old_account_still_matches(tmp_path: Path) -> None:
    oldest = next(left for left in LEFT if "account" in left.known)
    data = oldest.unpack(tmp_path)
    async with upgraded(open_database(None, data), data, oldest.known) as running:
        stored = await running.application.services.ledger.read(credentials, oldest.known["account"]["email"])
    assert stored is not None
    assert await asyncio.to_thread(password_matches, stored.password, oldest.known["account"]["password"])


@pytest.mark.parametrize("left", REFUSED)
async def test_what_a_program_between_two_releases_left_is_refused(left: Left, tmp_path: Path) -> None:
    data = left.unpack(tmp_path)
    with pytest.raises(DatabaseSchemaRefused) as refused:
        async with upgraded(open_database(None, data), data, left.known):
            pass
    assert str(refused.value) == (
        f"{EDITED[left.commit].format(data=data)} with another text: it was written by a Tallystick between two"
        " releases; start that one, or restore a backup made by a release"
    )


def test_each_migration_has_a_state_from_before_it() -> None:
    newest = {
        "ledger": len(all_migrations("sqlite")),
        "warehouse": len(all_steps()),
        "journal": len(all_steps("journal")),
    }
    recorded = {(part, number) for left in LEFT for part, number in left.known["steps"].items()}
    needed = {(part, number) for part, last in newest.items() for number in range(1, last)} - TOGETHER
    assert needed <= recorded, "record the state before your migration: python tools/record_states.py"


def test_the_states_are_small() -> None:
    assert sum(file.stat().st_size for file in STATES) < 1_500_000
