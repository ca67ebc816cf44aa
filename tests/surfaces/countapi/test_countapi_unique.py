"""``unique`` of ``create``: a counter that counts each visitor once, without an owner."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.analytics import CHROME, FIREFOX, HOST, UNLIMITED
from support.in_process import InProcess, in_process
from support.people import a_person, a_site
from tallystick.model.counter import LIFETIME_MS
from tallystick.services.accounts.sites import SiteChanges, update_site
from tallystick.web.rate_limit import Rate

BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with in_process(tmp_path, rate_limit=UNLIMITED) as running:
        yield running


async def hit(site: InProcess, key: str, client: str | None = HERE, agent: str = FIREFOX, verb: str = "hit") -> int:
    answer = await site.ask(f"/{verb}/{key}", headers=[("user-agent", agent)], client=client)
    assert answer.status == 200
    value: int = answer.json()["value"]
    return value


async def test_each_visitor_counts_once(site: InProcess) -> None:
    made = await site.ask("/create?namespace=mysite.com&key=visitors&unique=day&update_upperbound=5&enable_reset=1")
    assert (made.status, made.json()) == (200, {"namespace": "mysite.com", "key": "visitors", "value": 0})
    key = "mysite.com/visitors"
    assert [await hit(site, key), await hit(site, key), await hit(site, key, THERE)] == [1, 1, 2]
    assert await hit(site, key, HERE, CHROME) == 3
    assert await hit(site, key, "192.0.2.3", BOT) == await hit(site, key, None) == 3
    update = f"/update/{key}?amount=5"
    assert (await site.ask(update, headers=[("user-agent", CHROME)], client=THERE)).json() == {"value": 8}
    assert (await site.ask(update, headers=[("user-agent", CHROME)], client=THERE)).json() == {"value": 8}
    assert (await site.ask(f"/set/{key}?value=0")).json() == {"old_value": 8, "value": 0}
    shown = (await site.ask(f"/api/counters/{key}")).json()
    assert (shown["unique"], shown["owned"], shown["locked"]) == ("day", False, False)
    assert shown["expires"] is not None
    site.clock.advance(seconds=86_400)
    assert await hit(site, key) == 1
    site.clock.advance(seconds=LIFETIME_MS / 1_000)
    assert [await hit(site, key), await hit(site, key)] == [1, 2], "an expired counter and its rule are gone"
    assert (await site.ask("/stats")).json()["keys_created"] == 2


async def test_the_site_s_own_visits_are_left_out(site: InProcess) -> None:
    ledger = site.application.ledger
    own = await a_site(ledger, await a_person(ledger), HOST)
    await ledger.write(update_site, own.id, SiteChanges(settings={"ignore_ips": ("192.0.2.0/31",)}), ledger.clock())
    await site.ask(f"/create?namespace={HOST}&key=visitors&unique=visit")
    await site.ask("/create?namespace=another&key=visitors&unique=visit")
    for key, values in ((f"{HOST}/visitors", [0, 1]), ("another/visitors", [1, 2])):
        assert [await hit(site, key, HERE), await hit(site, key, THERE)] == values, key


async def test_an_address_is_not_any_number_of_visitors(tmp_path: Path) -> None:
    """Who makes up browsers is counted up to a limit, and the others still are."""
    async with in_process(tmp_path, rate_limit=(Rate("unique-visitors", 3, 3_600),)) as site:
        await site.ask("/create?key=visitors&unique=hour")
        values = [await hit(site, "visitors", HERE, f"{FIREFOX}{number}") for number in range(5)]
        assert values == [1, 2, 3, 3, 3]
        assert await hit(site, "visitors", THERE) == 4


@pytest.mark.parametrize("absent", ["", "&unique=", "&unique=null", "&unique=undefined"])
async def test_without_it_every_request_counts(site: InProcess, absent: str) -> None:
    assert (await site.ask(f"/create?key=plain{absent}")).status == 200
    assert [await hit(site, "plain"), await hit(site, "plain")] == [1, 2]


async def test_other_windows_are_refused(site: InProcess) -> None:
    refused = await site.ask("/create?key=visitors&unique=week")
    assert (refused.status, refused.json()) == (400, {"error": "unique must be hour, day or visit"})
    assert (await site.ask("/get/visitors")).status == 404
    await site.ask("/create?key=visitors&unique=hour")
    assert (await site.ask("/create?key=visitors&unique=hour")).status == 409
    assert (await site.ask("/create?key=missing&unique=hour", method="HEAD")).status == 404
