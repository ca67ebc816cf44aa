"""An address brings a site so many new names; beyond them hits are counted under names that say so."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.analytics import Analytics, analytics_in_process
from tallystick.model.account import Permission
from tallystick.services.ingest import new_names
from tallystick.web.rate_limit import Rate

UNLIMITED = Rate("count", None, 0), Rate("count-address", None, 0)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Analytics]:
    """A site that takes three new names from an address."""
    async with analytics_in_process(tmp_path, rate_limit=(*UNLIMITED, Rate("new-names", 3, 3_600))) as analytics:
        yield analytics


async def listed(site: Analytics, page: str) -> dict[str, int]:
    answer = await site.api("GET", f"/stats/{page}?start=2027-01-15&end=2027-01-15T23:59:59Z&limit=100")
    [rows] = [answer.json()[key] for key in ("hits", "stats") if key in answer.json()]
    return {row.get("path", row.get("name")): row["count"] for row in rows}


async def send(site: Analytics, *sent: dict[str, Any], client: str = "192.0.2.1") -> None:
    for fields in sent:
        assert (await site.pixel(client=client, ns="1", **fields)).status == 200


async def test_paths_beyond_the_limit_are_one_path(site: Analytics) -> None:
    await send(site, *({"p": f"/{number}", "t": f"Page {number}"} for number in range(10)))
    assert await listed(site, "hits") == {"/0": 1, "/1": 1, "/2": 1, "/(too many new paths)": 7}
    rows = (await site.api("GET", "/paths?limit=100")).json()["paths"]
    assert [row["title"] for row in rows] == ["Page 0", "Page 1", "Page 2", ""]


async def test_names_that_are_known_cost_nothing(site: Analytics) -> None:
    await send(site, *({"p": f"/{number % 3}", "r": "https://www.google.com/"} for number in range(10)))
    site.services.names.forget()
    await send(site, *({"p": f"/{number % 3}"} for number in range(10)))
    assert await listed(site, "hits") == {"/0": 8, "/1": 6, "/2": 6}
    assert await listed(site, "toprefs") == {"Google": 10, "": 10}


async def test_events_campaigns_and_referrers_are_bounded_too(site: Analytics) -> None:
    await send(site, *({"p": f"event {number}", "e": "true"} for number in range(5)))
    assert (await listed(site, "hits"))[new_names.TOO_MANY_EVENTS] == 2
    await send(site, {"p": "event 0", "e": "true", "q": "?utm_campaign=a", "r": "https://a.example/"})
    assert await listed(site, "campaigns") == {new_names.TOO_MANY_CAMPAIGNS: 1}
    assert (await listed(site, "toprefs"))[new_names.TOO_MANY_REFERRERS] == 1


async def test_referrers_and_sources_beyond_the_limit_are_one_referrer(site: Analytics) -> None:
    await send(site, {"p": "/"}, client="198.51.100.1")
    await send(site, *({"p": "/", "r": f"https://{number}.example/"} for number in range(5)))
    await send(site, *({"p": "/", "q": f"?ref=source{number}"} for number in range(5)))
    await send(site, *({"p": "/", "r": f"https://{number}.example/"} for number in range(3)))
    assert await listed(site, "toprefs") == {
        "": 1,
        **{f"{number}.example": 2 for number in range(3)},
        new_names.TOO_MANY_REFERRERS: 7,
    }


@pytest.mark.parametrize(
    ("addresses", "paths"),
    [
        (["192.0.2.1", "192.0.2.2"], 6),
        (["2001:db8::1", "2001:db8::2"], 3),
        (["2001:db8:0:1::1", "2001:db8:0:2::1"], 6),
        ([f"2001:db8:0:{number}::1" for number in range(8)], 12),
        (["127.0.0.1"], 10),
        (["::1"], 10),
    ],
)
async def test_each_address_has_a_limit_of_its_own(site: Analytics, addresses: list[str], paths: int) -> None:
    for address in addresses:
        await send(site, *({"p": f"/{address}/{number}"} for number in range(10)), client=address)
    assert len((await listed(site, "hits")).keys() - {new_names.TOO_MANY_PATHS}) == paths


async def test_each_site_has_a_limit_of_its_own(site: Analytics) -> None:
    await send(site, *({"p": f"/{number}"} for number in range(4)))
    assert (await site.api("PUT", "/sites", json={"cname": "other.example.com"})).status == 200
    await send(site, *({"p": f"/{number}", "headers": {"host": "other.example.com"}} for number in range(4)))
    for host in ("stats.example.com", "other.example.com"):
        answer = await site.api("GET", "/paths", headers={"host": host})
        assert [row["path"] for row in answer.json()["paths"]] == ["/0", "/1", "/2", new_names.TOO_MANY_PATHS]


async def test_bots_bring_no_more_names_than_people(site: Analytics) -> None:
    bot = {"user-agent": "Googlebot/2.1 (x)"}
    await send(site, *({"p": f"/{number}", "headers": bot} for number in range(10)))
    await send(site, {"p": "/a"}, client="198.51.100.1")
    assert site.services.names.path(site.site.id, "/2") is not None
    assert site.services.names.path(site.site.id, "/3") is None


async def test_whoever_shows_a_token_may_bring_any_number(site: Analytics) -> None:
    token = await site.new_token(Permission.COUNT)
    hits = [{"path": f"/{number}", "ref": f"https://{number}.example", "ip": "192.0.2.1"} for number in range(50)]
    assert (await site.api("POST", "/count", json={"no_sessions": True, "hits": hits}, token=token)).status == 202
    assert len(await listed(site, "hits")) == 50
