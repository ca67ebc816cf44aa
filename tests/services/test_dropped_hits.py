"""Hits that are not recorded leave a number for each hour and reason, and nothing else."""

from collections.abc import AsyncIterator
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.arrivals import NOW_S, a_site, an_arrival
from support.in_process import knowledge
from support.ledgers import Clock, opened
from support.telling import at
from tallystick.errors import StoreBusy
from tallystick.ledger import Ledger, open_database
from tallystick.model.hit import HOUR_S
from tallystick.model.period import Period, period
from tallystick.model.question import TimeUnit
from tallystick.services.analytics.names import Names
from tallystick.services.ingest import dropped_hits as module
from tallystick.services.ingest.arrival import DropReason
from tallystick.services.ingest.dropped_hits import (
    REASONS,
    DroppedHits,
    dropped_hits,
    dropped_over_time,
    forget_dropped,
)
from tallystick.services.ingest.ingest import Ingest
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse

HOUR = NOW_S - NOW_S % HOUR_S


@pytest.fixture
async def ledger(tmp_path: Path, database_url: str | None) -> AsyncIterator[Ledger]:
    async with opened(open_database(database_url, tmp_path), Clock()) as ledger:
        yield ledger


def span(begin: int, end: int) -> Period:
    return period(begin, end - 1, UTC)


def test_every_reason_has_a_code() -> None:
    assert set(REASONS) == set(DropReason)
    assert len(set(REASONS.values())) == len(REASONS)


async def test_numbers_are_stored_by_site_hour_and_reason(ledger: Ledger) -> None:
    numbers = DroppedHits(ledger)
    for site, reason, time, hits in (
        (1, DropReason.OPTED_OUT, HOUR, 3),
        (1, DropReason.OPTED_OUT, HOUR + HOUR_S - 1, 1),
        (1, DropReason.PREFETCH, HOUR + HOUR_S, 9),
        (1, DropReason.PREFETCH, HOUR, 2),
        (2, DropReason.SPAM_REFERRER, HOUR, 5),
    ):
        for _ in range(hits):
            numbers.note(site, reason, time)
    assert await ledger.read(dropped_hits, [1, 2], span(HOUR, HOUR + HOUR_S)) == {}
    await numbers.keep()
    numbers.note(1, DropReason.OPTED_OUT, HOUR)
    await numbers.keep()
    await numbers.keep()
    of_both = await ledger.read(dropped_hits, [1, 2], span(HOUR, HOUR + HOUR_S))
    assert list(of_both.items()) == [
        (DropReason.OPTED_OUT, 5),
        (DropReason.SPAM_REFERRER, 5),
        (DropReason.PREFETCH, 2),
    ]
    assert await ledger.read(dropped_hits, [1], span(HOUR + HOUR_S, HOUR + 2 * HOUR_S)) == {DropReason.PREFETCH: 9}


async def test_a_failed_write_loses_no_number(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = DroppedHits(ledger)
    numbers.note(1, DropReason.OPTED_OUT, HOUR)

    async def busy(*_: object) -> None:
        numbers.note(1, DropReason.OPTED_OUT, HOUR)  # meanwhile
        raise StoreBusy

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "write", busy)
        with pytest.raises(StoreBusy):
            await numbers.keep()
    await numbers.keep()
    assert await ledger.read(dropped_hits, [1], span(HOUR, HOUR + HOUR_S)) == {DropReason.OPTED_OUT: 2}


async def test_they_go_with_the_retention_of_their_site(ledger: Ledger) -> None:
    numbers = DroppedHits(ledger)
    for site in (1, 2):
        numbers.note(site, DropReason.OPTED_OUT, HOUR)
        numbers.note(site, DropReason.OPTED_OUT, HOUR + HOUR_S)
    await numbers.keep()
    await ledger.write(forget_dropped, [(1, HOUR + HOUR_S)])
    everything = span(0, HOUR + 9 * HOUR_S)
    assert await ledger.read(dropped_hits, [1], everything) == {DropReason.OPTED_OUT: 1}
    assert await ledger.read(dropped_hits, [2], everything) == {DropReason.OPTED_OUT: 2}


@pytest.mark.parametrize(
    ("unit", "zone", "expected"),
    [
        (TimeUnit.DAY, "UTC", {"2024-03-30": 2, "2024-03-31": 3, "2024-04-01": 1}),
        (TimeUnit.DAY, "Europe/Berlin", {"2024-03-31": 4, "2024-04-01": 2}),
        # The clocks went forward at 1:00 UTC.
        (
            TimeUnit.HOUR,
            "Europe/Berlin",
            {
                "2024-03-31 00:00:00": 2,
                "2024-03-31 01:00:00": 1,
                "2024-03-31 03:00:00": 1,
                "2024-04-01 00:00:00": 1,
                "2024-04-01 02:00:00": 1,
            },
        ),
        (TimeUnit.WEEK, "UTC", {"2024-03-29": 5, "2024-04-01": 1}),
        (TimeUnit.MONTH, "UTC", {"2024-03-01": 5, "2024-04-01": 1}),
    ],
)
async def test_over_time_by_the_clocks_of_the_zone(
    ledger: Ledger, unit: TimeUnit, zone: str, expected: dict[str, int]
) -> None:
    numbers = DroppedHits(ledger)
    for text in ("30T23:00", "30T23:59", "31T00:30", "31T01:00", "31T22:00"):
        numbers.note(1, DropReason.PREFETCH, at(f"2024-03-{text}"))
    numbers.note(2, DropReason.OPTED_OUT, at("2024-04-01T00:00"))
    numbers.note(3, DropReason.OPTED_OUT, at("2024-04-01T00:00"))
    await numbers.keep()
    asked = period(at("2024-03-29"), at("2024-04-30T23:59:59"), ZoneInfo(zone))
    found = await ledger.read(dropped_over_time, [1, 2], asked, unit)
    assert {label: sum(reasons.values()) for label, reasons in found.items()} == expected
    if unit is TimeUnit.DAY:
        assert found["2024-04-01"][DropReason.OPTED_OUT] == 1


@given(times=st.lists(st.integers(HOUR, HOUR + 60 * HOUR_S), max_size=20), cut=st.integers(1, 60))
def test_parts_of_a_period_add_up_to_the_whole(times: list[int], cut: int) -> None:
    zone = ZoneInfo("Asia/Kolkata")
    begin, middle, end = HOUR, HOUR + cut * HOUR_S + 1_800, HOUR + 100 * HOUR_S
    periods = [period(begin, middle - 1, zone), period(middle, end - 1, zone), period(begin, end - 1, zone)]
    hours = [time - time % HOUR_S for time in times]
    first, second, whole = [sum(each.first <= hour < each.after for hour in hours) for each in periods]
    assert first + second == whole


async def test_ingest_counts_what_it_drops_and_no_more(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PENDING_AT_MOST", 2)
    warehouse = await DuckDbWarehouse.open(tmp_path / WAREHOUSE_FILE, clock=lambda: NOW_S)
    try:
        ingest, site = Ingest(ledger, warehouse, Names(ledger), await knowledge()), a_site()
        await ingest.record_one(site, an_arrival(prefetch=True))
        await ingest.record_one(site, an_arrival(path="/favicon.ico"))
        await ingest.record_one(site, an_arrival(path="/a"))
        results = await ingest.record(
            site, [an_arrival(path="/favicon.ico", created=1), an_arrival(path="/a"), an_arrival(prefetch=True)]
        )
        assert [type(each).__name__ for each in results] == ["InvalidHit", "NumberedHit", "Dropped"]
    finally:
        await warehouse.close()
    # More than PENDING_AT_MOST: they were stored without a call of keep.
    hour = span(HOUR, HOUR + HOUR_S)
    assert await ledger.read(dropped_hits, [site.id], hour) == {DropReason.PREFETCH: 2, DropReason.IGNORED_PATH: 1}
