"""The shared warehouse with two nodes in one process: what one acknowledges, the other one reads, as on one server."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import ModuleType

import duckdb
import pytest
from structlog.testing import capture_logs

from support.nodes import end_lease, node, opened_quickly
from support.postgres import Postgres
from support.warehouses import NOW, a_hit, rows
from tallystick.errors import Conflicting, KeyInFlight, StoreAway, StoreBusy, StoreUnavailable
from tallystick.warehouse import Warehouse, WarehouseWriteSession
from tallystick.warehouse.duckdb import visits
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.lake import mover, moves
from tallystick.warehouse.lake import warehouse as module
from tallystick.warehouse.lake.chores import Chores
from tallystick.warehouse.lake.reach import Reach
from tallystick.warehouse.lake.warehouse import WAITING_READS, LakeWarehouse
from tallystick.warehouse.types import ComparedVisits, IdempotencyRecord, Stored

Two = tuple[LakeWarehouse, LakeWarehouse]
WITHIN_S = 60
"""A busy machine is no failure."""


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    with postgres.fresh_database() as url:
        yield url


@pytest.fixture
async def two(url: str, tmp_path: Path) -> AsyncIterator[Two]:
    """Two nodes that start at once on an empty database."""
    with opened_quickly():
        opening = [node(url, tmp_path, name) for name in ("a", "b")]
        one, other = await asyncio.gather(*(each.__aenter__() for each in opening))
        try:
            yield one, other
        finally:
            for each in opening:
                await each.__aexit__(None, None, None)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(WITHIN_S):
        while not condition():  # noqa: ASYNC110  # another thread makes it true
            await asyncio.sleep(0.02)


async def movers(two: Two) -> Two:
    """The mover, then the other node, once a former mover has noticed that it is none any more."""
    await until(lambda: sum(each.carries_out_jobs for each in two) == 1)
    return two if two[0].carries_out_jobs else (two[1], two[0])


async def compared(warehouse: Warehouse) -> ComparedVisits:
    """All visits, compared with their hits."""

    def compare(session: object) -> ComparedVisits:
        assert isinstance(session, DuckDbSession)
        return visits.compare(session.connection)

    return await warehouse.read(compare)


async def ids_of(warehouse: Warehouse) -> list[int]:
    return [row[0] for row in await rows(warehouse, "id")]


async def test_two_nodes_are_as_one(two: Two) -> None:
    one, other = two
    assert await one.append([a_hit(1, by=5)]) == [Stored()]
    await other.append([a_hit(2, by=5), a_hit(1, by=5)])
    stored = await rows(one, "id, path, session, first")
    assert stored == await rows(other, "id, path, session, first")
    assert [(id_, path, first) for id_, path, _, first in stored] == [(1, 1, True), (2, 2, True), (3, 1, False)]
    assert len({session for _, _, session, _ in stored}) == 1
    appends = [two[n % 2].append([a_hit(n % 7, by=n % 40, created=NOW + n)]) for n in range(400)]
    await asyncio.gather(*appends)
    assert await ids_of(other) == [*range(1, 404)]
    assert await compared(one) == ComparedVisits(40, 0)
    # Records of requests hold on both.
    record = IdempotencyRecord("key", "fingerprint", "answer", 100)
    await one.append([a_hit(3)], record)
    with pytest.raises(KeyInFlight):
        await other.append([a_hit(3)], record)
    assert await other.idempotency_record("key") == record
    assert await other.idempotency_record("none") is None
    # A change on the node that is not the mover.
    mover_, reader = await movers(two)
    await until(lambda: reader.mover == mover_.mover == mover_.node)
    with pytest.raises(Conflicting):
        await reader.write(_refusing)
    assert reader.carries_out_jobs
    await until(lambda: not mover_.carries_out_jobs)
    await mover_.append([a_hit(9, site=2)])
    assert await reader.write(lambda session: session.delete_site(1)) == 404
    await reader.write(lambda session: session.forget_old(NOW, 100 + 25 * 3_600))
    assert await one.idempotency_record("key") is None
    await other.append([a_hit(4, by=5)])
    # The deleted hits' ids are not given again.
    assert await rows(one, "id, site") == [(405, 2), (406, 1)]
    assert (one.failures, other.failures, one.failing) == (0, 0, False)
    assert other.waiting == 0
    await until(lambda: one.unmoved == 0)


def _refusing(session: WarehouseWriteSession) -> None:
    session.delete_site(1)
    raise Conflicting


async def test_a_wait_for_the_mover_is_known_after_it_has_ended(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also, an instance that has failed is opened again for the next read."""
    one, _ = two
    await one.append([a_hit(1)])
    assert await ids_of(one) == [1]
    root = one._store._root  # noqa: SLF001
    assert root is not None
    root.close()
    assert await ids_of(one) == [1]
    assert one._store._root not in {None, root}  # noqa: SLF001
    before = time.monotonic()
    await one.complete()
    assert not one.was_incomplete(before)
    monkeypatch.setattr(module, "LATE_AFTER_S", 0)
    await one.complete()
    assert one.was_incomplete(before)
    assert not one.was_incomplete(time.monotonic() + 1)


async def test_reads_that_wait_for_the_mover_are_bounded(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = two
    await one.append([a_hit(1)])
    go_on, wait = Event(), Reach.wait

    def held(reach: Reach) -> None:
        go_on.wait(WITHIN_S)
        wait(reach)

    monkeypatch.setattr(Reach, "wait", held)
    waiting = [asyncio.create_task(ids_of(one)) for _ in range(WAITING_READS)]
    await asyncio.sleep(0)
    for use in (one.complete, lambda: ids_of(one)):
        with pytest.raises(StoreBusy, match="too many requests are waiting") as refused:
            await use()
        assert refused.value.retry_after == 1
    flushing = asyncio.create_task(one.flush())  # whether it is ready is found out all the same
    go_on.set()
    await flushing
    assert await asyncio.gather(*waiting) == [[1]] * WAITING_READS


async def test_changes_are_made_while_hits_arrive_without_a_pause(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while every chore fails."""
    mover_, other = await movers(two)
    changed = asyncio.Event()
    monkeypatch.setattr(Chores, "work", _failing_chore)

    async def send() -> None:
        while not changed.is_set():
            await other.append([a_hit(1)])

    sending = asyncio.create_task(send())
    try:
        async with asyncio.timeout(WITHIN_S):
            await mover_.append([a_hit(1)])
            # The second one also hands the lake over.
            assert await mover_.write(lambda session: session.delete_site(2)) == 0
            assert await other.write(lambda session: session.delete_site(2)) == 0
    finally:
        changed.set()
        await sending
    assert len(await ids_of(mover_)) > 1
    assert [(node.failures, node.failing) for node in two] == [(0, False)] * 2


def _failing_chore(*_: object) -> None:
    msg = "no such file"
    raise duckdb.IOException(msg)


async def test_another_mover_continues_wherever_the_first_one_stopped(two: Two, url: str) -> None:
    """The mover fails in each phase of a move, and another one takes over while it does not know."""
    paths = 0
    for place, name, begins in ((moves, "begin", True), (mover, "_note_move", False), (moves, "end", False)):
        first, second = await movers(two)
        paths += 1
        await first.append([a_hit(paths, by=5)])
        await first.flush()
        with _stopping_in(place, name, url, begins=begins) as stopped, capture_logs() as logs:
            paths += 6
            appends = [two[n % 2].append([a_hit(paths - n, by=5)] * 3) for n in range(6)]
            await asyncio.gather(*appends)
            await until(stopped.is_set)
            stored = await rows(second, "id, path, session, first")
        assert [row[0] for row in stored] == [*range(1, len(stored) + 1)], name
        assert sorted({row[1] for row in stored}) == [*range(1, paths + 1)]
        assert len({row[2] for row in stored}) == 1
        assert sum(row[3] for row in stored) == paths
        assert await compared(first) == ComparedVisits(1, 0)
        assert any(entry["log_level"] == "error" for entry in logs)
    await _a_former_mover_can_commit_nothing(two, url)


@contextmanager
def _stopping_in(place: ModuleType, name: str, url: str, *, begins: bool) -> Iterator[Event]:
    """The next call of a function fails after the lease has ended, as on a node that is frozen there and killed.

    Args:
        begins: whether the function does its work before that.
    """
    real, stopped = getattr(place, name), Event()

    def failing(*arguments: object) -> object:
        setattr(place, name, real)
        if begins:
            real(*arguments)
        end_lease(url)
        stopped.set()
        msg = "stopped"
        raise duckdb.IOException(msg)

    setattr(place, name, failing)
    try:
        yield stopped
    finally:
        setattr(place, name, real)


async def _a_former_mover_can_commit_nothing(two: Two, url: str) -> None:
    first, second = await movers(two)
    await first.append([a_hit(1, site=2)])
    before = await ids_of(first)

    def frozen(session: WarehouseWriteSession) -> int:
        removed = session.delete_site(2)
        deadline = time.monotonic() + WITHIN_S
        # Again and again: only this thread is frozen, and the one that keeps the lease extends it.
        while not second.carries_out_jobs and time.monotonic() < deadline:
            end_lease(url)
            time.sleep(0.05)
        return removed

    with pytest.raises(StoreUnavailable):
        await first.write(frozen)
    await until(lambda: not first.carries_out_jobs)
    assert await ids_of(first) == before
    await first.append([a_hit(2)])
    assert await ids_of(first) == [*before, len(before) + 1]


async def test_a_database_that_is_away_is_waited_for(
    two: Two, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two
    await one.append([a_hit(1, by=5)])
    assert await ids_of(other) == [1]
    await asyncio.to_thread(postgres.stop)
    with pytest.raises(StoreUnavailable):
        await one.append([a_hit(2, by=5)])
    with pytest.raises(StoreAway):
        await other.read(lambda session: session.newest_hit(1))
    with monkeypatch.context() as patch:
        # It has gone after the read has looked how far the lake reaches.
        patch.setattr(Reach, "wait", lambda _: None)
        with pytest.raises(StoreAway):
            await other.read(lambda session: session.newest_hit(1))
    await asyncio.to_thread(postgres.start)
    # Whoever only reads does not notice that connections were lost meanwhile.
    assert await ids_of(other) == [1]
    await asyncio.to_thread(postgres.restart)
    assert await ids_of(other) == [1]
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                await other.append([a_hit(3, by=5)])
                stored = await rows(one, "id, path, first")
                break
            except StoreUnavailable:
                await asyncio.sleep(0.1)
    assert stored[0] == (1, 1, True)
    assert {row[1] for row in stored} == {1, 3}
    await until(lambda: not one.failing and not other.failing)
