"""Files of a data directory that were lost, cut or put back from an older copy: a start refuses, or goes on above."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import duckdb
import pytest

from support.warehouses import a_hit, ids, take_back_sources_and_visits
from tallystick.errors import StoresDisagree
from tallystick.ledger import Ledger, Session, open_database
from tallystick.services import jobs
from tallystick.services.analytics.names import Names, NewPath
from tallystick.services.job_worker import JobWorker
from tallystick.services.stores import note, opened_warehouse
from tallystick.warehouse import Warehouse
from tallystick.warehouse.duckdb import marks
from tallystick.warehouse.duckdb.journal import JOURNAL_FILE
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE
from tallystick.warehouse.types import NumberedHit

Stores = tuple[Ledger, Warehouse]
LEDGER_FILE = "ledger.sqlite3"


@asynccontextmanager
async def opened(data: Path, *, accept_loss: bool = False) -> AsyncIterator[Stores]:
    """Both stores of a directory."""
    ledger = await Ledger.open(open_database(None, data))
    try:
        warehouse = await opened_warehouse(ledger, data, accept_loss=accept_loss)
        try:
            yield ledger, warehouse
        finally:
            await warehouse.close()
    finally:
        await ledger.close()


async def visit(stores: Stores, path: str) -> tuple[int, int]:
    """A pageview: the hit's id and the path's."""
    ledger, warehouse = stores
    if not await ledger.read(lambda session: session.common.last_number(session.connection, name="site")):
        await ledger.write(_next, "site")
    names = Names(ledger)
    await names.learn(1, [NewPath(path, "", event=False, counted=True)])
    known = names.path(1, path)
    assert known is not None
    [stored] = await warehouse.append([a_hit(known.id)])
    assert isinstance(stored, NumberedHit)
    return stored.id, known.id


async def in_columns(stores: Stores) -> None:
    """Have the hits moved, and let go of in the journal."""
    await ids(stores[1])
    await stores[1].arrived()


def copied(data: Path, to: Path) -> Path:
    """The directory as a crash at this moment leaves it."""
    shutil.copytree(data, to, ignore=shutil.ignore_patterns("*-shm", "*.lock", "warehouse.temp"))
    return to


class Crashed:
    """A directory as a crash left it, and what was given until then.

    Attributes:
        data: the directory.
        older: the same a while before.
    """

    def __init__(self, data: Path, older: Path, newest_hit: int, newest_path: int) -> None:
        self.data, self.older, self.newest_hit, self.newest_path = data, older, newest_hit, newest_path

    def lose(self, *names: str) -> None:
        for name in names:
            (self.data / name).unlink()

    def put_back(self, *prefixes: str) -> None:
        """Stores as they were a while before."""
        for prefix in prefixes:
            for file in self.data.glob(f"{prefix}*"):
                file.unlink()
            for file in self.older.glob(f"{prefix}*"):
                shutil.copy(file, self.data)

    def cut(self, name: str) -> None:
        file = self.data / name
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 3])


@pytest.fixture
def crashed(tmp_path: Path, crashed_once: Crashed) -> Crashed:
    """A copy of the one crash: to bring it about takes longer than most tests."""
    data, older = (copied(each, tmp_path / each.name) for each in (crashed_once.data, crashed_once.older))
    return Crashed(data, older, crashed_once.newest_hit, crashed_once.newest_path)


@pytest.fixture(scope="module")
def crashed_once(tmp_path_factory: pytest.TempPathFactory) -> Crashed:
    return asyncio.run(crash_in(tmp_path_factory.mktemp("crash")))


async def crash_in(folder: Path) -> Crashed:
    data = folder / "live"
    data.mkdir()
    async with opened(data) as stores:
        for number in range(5):
            await visit(stores, f"/early-{number}")
            await in_columns(stores)
    # What lies in the files themselves; the rest stays in the WALs.
    async with opened(data) as stores:
        await visit(stores, "/before")
        await in_columns(stores)
        older = copied(data, folder / "older")
        for number in range(8):
            newest = await visit(stores, f"/page-{number}")
            await in_columns(stores)
        await note(*stores, {})
        newest = await visit(stores, "/last")  # only in the journal
        crash = copied(data, folder / "crashed")
    return Crashed(crash, older, *newest)


LOSSES: dict[str, Callable[[Crashed], None]] = {
    "DuckDB's WAL": lambda crash: crash.lose(f"{WAREHOUSE_FILE}.wal"),
    "a part of DuckDB's WAL": lambda crash: crash.cut(f"{WAREHOUSE_FILE}.wal"),
    "DuckDB's file and its WAL": lambda crash: crash.lose(WAREHOUSE_FILE, f"{WAREHOUSE_FILE}.wal"),
    "DuckDB's file and WAL are older": lambda crash: crash.put_back(WAREHOUSE_FILE),
    "the journal": lambda crash: crash.lose(JOURNAL_FILE, f"{JOURNAL_FILE}-wal"),
    "the journal's WAL": lambda crash: crash.lose(f"{JOURNAL_FILE}-wal"),
    "a part of the journal's WAL": lambda crash: crash.cut(f"{JOURNAL_FILE}-wal"),
    "the journal is older": lambda crash: crash.put_back(JOURNAL_FILE),
    "all hits": lambda crash: crash.lose(WAREHOUSE_FILE, f"{WAREHOUSE_FILE}.wal", JOURNAL_FILE, f"{JOURNAL_FILE}-wal"),
    "all hits are older": lambda crash: crash.put_back("warehouse"),
    "the ledger's WAL": lambda crash: crash.lose(f"{LEDGER_FILE}-wal"),
    "a part of the ledger's WAL": lambda crash: crash.cut(f"{LEDGER_FILE}-wal"),
    "the ledger": lambda crash: crash.lose(LEDGER_FILE, f"{LEDGER_FILE}-wal"),
    "the ledger is older": lambda crash: crash.put_back(LEDGER_FILE),
    "every WAL": lambda crash: crash.lose(f"{WAREHOUSE_FILE}.wal", f"{JOURNAL_FILE}-wal", f"{LEDGER_FILE}-wal"),
    "the ledger and the journal are older": lambda crash: crash.put_back(LEDGER_FILE, JOURNAL_FILE),
}

UNNOTICED = {"every WAL"}
"""Every file is as old as the others: nothing newer is left to compare with."""


@pytest.mark.parametrize("lost", [name for name in LOSSES if name not in UNNOTICED])
async def test_a_loss_refuses_the_start_until_it_is_accepted(crashed: Crashed, lost: str) -> None:
    LOSSES[lost](crashed)
    for _ in range(2):
        with pytest.raises(StoresDisagree, match="do not fit together") as refused:
            async with opened(crashed.data):
                pass
        assert "--accept-loss" in str(refused.value)
        assert "\n" not in str(refused.value)
    async with opened(crashed.data, accept_loss=True) as stores:
        hit, path = await visit(stores, "/after")
        assert hit > crashed.newest_hit
        assert path > crashed.newest_path
        await in_columns(stores)
    async with opened(crashed.data) as stores:
        again, _ = await visit(stores, "/after")
        assert again == hit + 1


async def test_a_crash_alone_is_no_loss(crashed: Crashed) -> None:
    async with opened(crashed.data) as stores:
        assert await ids(stores[1]) == list(range(1, crashed.newest_hit + 1))
        assert await visit(stores, "/after") == (crashed.newest_hit + 1, crashed.newest_path + 1)


async def test_hits_that_lie_in_the_journal_survive_the_loss_of_the_others(crashed: Crashed) -> None:
    LOSSES["DuckDB's WAL"](crashed)
    async with opened(crashed.data, accept_loss=True) as stores:
        assert (await ids(stores[1]))[-1] == crashed.newest_hit


async def test_a_lost_merge_is_noticed(tmp_path: Path) -> None:
    data = tmp_path / "live"
    data.mkdir()
    async with opened(data) as (ledger, warehouse):
        await visit((ledger, warehouse), "/a")
        await ids(warehouse)
    async with opened(data) as (ledger, warehouse):
        await ledger.write(jobs.enqueue, jobs.MergePaths(1, (1,), 2), 0)
        assert await JobWorker(ledger, warehouse, lambda _: None).work() == 0
        crash = copied(data, tmp_path / "crashed")
    (crash / f"{WAREHOUSE_FILE}.wal").unlink()
    with pytest.raises(StoresDisagree, match="lacks 1 deletions or merges"):
        async with opened(crash):
            pass


async def test_a_ledger_that_lost_commits_gives_no_number_twice(crashed: Crashed) -> None:
    LOSSES["the ledger is older"](crashed)
    async with opened(crashed.data, accept_loss=True) as (ledger, _):
        taken = [await ledger.write(_next, name) for name in ("path", "job")]
        assert await ledger.read(lambda session: session.common.epoch(session.connection)) is None
    assert taken[0] > crashed.newest_path
    assert taken[1] == 1


def _next(session: Session, name: str) -> int:
    return session.take_numbers(name)


async def test_another_directorys_journal_is_not_accepted(crashed: Crashed, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    async with opened(other) as stores:
        await visit(stores, "/a")
    crashed.lose(f"{JOURNAL_FILE}-wal")
    shutil.copy(other / JOURNAL_FILE, crashed.data)
    for accept_loss in (False, True):
        with pytest.raises(StoresDisagree, match="move the journal away"):
            async with opened(crashed.data, accept_loss=accept_loss):
                pass


@pytest.mark.parametrize("lost", ["the journal's WAL", "the ledger's WAL"])
async def test_after_a_power_cut_relaxed_durability_goes_on_without_the_last_seconds(
    crashed: Crashed, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    with duckdb.connect(str(crashed.data / WAREHOUSE_FILE)) as connection:
        connection.execute("UPDATE mark SET relaxed = 'an earlier boot'")
    LOSSES[lost](crashed)
    monkeypatch.setattr(marks, "BOOT_ID", crashed.data / "none")
    async with opened(crashed.data) as stores:
        hit, path = await visit(stores, "/after")
        assert hit > crashed.newest_hit
        assert path > crashed.newest_path


async def test_a_directory_of_a_program_without_marks_opens_as_it_is(crashed: Crashed) -> None:
    without_marks(crashed.data)
    async with opened(crashed.data) as stores:
        assert await ids(stores[1]) == list(range(1, crashed.newest_hit + 1))
        assert await visit(stores, "/after") == (crashed.newest_hit + 1, crashed.newest_path + 1)


async def test_a_directory_of_a_program_without_marks_whose_ledger_is_older_gives_no_id_twice(crashed: Crashed) -> None:
    crashed.lose(f"{LEDGER_FILE}-wal")
    without_marks(crashed.data)
    async with opened(crashed.data) as stores:
        hit, path = await visit(stores, "/after")
    assert hit == crashed.newest_hit + 1
    assert path > crashed.newest_path


def without_marks(data: Path) -> None:
    """Take back what the migrations from marks on have done."""
    with duckdb.connect(str(data / WAREHOUSE_FILE)) as connection:
        for column in ("warehouse", "complete", "relaxed", "changes", "commits", "site", "path", "campaign"):
            connection.execute(f"ALTER TABLE mark DROP COLUMN {column}")
        take_back_sources_and_visits(connection)
        connection.execute("DELETE FROM migration WHERE number > 1")
    journal = apsw.Connection(str(data / JOURNAL_FILE))
    journal.execute("DROP TABLE marks; DROP TABLE migration; ALTER TABLE batch DROP COLUMN format").fetchall()
    journal.close()
    ledger = apsw.Connection(str(data / LEDGER_FILE))
    ledger.execute(
        "DROP TABLE warehouse_mark; ALTER TABLE counting_total DROP COLUMN commits; DROP TABLE clock_mark;"
        " DROP TABLE counter_removal; DROP INDEX token_by_maker; ALTER TABLE token DROP COLUMN made_by;"
        " DROP TABLE dropped_hit; DROP INDEX site_by_domain; ALTER TABLE site DROP COLUMN domain;"
        " DROP TABLE goal; DROP TABLE funnel; DROP TABLE segment; DROP TABLE annotation; DROP TABLE seen_version;"
        " DROP TABLE shared_link; DROP TABLE pinned_site; DROP TABLE saved_view; DROP INDEX change_by_digits;"
        " DROP TABLE own_milestone;"
        " DROP TABLE access_invite; DROP TABLE counter_hour; DROP TABLE counter_milestone; DROP TABLE counter_thinning;"
        " ALTER TABLE counter DROP COLUMN hour; ALTER TABLE counter DROP COLUMN base;"
        " DROP INDEX counter_frozen; ALTER TABLE counter DROP COLUMN flags;"
        " DROP TABLE namespace_keys; DROP TABLE closed_namespace;"
        " DROP TABLE owned_counter; DROP TABLE counter_seen; DROP TABLE reserved_namespace;"
        " DELETE FROM migration WHERE number >= 7"
    ).fetchall()
    ledger.close()


async def test_each_commit_of_the_ledger_is_known_to_the_journal_within_seconds(tmp_path: Path) -> None:
    async with opened(tmp_path) as (ledger, warehouse):
        for _ in range(5):
            await ledger.write(_next, "job")
        await warehouse.arrived()
        assert warehouse.marks.commits == ledger.commits == await ledger.read(lambda session: session.commits())


async def test_deletions_are_counted(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, warehouse):
        before = warehouse.marks.changes
        await warehouse.write(lambda session: session.delete_site(7))
        assert warehouse.marks.changes == before + 1
