"""The start page: what this server is to whom, and the lists of what a person has as data."""

import re
from pathlib import Path
from typing import Any

import pytest

from builders import NOW
from support.asking import Answer
from support.pages import PASSWORD, Pages
from support.rights import GUEST, world
from support.sharing import a_counter
from tallystick.ledger import Ledger
from tallystick.services.accounts.sites import SiteChanges, update_site

PUBLIC = SiteChanges(settings={"public": "public"})


async def test_a_visitor_of_a_private_server_sees_a_login(ledger: Ledger) -> None:
    pages = Pages(ledger, public_counters="off")
    async with pages.visitor() as visitor:
        assert 'href="/setup">Set it up</a>' in (await visitor.get("/")).text
    async with pages.ada(), pages.visitor() as visitor:
        shown = await visitor.get("/")
        assert "<h1>This is a private Tallystick server</h1>" in shown.text
        assert "/hit/" not in shown.text
        assert shown.headers["cache-control"] == "private, no-store"
        entered = await visitor.fill("/", {"email": "ada@example.com", "password": PASSWORD}, action="/login")
        assert (entered.status_code, entered.headers["location"]) == (303, "/")
        assert (await visitor.get("/")).headers["location"] == "/sites/stats.example.com"
        # One site that everyone may read makes the server a public one.
        await ledger.write(update_site, 1, PUBLIC, NOW)
        async with pages.visitor() as guest:
            shown = await guest.get("/")
            assert '<li><a href="/sites/stats.example.com">stats.example.com</a></li>' in shown.text
            assert "set-cookie" not in shown.headers
            assert (await guest.get("/index.json")).json() == {
                "setup_needed": False,
                "public_counters": "off",
                "join": "invited",
                "sites": [{"name": "stats.example.com", "address": "/sites/stats.example.com"}],
            }


@pytest.mark.parametrize("public_counters", ["open", "existing"])
async def test_a_visitor_of_a_public_server_sees_all_three_ways_to_count(ledger: Ledger, public_counters: str) -> None:
    async with Pages(ledger, public_counters=public_counters).visitor() as visitor:
        text = (await visitor.get("/")).text
    for way in ("/hit/example.com/visits", "/v1/counters/ID/increment", "/count.js"):
        assert f"http://stats.example.com{way}" in text
    assert ("The first request creates the counter." in text) == (public_counters == "open")


async def test_a_person_sees_their_sites_and_counters(tmp_path: Path) -> None:
    async with world(tmp_path) as everybody:
        ledger = everybody.analytics.services.ledger

        async def start(person: str) -> Answer:
            return await everybody.page(person, "GET", "/")

        assert (await start("foreign admin")).headers["location"] == "/sites/foreign.example.net"
        for person, sites, counters in (("admin", 2, 0), ("counters only", 0, 1), ("no access", 0, 0)):
            text = (await start(person)).text
            assert len(re.findall(r'<h2><a href="/sites/[a-z.]+', text)) == sites, person
            assert ("Shared</bdi>" in text) == bool(counters), person
            assert ("You have no sites and no counters yet." in text) == (not sites and not counters), person
            data = (await everybody.page(person, "GET", "/index.json")).json()
            assert (len(data["sites"]), len(data["counters"])) == (sites, counters), person
        assert 'href="/sites#new"' not in (await start("no access")).text
        # A site and a counter: both are shown.
        foreign = everybody.people["foreign admin"].account
        await a_counter(ledger, foreign, "Cups <of> tea")
        text = (await start("foreign admin")).text
        assert "Cups &lt;of&gt; tea" in text
        assert 'href="/sites/foreign.example.net' in text
        assert "foreign" not in (await start("admin")).text
        assert (await start(GUEST)).status == 200


async def test_lists_are_data_for_whom_they_are_pages(tmp_path: Path) -> None:
    async with world(tmp_path) as everybody:

        async def data(person: str, path: str) -> dict[str, Any]:
            found: dict[str, Any] = (await everybody.page(person, "GET", path)).json()
            return found

        sites = (await data("reader", "/sites.json"))["sites"]
        assert [site["name"] for site in sites] == ["second.example.com", "stats.example.com"]
        assert {"id", "domain", "address", "counting", "pinned", "visitors", "visitors_before"} <= sites[0].keys()
        assert (await data("reader", "/sites.json?find=second"))["found"] == 1
        assert (await data("no access", "/sites.json"))["sites"] == []
        people = (await data("admin", "/people.json"))["people"]
        seen = (await data("reader", "/people.json"))["people"]
        assert [person["id"] for person in seen] == [person["id"] for person in people]
        assert all(person["email"] for person in people)
        assert [person["email"] for person in seen if person["email"]] == ["reader@example.net"]
