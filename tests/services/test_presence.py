"""Who is on a site at this moment."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builders import NOW
from support.warehouses import a_hit, opened_warehouse
from tallystick.errors import StoreBusy
from tallystick.services.analytics.presence import AGAIN_AFTER_S, FRESH_S, LAST_S, Presence
from tallystick.warehouse import Present, Warehouse

NOW_S = NOW // 1000


class Monotonic:
    """A clock that stands still until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def reads(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> list[None]:
    """One entry for each read of the warehouse from now on; the first ones fail."""
    counted: list[None] = []
    failures, read = list(errors), warehouse.read

    async def counting(function: Callable[..., Any], *arguments: Any) -> Any:
        counted.append(None)
        if failures:
            raise failures.pop(0)
        return await read(function, *arguments)

    monkeypatch.setattr(warehouse, "read", counting)
    return counted


async def test_visitors_of_the_last_five_minutes_count_once_a_site(tmp_path: Path) -> None:
    async with opened_warehouse(tmp_path / "hits.duckdb", NOW_S) as warehouse:
        await warehouse.append(
            [
                a_hit(1, by=1, created=NOW_S - LAST_S),  # gone
                a_hit(1, by=2, created=NOW_S - LAST_S + 1),
                a_hit(2, by=2, created=NOW_S),
                a_hit(1, by=3, created=NOW_S),
                a_hit(1, by=4, site=2, created=NOW_S),
                a_hit(1, bot=3, created=NOW_S),
                a_hit(1, created=NOW_S),  # without a session: a first visit
            ]
        )
        presence = Presence(warehouse)
        assert await presence.of_sites([1]) == Present(3, 7)
        assert await presence.of_sites([2]) == Present(1, 5)
        assert await presence.of_sites([1, 2, 1]) == Present(4, 7)
        assert await presence.of_sites([3]) == Present(0, 0)


async def test_all_who_look_share_a_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened_warehouse(tmp_path / "hits.duckdb", NOW_S) as warehouse:
        counted, clock = reads(warehouse, monkeypatch), Monotonic()
        presence = Presence(warehouse, clock)
        await asyncio.gather(*(presence.of_sites([site]) for site in range(100)))
        assert len(counted) == 1


async def test_a_hit_is_seen_after_a_second_and_leaving_after_ten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened_warehouse(tmp_path / "hits.duckdb", NOW_S) as warehouse:
        counted, clock = reads(warehouse, monkeypatch), Monotonic()
        presence = Presence(warehouse, clock)
        assert await presence.of_sites([1]) == Present(0, 0)
        await warehouse.append([a_hit(1, by=1, created=NOW_S)])
        assert await presence.of_sites([1]) == Present(0, 0)
        clock.now += FRESH_S
        assert await presence.of_sites([1]) == Present(1, 1)
        clock.now += AGAIN_AFTER_S - 0.1
        await presence.of_sites([1])
        assert len(counted) == 2
        clock.now += 0.1
        await presence.of_sites([1])
        assert len(counted) == 3


async def test_a_failed_read_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened_warehouse(tmp_path / "hits.duckdb", NOW_S) as warehouse:
        reads(warehouse, monkeypatch, StoreBusy("busy"))
        presence = Presence(warehouse, Monotonic())
        with pytest.raises(StoreBusy):
            await presence.of_sites([1])
        assert await presence.of_sites([1]) == Present(0, 0)


async def test_one_who_leaves_does_not_end_the_read_of_others(tmp_path: Path) -> None:
    async with opened_warehouse(tmp_path / "hits.duckdb", NOW_S) as warehouse:
        await warehouse.append([a_hit(1, by=1, created=NOW_S)])
        presence = Presence(warehouse)
        leaves, stays = (asyncio.create_task(presence.of_sites([1])) for _ in range(2))
        await asyncio.sleep(0)
        leaves.cancel()
        assert await stays == Present(1, 1)


async def test_hits_that_other_servers_store_are_seen_after_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened_warehouse(tmp_path / "hits.duckdb", NOW_S) as warehouse:
        monkeypatch.setattr(warehouse, "shared", True)
        monkeypatch.setattr(type(warehouse), "marks", warehouse.marks)  # a lake's never change
        clock = Monotonic()
        presence = Presence(warehouse, clock)
        assert await presence.of_sites([1]) == Present(0, 0)
        await warehouse.append([a_hit(1, by=1, created=NOW_S)])
        clock.now += FRESH_S
        assert await presence.of_sites([1]) == Present(1, 1)
