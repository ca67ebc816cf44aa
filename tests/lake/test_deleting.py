"""Many hits of a site on a lake are removed part by part, and other hits are moved meanwhile."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support.arrivals import a_site
from support.nodes import node, opened_quickly
from support.postgres import Postgres
from support.warehouses import HOUR, NOW, a_hit, rows
from tallystick.errors import StoreFailed
from tallystick.ledger import Ledger, Session, open_database
from tallystick.services import job_worker as module
from tallystick.services.accounts.site_rows import site_columns
from tallystick.services.clock import RETENTION, set_clock_mark
from tallystick.services.job_worker import JobWorker
from tallystick.services.jobs import DeleteSite, enqueue, pending_jobs
from tallystick.warehouse import Warehouse
from tallystick.warehouse.duckdb import visits
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.lake.warehouse import LakeWarehouse
from tallystick.warehouse.types import ComparedVisits

DAY = 24 * HOUR
LARGE, SMALL = 1, 2


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "HITS_AT_ONCE", 50)
    with opened_quickly():
        yield


class Clock:
    """Seconds; stands still."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def a_lake(postgres: Postgres, folder: Path) -> AsyncIterator[tuple[Ledger, LakeWarehouse, LakeWarehouse]]:
    """A ledger, and two nodes with hits of two sites."""
    with postgres.fresh_database() as url:
        ledger = await Ledger.open(open_database(url, folder / "ledger"))
        async with node(url, folder, "a") as one, node(url, folder, "b") as other:
            # A visit has two hits, eleven minutes apart.
            await one.append([a_hit(n % 7, by=n // 2, created=NOW - DAY + 660 * n) for n in range(300)])
            await one.append([a_hit(site=SMALL, by=n, created=NOW - DAY + n) for n in range(40)])
            try:
                yield ledger, one, other
            finally:
                await ledger.close()


async def compared(warehouse: Warehouse) -> ComparedVisits:
    """All visits, compared with their hits."""

    def compare(session: object) -> ComparedVisits:
        assert isinstance(session, DuckDbSession)
        return visits.compare(session.connection)

    return await warehouse.read(compare)


async def test_a_site_is_removed_part_by_part_and_another_server_continues(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_lake(postgres, tmp_path) as (ledger, one, other):
        await one.write(lambda _: None)
        await ledger.write(enqueue, DeleteSite(LARGE), NOW)
        left: list[int] = []
        carry_out = one.carry_out

        async def failing(*arguments: Any) -> Any:
            if len(left) == 3:
                raise StoreFailed
            result = await carry_out(*arguments)
            # Others count, and see it, between two parts.
            await other.append([a_hit(3, site=SMALL)])
            left.append(sum(site == LARGE for (site,) in await rows(other, "site")))
            assert (await compared(other)).differing == 0
            return result

        with monkeypatch.context() as patched:
            patched.setattr(one, "carry_out", failing)
            assert await JobWorker(ledger, one, lambda _: None, seen_within=0).work() == 1
        assert left == [250, 200, 150]
        await other.write(lambda _: None)
        assert await JobWorker(ledger, one, lambda _: None, seen_within=0).work() == 1
        assert await JobWorker(ledger, other, lambda _: None, seen_within=0).work() == 0
        assert await rows(one, "site") == [(SMALL,)] * 43
        assert await compared(one) == ComparedVisits(40, 0)
        assert await ledger.read(pending_jobs) == []


async def test_parts_wait_for_questions_that_were_asked_before(postgres: Postgres, tmp_path: Path) -> None:
    async with a_lake(postgres, tmp_path) as (ledger, one, _):
        await one.write(lambda _: None)
        clock = Clock()
        jobs = JobWorker(ledger, one, lambda _: None, clock=clock)
        for site in (LARGE, SMALL):
            await ledger.write(enqueue, DeleteSite(site), NOW)
        assert await jobs.work() == 2
        clock.now += module.SEEN_BY_ALL_WITHIN_S
        assert await jobs.work() == 1
        clock.now += module.NO_QUESTION_WITHIN_S - 1
        assert await jobs.work() == 1
        assert await rows(one, "site") == [(LARGE,)] * 300
        clock.now += 1
        assert await jobs.work() == 0
        assert await rows(one, "site") == []


async def test_old_hits_are_removed_part_by_part(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_lake(postgres, tmp_path) as (ledger, one, _):
        await one.append([a_hit(site=LARGE, by=n // 2, created=NOW - 40 * DAY + n) for n in range(120)])
        await ledger.write(add_site)
        await ledger.write(set_clock_mark, RETENTION, NOW)
        removed: list[str] = []
        carry_out = one.carry_out

        async def noting(function: Any, *arguments: Any) -> Any:
            removed.append(function.__name__)
            return await carry_out(function, *arguments)

        monkeypatch.setattr(one, "carry_out", noting)
        clock = Clock()
        await one.write(lambda _: None)
        jobs = JobWorker(ledger, one, lambda _: None, clock=clock)
        clock.now += module.NO_RETENTION_WITHIN_S
        await jobs.tidy()
        assert removed.count("_expire_part") == 3
        assert len(await rows(one)) == 340
        assert (await compared(one)).differing == 0


def add_site(session: Session) -> None:
    site = a_site(LARGE, data_retention=31)
    session.common.add_site(session.connection, parent=None, created=0, **site_columns(site))
