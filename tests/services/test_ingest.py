"""From what senders say to what is kept, through ledger and warehouse."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from builders import NOW
from support.arrivals import GOOGLEBOT, NOW_S, a_site, a_told_arrival, an_arrival
from support.in_process import knowledge
from support.ledgers import Clock, opened
from support.prepared import copy_migrated_ledger, copy_migrated_warehouse
from support.warehouses import rows
from tallystick.errors import NoSuchSite, StoreBusy, StoreFailed
from tallystick.ledger import Ledger, open_database
from tallystick.model.hit import WEB_BEGAN, Bot
from tallystick.model.site import COLLECT, Collect, Site
from tallystick.services.accounts.accounts import NewAccount, create_account
from tallystick.services.accounts.site_rows import active_sites
from tallystick.services.accounts.sites import NewSite, create_site
from tallystick.services.analytics.names import TITLE_REPLACED_AFTER, Names, campaign_ids, list_paths, path_ids
from tallystick.services.ingest import ingest
from tallystick.services.ingest.ingest import AT_ONCE, Dropped, DropReason, Ingest, InvalidHit, Knowledge, Refusal
from tallystick.warehouse import IdempotencyRecord, Stored
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse
from tallystick.warehouse.types import NumberedHit

HOUR_MS = 3_600_000


class House:
    """An ingest and its stores."""

    def __init__(
        self, ledger: Ledger, warehouse: DuckDbWarehouse, clock: Clock, known: Knowledge, *, one_by_one: bool
    ) -> None:
        self.ledger, self.warehouse, self.clock, self.one_by_one = ledger, warehouse, clock, one_by_one
        self.names = Names(ledger)
        self.ingest = Ingest(ledger, warehouse, self.names, known)

    async def record(self, *arrivals: Any, site: Site | None = None) -> list[Any]:
        site = site or a_site()
        if self.one_by_one:
            return [await self.ingest.record_one(site, arrival) for arrival in arrivals]
        return list(await self.ingest.record(site, arrivals))

    async def paths(self, site: int = 1) -> list[tuple[str, str, bool]]:
        listed = await self.ledger.read(list_paths, site, 0, 1_000)
        return [(path.path, path.title, path.event) for path in listed]


@pytest.fixture(params=[True, False], ids=["one by one", "together"])
async def house(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    clock = Clock()
    copy_migrated_ledger(tmp_path)
    copy_migrated_warehouse(tmp_path)
    async with opened(open_database(None, tmp_path), clock) as ledger:
        warehouse = await DuckDbWarehouse.open(tmp_path / WAREHOUSE_FILE, clock=lambda: clock() // 1000)
        yield House(ledger, warehouse, clock, await knowledge(), one_by_one=request.param)
        await warehouse.close()


async def test_a_pageview_is_kept_with_all_that_was_understood(house: House) -> None:
    arrival = an_arrival(
        "a/?utm_source=x",
        title="A",
        ref="https://example.com/?b",
        query="?campaign=Spring",
        width=1920,
        location="US-TX",
        created=NOW_S - 5,
    )
    [stored] = await house.record(arrival)
    assert isinstance(stored, NumberedHit)
    [path] = await house.ledger.read(path_ids, 1, ["/a"])
    [campaign] = await house.ledger.read(campaign_ids, 1, ["spring"])
    assert stored.first
    assert await rows(house.warehouse) == [
        (
            *(stored.id, 1, path, stored.session, True, False, 0, "example.com", "c", campaign),
            *("Firefox", "140", "Linux", "", "US", "TX", "", 1920, NOW_S - 5),
            *("", "", "", "", "", "example.com", "Referral"),
            *(None, "", True, "Desktop"),
        )
    ]
    assert await house.paths() == [("/a", "A", False)]


async def test_results_come_in_the_order_of_the_arrivals(house: House) -> None:
    results = await house.record(
        an_arrival("/a"),
        an_arrival(""),
        an_arrival("/favicon.ico"),
        an_arrival("/b"),
        an_arrival(prefetch=True),
    )
    first, invalid, ignored, second, prefetch = results
    assert isinstance(first, NumberedHit)
    assert isinstance(second, NumberedHit)
    assert isinstance(invalid, InvalidHit)
    assert (ignored, prefetch) == (Dropped(DropReason.IGNORED_PATH), Dropped(DropReason.PREFETCH))
    assert second.id == first.id + 1
    assert len(await rows(house.warehouse)) == 2


async def test_a_batch_of_many_is_judged_like_one(house: House) -> None:
    arrivals = [an_arrival(f"/{number}" if number % 2 else "") for number in range(3 * AT_ONCE)]
    results = await house.record(*arrivals)
    assert [isinstance(result, Stored) for result in results] == [bool(number % 2) for number in range(3 * AT_ONCE)]


async def test_a_visitor_counts_once_on_a_path(house: House) -> None:
    stored = await house.record(an_arrival("/a"), an_arrival("/A"), an_arrival("/b"), an_arrival("/a", no_session=True))
    assert [hit.first for hit in stored] == [True, False, True, True]
    assert stored[0].session == stored[1].session == stored[2].session != 0 == stored[3].session


async def test_a_session_goes_on_when_its_salt_does_not(house: House) -> None:
    [before] = await house.record(an_arrival(received=NOW_S))
    house.clock.now += 7 * HOUR_MS
    [between] = await house.record(an_arrival(received=NOW_S + 7 * 3_600))
    house.clock.now += 7 * HOUR_MS
    [after] = await house.record(an_arrival(received=NOW_S + 14 * 3_600))
    assert before.session == between.session == after.session
    assert [before.first, between.first, after.first] == [True, False, False]


async def test_sites_share_no_sessions(house: House) -> None:
    [ours] = await house.record(an_arrival(), site=a_site(1))
    [theirs] = await house.record(an_arrival(), site=a_site(2))
    assert ours.session != theirs.session
    assert theirs.first


async def test_the_senders_own_sessions_are_per_site(house: House) -> None:
    [ours] = await house.record(a_told_arrival(session="x"), site=a_site(1))
    [again] = await house.record(a_told_arrival(session="x"), site=a_site(1))
    [theirs] = await house.record(a_told_arrival(session="x"), site=a_site(2))
    assert ours.session == again.session != theirs.session


async def test_bots_are_kept_with_their_reason_and_list_no_path(house: House) -> None:
    await house.record(an_arrival("/a", agent=GOOGLEBOT))
    assert await rows(house.warehouse, "bot, session") == [(Bot.LINK, 0)]
    assert await house.paths() == []
    await house.record(an_arrival("/a"))
    assert await house.paths() == [("/a", "", False)]


async def test_a_title_is_replaced_when_enough_hits_have_another(house: House) -> None:
    await house.record(an_arrival("/a", title="old"))
    for _ in range(TITLE_REPLACED_AFTER):
        await house.record(an_arrival("/a", title="new"))
    assert await house.paths() == [("/a", "old", False)]
    await house.record(an_arrival("/a", title="new"))
    assert await house.paths() == [("/a", "new", False)]


async def test_neither_bots_nor_hits_without_a_title_change_one(house: House) -> None:
    await house.record(an_arrival("/a", title="old"))
    others = [an_arrival("/a", title="new", agent=GOOGLEBOT), an_arrival("/a")] * 2 * TITLE_REPLACED_AFTER
    await house.record(*others)
    assert await house.paths() == [("/a", "old", False)]


async def test_an_event_and_a_page_of_its_name_are_two(house: House) -> None:
    await house.record(an_arrival("/a"), an_arrival("/a", event=True))
    assert await house.paths() == [("/a", "", False), ("a", "", True)]


async def test_without_single_hits_only_the_hour_is_kept(house: House) -> None:
    site = a_site(collect=COLLECT & ~Collect.HITS)
    created = NOW_S - NOW_S % 3_600 - 10
    [one, two] = await house.record(an_arrival(created=created), an_arrival(created=created), site=site)
    assert (one.first, two.first) == (True, False)
    assert await rows(house.warehouse, "session, created") == [(0, created + 10 - 3_600)] * 2


async def test_new_settings_hold_at_once(house: House) -> None:
    await house.record(an_arrival(width=100))
    await house.record(an_arrival(width=100), site=a_site(collect=int(Collect.NOTHING)))
    assert await rows(house.warehouse, "CAST(width AS INTEGER)") == [(100,), (0,)]


async def the_site(house: House) -> Site:
    def create(session: Any) -> None:
        person = create_account(session, NewAccount(email="a@example.com", password="-"), NOW)
        create_site(session, person, NewSite(cname="stats.example.com"), NOW)

    if not await house.ledger.read(active_sites):
        await house.ledger.write(create)
    [site] = await house.ledger.read(active_sites)
    return site


async def test_the_first_hit_of_a_person_is_noted_once(house: House) -> None:
    site = await the_site(house)
    await house.record(an_arrival(agent=GOOGLEBOT), site=site)
    assert not (await the_site(house)).received_data
    await house.record(an_arrival(), site=site)
    noted = await the_site(house)
    assert (noted.received_data, noted.first_hit) == (True, site.first_hit)


@pytest.mark.parametrize("error", [RuntimeError("broken"), StoreFailed("broken"), StoreBusy("full")])
async def test_a_hit_that_is_stored_is_answered_as_stored_whatever_cannot_be_noted(
    house: House, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    site = await the_site(house)

    def broken(*_: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(ingest, "note_hits", broken)
        stored = await house.record(an_arrival(), site=site)
        assert isinstance(stored[0], Stored)
    assert not (await the_site(house)).received_data
    await house.record(an_arrival(), site=site)
    assert (await the_site(house)).received_data
    assert len(await rows(house.warehouse, "id")) == 2


async def test_an_older_hit_moves_the_beginning_to_half_a_day_before_it(house: House) -> None:
    site = await the_site(house)
    await house.record(an_arrival(created=NOW_S - 100_000), an_arrival(created=NOW_S - 50_000), site=site)
    begins = (NOW_S - 100_000 - 12 * 3_600) * 1000
    assert (await the_site(house)).first_hit == begins
    await house.record(an_arrival(created=NOW_S - 120_000), site=site)
    assert (await the_site(house)).first_hit == begins
    await house.record(an_arrival(created=WEB_BEGAN), site=site)
    assert (await the_site(house)).first_hit == (WEB_BEGAN - 12 * 3_600) * 1000
    # What people read is the hit's own time.
    assert (await the_site(house)).counting_since == WEB_BEGAN * 1000


async def test_what_to_answer_is_kept_with_the_hits(house: House) -> None:
    asked: list[Sequence[Refusal | None]] = []

    def keep(refused: Sequence[Refusal | None]) -> IdempotencyRecord:
        asked.append(refused)
        return IdempotencyRecord("key", "fingerprint", "answer", NOW_S)

    await house.ingest.record(a_site(), [an_arrival(), an_arrival("/favicon.ico")], keep)
    assert asked == [[None, Dropped(DropReason.IGNORED_PATH)]]
    assert await house.warehouse.idempotency_record("key") == IdempotencyRecord("key", "fingerprint", "answer", NOW_S)


async def test_an_answer_is_kept_also_when_nothing_was_stored(house: House) -> None:
    await house.ingest.record(a_site(), [an_arrival("")], lambda _: IdempotencyRecord("key", "", "", NOW_S))
    assert await house.warehouse.idempotency_record("key") is not None


async def test_nothing_is_acknowledged_that_the_warehouse_refuses(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object) -> None:
        raise StoreBusy

    monkeypatch.setattr(house.warehouse, "append", busy)
    with pytest.raises(StoreBusy):
        await house.record(an_arrival())


async def test_hits_of_many_at_once_find_one_path(house: House) -> None:
    await asyncio.gather(*(house.record(an_arrival("/a", address=f"192.0.2.{number}")) for number in range(100)))
    [path] = await house.ledger.read(path_ids, 1, ["/a"])
    assert await rows(house.warehouse, "path") == [(path,)] * 100


async def test_a_name_that_is_forgotten_on_the_way_is_looked_up_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = house.names.learn
    learned: list[Any] = []

    async def learn_and_forget(*names: Any) -> None:
        await learn(*names)
        if not learned:
            house.names.forget()
        learned.append(names)

    monkeypatch.setattr(house.names, "learn", learn_and_forget)
    [stored] = await house.record(an_arrival("/a", query="?campaign=x"))
    [path] = await house.ledger.read(path_ids, 1, ["/a"])
    assert await rows(house.warehouse, "id, path") == [(stored.id, path)]
    assert len(learned) == 2


async def test_a_request_that_was_on_its_way_to_a_deleted_site_leaves_no_hit(house: House) -> None:
    await house.record(an_arrival("/a"))
    house.names.forget([1])
    with pytest.raises(NoSuchSite):
        await house.record(an_arrival("/a"))
    assert len(await rows(house.warehouse)) == 1
