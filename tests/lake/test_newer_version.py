"""A newer version on a lake: beside older servers, which it replaces, and instead of them."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event

import pytest

from support.nodes import node, opened_quickly
from support.postgres import Postgres
from support.warehouses import a_hit, rows
from tallystick.cli.doctor import examine
from tallystick.errors import DatabaseSchemaRefused, StoreBusy
from tallystick.ledger import open_database
from tallystick.ledger.migrations import all_migrations
from tallystick.settings import Settings
from tallystick.warehouse import WarehouseWriteSession
from tallystick.warehouse.duckdb import migrations
from tallystick.warehouse.duckdb.migrations import MigrationStep, all_steps
from tallystick.warehouse.lake import catalogue, keeper, mover, store, warehouse
from tallystick.warehouse.lake.warehouse import LakeWarehouse
from torture.newer import NEXT_STEPS, newer_program
from torture.nodes import Nodes, replaced_by, reports_agree, reports_see_hits_of_others, some_nodes, under_load

SCHEMA = len(all_steps())


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    with postgres.fresh_database() as url:
        yield url


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Turns the program into the next version, and back into this one; what is open stays as it is."""
    next_ = MigrationStep(SCHEMA + 1, NEXT_STEPS["warehouse/duckdb/migrations"], "next")

    def turn(*, back: bool = False) -> None:
        def steps(folder: str = "") -> list[MigrationStep]:
            return all_steps(folder) if back or folder else [*all_steps(), next_]

        for module in (migrations, catalogue, keeper, store, warehouse):
            monkeypatch.setattr(module, "all_steps", steps)

    return turn


async def ids_of(warehouse: LakeWarehouse) -> list[int]:
    return [row[0] for row in await rows(warehouse, "id")]


async def until_mover(node: LakeWarehouse) -> None:
    async with asyncio.timeout(60):
        while not node.carries_out_jobs:  # noqa: ASYNC110  # another thread makes it true
            await asyncio.sleep(0.02)


def doctor(url: str, folder: Path) -> str:
    [check] = [check for check in examine(Settings(data=folder, database=url, lake="the lake")) if check.what == "lake"]
    return f"{check.status} {check.result}"


async def test_a_newer_node_takes_the_lake_over_and_older_ones_leave_it_alone(
    url: str, tmp_path: Path, newer: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened_quickly():
        async with node(url, tmp_path, "old") as old:
            await old.append([a_hit(1, by=5)])
            await until_mover(old)
            newer()
            assert await asyncio.to_thread(doctor, url, tmp_path) == (
                f"WARN the lake: schema {SCHEMA}; old, an older server, brings hits into it;"
                f" the first server of this version that starts brings it to schema {SCHEMA + 1}"
            )
            await _refused_while_the_mover_is_busy(old, url, tmp_path, monkeypatch)
            async with node(url, tmp_path, "new") as new:
                assert new.carries_out_jobs
                await asyncio.gather(*([each.append([a_hit(2, by=5)]) for each in (old, new) * 5]))
                assert await ids_of(old) == await ids_of(new) == [*range(1, 12)]
                assert len({row[0] for row in await rows(old, "session")}) == 1
                monkeypatch.setattr(mover, "LEASE_WITHIN_S", 0.3)
                with pytest.raises(StoreBusy, match="this server is older than the stored hits"):
                    await old.write(lambda session: session.delete_site(1))
                assert new.carries_out_jobs
                newer(back=True)
                assert await asyncio.to_thread(doctor, url, tmp_path) == (
                    f"FAIL the lake: it has schema {SCHEMA + 1}, this program knows schema {SCHEMA}:"
                    " a newer Tallystick wrote it; start that one"
                )
                with pytest.raises(DatabaseSchemaRefused, match="written by a newer Tallystick; start that one"):
                    await node(url, tmp_path, "old again").__aenter__()
            # The lease is free, and hits wait for a newer node.
            await old.append([a_hit(3, by=5)])
            await asyncio.sleep(1.5 * keeper.LOOKS_EVERY_S)
            assert not old.carries_out_jobs
            newer()
            async with node(url, tmp_path, "new again") as new:
                assert await ids_of(new) == await ids_of(old) == [*range(1, 13)]


@pytest.mark.timeout(240)
def test_servers_are_replaced_by_a_newer_version_one_by_one(tmp_path: Path, newer: Callable[..., None]) -> None:
    with some_nodes(tmp_path, seed=1, number=2) as nodes:
        program = newer_program(tmp_path)
        _a_newer_backup_leaves_the_ledger_to_older_servers(nodes, program)

        def happens(nodes: Nodes) -> None:
            replaced_by(program)(nodes)
            newer()  # to look into the lake

        under_load(nodes, happens, clients=1)
        reports_agree(nodes)
        reports_see_hits_of_others(nodes)
        with pytest.raises(AssertionError, match=r"the database has schema \d+, this program knows schema \d+"):
            nodes.start()


def _a_newer_backup_leaves_the_ledger_to_older_servers(nodes: Nodes, program: Sequence[str]) -> None:
    """It cannot read the lake of older servers, and brings nothing up to date that they need to start again."""
    stored = ("--database", nodes.url, "--lake", str(nodes.lake), "--data", str(nodes.folder))
    refused = subprocess.run(
        [*program, sys.executable, "-m", "tallystick", "backup", str(nodes.folder / "backup"), *stored],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "an older Tallystick wrote it" in refused.stderr
    assert open_database(nodes.url, nodes.folder).schema() == len(all_migrations("postgresql"))


async def _refused_while_the_mover_is_busy(
    old: LakeWarehouse, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer node does not start while an older one is in the middle of a change, and says so."""
    begun, end = Event(), Event()

    def change(_: WarehouseWriteSession) -> None:
        begun.set()
        end.wait(60)

    changing = asyncio.create_task(old.write(change))
    try:
        await asyncio.to_thread(begun.wait, 60)
        with monkeypatch.context() as patch:
            patch.setattr(warehouse, "HANDED_OVER_WITHIN_S", 0.3)
            with pytest.raises(
                DatabaseSchemaRefused, match="old, which is of an older version, has not handed it over"
            ):
                await node(url, folder, "too early").__aenter__()
    finally:
        end.set()
        await changing
