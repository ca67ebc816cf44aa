"""What was left out: numbers, counting hits of bots after all, and rules."""

import csv
import re
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from support.asking import Answer
from support.rights import GUEST, World, world
from tallystick.errors import QuestionTooLong
from tallystick.ledger import Session
from tallystick.model.hit import Bot
from tallystick.model.leaving_out import RuleKind
from tallystick.services.accounts.audit import events
from tallystick.services.accounts.left_out_rules import add_rule, rules_of_site
from tallystick.services.accounts.site_rows import site as read_site
from tallystick.services.job_worker import JobWorker
from tallystick.services.jobs import Relabel, changes_of_hits, enqueue

HOST = "stats.example.com"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GOAL = "goal=Visit+/own/a"
HOSTILE = "/<script>alert(1)</script>'\"&amp;{{7-7}}"


@pytest.fixture
async def everybody(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def hit(everybody: World, path: str, **fields: Any) -> Answer:
    headers = {"host": HOST, "user-agent": FIREFOX} | fields.pop("headers", {})
    return await everybody.analytics.pixel(p=path, headers=headers, **fields)


async def page(everybody: World, path: str = "", person: str = "admin", status: int = 200) -> str:
    answer = await everybody.page(person, "GET", f"/sites/{everybody.sites['own'].id}/left-out{path}")
    assert answer.status == status, answer.text
    return answer.text


async def data(everybody: World, query: str = "", person: str = "admin") -> Any:
    answer = await everybody.page(person, "GET", f"/sites/{everybody.sites['own'].id}/left-out.json{query}")
    assert answer.status == 200, answer.text
    return answer.json()


async def send(everybody: World, path: str, status: int = 303, **fields: str) -> Answer:
    answer = await everybody.page("admin", "POST", f"/sites/{everybody.sites['own'].id}/left-out{path}", fields)
    assert answer.status == status, answer.text
    return answer


async def rules(everybody: World, kind: RuleKind) -> tuple[str, ...]:
    site = await everybody.analytics.services.ledger.read(read_site, everybody.sites["own"].id)
    assert site is not None
    return rules_of_site(site, kind)


async def do_jobs(everybody: World) -> None:
    services = everybody.analytics.services
    await JobWorker(services.ledger, services.warehouse, services.forget_names, seen_within=0).work()


async def test_everything_that_was_left_out_is_shown_with_its_reason(everybody: World) -> None:
    for _ in range(2):
        await hit(everybody, "/pricing", b="153")
    assert (await hit(everybody, "/a", headers={"sec-purpose": "prefetch"})).status == 200
    assert (await hit(everybody, "/favicon.ico")).status == 202
    await everybody.analytics.services.ingest.dropped.keep()
    found = await data(everybody)
    assert found["bots"] == 3
    assert found["dropped"] == {"prefetch": 1, "ignored-path": 1}
    assert found["lists"]["reasons"]["rows"] == [{"value": "webdriver", "hits": 2}, {"value": "phantom", "hits": 1}]
    assert found["lists"]["pages"]["rows"][0] == {"value": "/pricing", "hits": 2}
    assert found["lists"]["browsers"]["rows"][0] == {"value": "Firefox", "hits": 3}
    assert sum(row["bots"] for row in found["over_time"]["rows"]) == 3
    assert sum(sum(row["dropped"].values()) for row in found["over_time"]["rows"]) == 2
    assert len((await data(everybody, "?period=2027-01"))["over_time"]["rows"]) == 15
    shown = await page(everybody)
    for text in (
        "A browser that a program drives (WebDriver)",
        "Fetched ahead of time, perhaps never seen",
        "/pricing",
    ):
        assert text in shown
    assert "Count these after all" in shown
    answer = await everybody.page("admin", "GET", f"/sites/{everybody.sites['own'].id}/left-out.csv")
    rows = list(csv.DictReader(StringIO(answer.text)))
    assert sum(int(row["bots"]) for row in rows) == 3
    assert sum(int(row["prefetch"]) + int(row["ignored-path"]) for row in rows) == 2


async def test_the_page_of_all_statistics_has_a_panel_of_it(everybody: World) -> None:
    number = everybody.sites["own"].id
    shown = (await everybody.page("reader", "GET", f"/sites/{number}")).text
    panel = shown.partition('id="left-out"')[2]
    assert "A browser that a program drives (PhantomJS)" in panel
    assert "/left-out" in panel


async def test_filters_choose_hits_of_bots(everybody: World) -> None:
    await hit(everybody, "/pricing", b="153")
    assert (await data(everybody, "?bot=webdriver"))["lists"]["pages"]["rows"] == [{"value": "/pricing", "hits": 1}]
    assert (await data(everybody, "?page=/own/a"))["lists"]["reasons"]["rows"] == [{"value": "phantom", "hits": 1}]
    refused = await everybody.page("admin", "GET", f"/sites/{everybody.sites['own'].id}/left-out.json?{GOAL}")
    assert (refused.status, "cannot be filtered by goals" in refused.json()["error"]) == (400, True)
    assert (await hit(everybody, "/favicon.ico")).status == 202
    await everybody.analytics.services.ingest.dropped.keep()
    number = everybody.sites["own"].id
    panel = (await everybody.page("reader", "GET", f"/sites/{number}?{GOAL}&page=/a")).text
    for shown in (await page(everybody, f"?{GOAL}&page=/a"), panel.partition('id="left-out"')[2]):
        assert "Hits of bots have no goals and segments" in shown
        assert '/left-out?page=/a">Show it without these filters</a>' in shown
        assert "Icons and other paths that are no pages" in shown
    await page(everybody, f"/count?{GOAL}", status=404)
    csv_answer = await everybody.page("admin", "GET", f"/sites/{number}/left-out.csv?{GOAL}")
    assert csv_answer.status == 400


async def test_reasons_and_times_are_said_in_words(everybody: World) -> None:
    shown = await page(everybody, "?bot=phantom&period=today")
    chips = shown.partition('<ul class="chips"')[2].partition("</ul>")[0]
    assert "<b>is</b> A browser that a program drives (PhantomJS)" in chips
    assert not re.search(r">\d{4}-\d\d-\d\d \d\d:\d\d:\d\d<", shown)


async def test_hits_of_bots_are_counted_after_all(everybody: World) -> None:
    for _ in range(3):
        await hit(everybody, "/pricing", b="153")
    shown = await page(everybody, "/count?bot=webdriver")
    assert "Count 3 hits" in shown
    assert "A browser that a program drives (WebDriver)" in shown
    before = everybody.state()
    await page(everybody, "/count?bot=webdriver")
    assert everybody.state() == before
    answer = await send(everybody, "/count?bot=webdriver")
    address = answer.headers["location"]
    assert address.endswith("/left-out?bot=webdriver&done=counted&hits=3")
    assert "3 hits will be counted again; it takes a moment." in (await everybody.page("admin", "GET", address)).text
    await do_jobs(everybody)
    assert (await data(everybody))["bots"] == 1
    statistics = await everybody.page("admin", "GET", f"/sites/{everybody.sites['own'].id}/pages.json?period=today")
    assert {"/pricing", "/own/a"} <= {row["page"] for row in statistics.json()["rows"]}
    answer = await send(everybody, "/count?bot=webdriver")
    assert "There were no such hits" in (await everybody.page("admin", "GET", answer.headers["location"])).text


async def test_a_rule_is_shown_what_it_would_have_left_out_before_it_is_added(everybody: World) -> None:
    await hit(everybody, "/admin/users")
    before = everybody.state()
    shown = await page(everybody, "/rules?kind=path&rule=" + quote("/admin/*"))
    assert "1 of 3 hits (33.3%)" in " ".join(shown.split())
    assert "/admin/users" in shown
    assert "No hit of the last 28 days" in await page(everybody, "/rules?kind=country&rule=nl")
    assert "Netherlands (NL)" in await page(everybody, "/rules?kind=country&rule=nl")
    assert "Hits do not keep their network" in await page(everybody, "/rules?kind=network&rule=192.0.2.0/24")
    assert everybody.state() == before
    answer = await send(everybody, "/rules", kind="path", rule="/admin/*")
    assert (
        "Hits that match it are left out from now on."
        in (await everybody.page("admin", "GET", answer.headers["location"])).text
    )
    assert await rules(everybody, RuleKind.PATH) == ("/admin/*",)
    assert (await hit(everybody, "/admin/users")).status == 202
    await send(everybody, "/rules", kind="path", rule="/admin/*")
    assert await rules(everybody, RuleKind.PATH) == ("/admin/*",)
    await send(everybody, "/rules/remove", kind="path", rule="/admin/*")
    assert await rules(everybody, RuleKind.PATH) == ()
    logged = (await everybody.analytics.services.ledger.read(events))[:2]
    assert [(event.kind, event.actor) for event in logged] == [("site changed", "admin@example.net")] * 2
    assert (await hit(everybody, "/admin/users")).status == 200
    notes = await everybody.analytics.services.annotations.visible(everybody.sites["own"].id, None)
    told = ["Left out from here on: path /admin/*.", "No longer left out: path /admin/*."]
    assert [note.text for note in notes if "/admin" in note.text] == told


@pytest.mark.parametrize(
    ("kind", "rule", "problem"),
    [
        ("path", "*", "must not be all paths"),
        ("path", "https://example.com/a", "must be paths without https://"),
        ("host", "a b", "must be host names"),
        ("country", "Peru", "must be country codes of two letters"),
        ("network", "x", "must be a valid IPv4 or IPv6 address"),
        ("nothing", "/a", "must be chosen"),
        ("", "/a", "must be chosen"),
    ],
)
async def test_what_is_no_rule_is_said_beside_its_field(everybody: World, kind: str, rule: str, problem: str) -> None:
    before = everybody.state()
    assert problem in await page(everybody, f"/rules?{urlencode({'kind': kind, 'rule': rule})}", status=422)
    assert problem in (await send(everybody, "/rules", 422, kind=kind, rule=rule)).text
    assert everybody.state() == before


async def test_a_site_has_a_hundred_rules_of_a_kind(everybody: World) -> None:
    def fill(session: Session) -> None:
        for number in range(100):
            add_rule(session, everybody.sites["own"].id, RuleKind.PATH, f"/{number}", 0)

    await everybody.analytics.services.ledger.write(fill)
    assert "cannot have more than 100 entries" in (await send(everybody, "/rules", 422, kind="path", rule="/x")).text


async def test_hostile_texts_are_only_shown(everybody: World) -> None:
    await hit(everybody, HOSTILE, b="153")
    await hit(everybody, HOSTILE)
    await send(everybody, "/rules", kind="path", rule=HOSTILE + "*")
    asked = urlencode({"kind": "path", "rule": HOSTILE + "*"})
    for path in (
        "",
        "?page=" + quote(HOSTILE),
        f"/rules?{asked}",
        "/count?page=" + quote(HOSTILE),
        "/count?bot=~<script>",
    ):
        shown = await page(everybody, path)
        assert "<script>alert" not in shown


async def test_readers_see_it_and_change_nothing(everybody: World) -> None:
    shown = await page(everybody, person="reader")
    assert "/left-out/count" not in shown
    assert "/left-out/rules" not in shown
    assert "rules" not in await data(everybody, person="reader")
    assert "hits will be counted" not in await page(everybody, "?done=counted&hits=1000", person="reader")
    assert (await data(everybody))["rules"]["host"] == ["test.example.com"]
    number = everybody.sites["own"].id
    assert (await everybody.page(GUEST, "GET", f"/sites/{number}/left-out")).status == 303


async def test_what_takes_too_long_says_so(everybody: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def too_long(*_: object) -> None:
        raise QuestionTooLong(2.0)

    monkeypatch.setattr("tallystick.surfaces.dashboard.left_out.pages.page_of", too_long)
    assert "too long" in await page(everybody, status=504)
    for form in ("json", "csv"):
        answer = await everybody.page("admin", "GET", f"/sites/{everybody.sites['own'].id}/left-out.{form}")
        assert (answer.status, "too long" in answer.text) == (504, True)


async def test_a_list_has_all_of_its_rows_in_pages_and_finds_some(
    everybody: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("/blog/a", "/blog/b", "/pricing"):
        await hit(everybody, path, b="153")
    monkeypatch.setattr("tallystick.surfaces.dashboard.left_out.pages.ROWS_OF_PANEL", 2)
    monkeypatch.setattr("tallystick.surfaces.dashboard.left_out.pages.ROWS_OF_PAGE", 2)
    whole = await page(everybody, "?bot=webdriver")
    assert 'href="/sites/stats.example.com/left-out?bot=webdriver&amp;list=pages"' in whole
    assert 'name="q"' in whole, "pages can be searched as on other pages"
    first = await page(everybody, "?bot=webdriver&list=pages")
    assert "1 to 2 of 3" in first
    assert 'rel="next" href="/sites/stats.example.com/left-out?bot=webdriver&amp;list=pages&amp;from=2"' in first
    assert "3 to 3 of 3" in await page(everybody, "?bot=webdriver&list=pages&from=2")
    found = await page(everybody, "?bot=webdriver&list=pages&find=blog")
    assert "1 to 2 of 2" in found
    assert "/pricing" not in found
    assert 'name="find" value="blog"' in found
    assert "There are not so many rows." in await page(everybody, "?list=pages&from=90")
    await page(everybody, "?list=nothing", status=404)
    assert (await rows_of_csv(everybody, "?bot=webdriver&list=pages&find=blog"))[1:] == [
        ["pages", "/blog/a", "1"],
        ["pages", "/blog/b", "1"],
    ]
    assert "left-out.csv?bot=webdriver&amp;list=pages" in first
    answer = await everybody.page(
        "admin", "GET", f"/sites/{everybody.sites['own'].id}/left-out?list=pages&first=2026-03-01"
    )
    assert answer.headers["location"].endswith("/left-out?period=2026-03-01&list=pages")


async def test_everything_that_is_left_out_is_one_file(everybody: World) -> None:
    await hit(everybody, "/blog/a", b="153")
    await hit(everybody, "/favicon.ico")
    await everybody.analytics.services.ingest.dropped.keep()
    everything = await data(everybody)
    rows = await rows_of_csv(everybody, "?list=all")
    assert rows[0] == ["list", "value", "hits"]
    assert everything["dropped"] == {"ignored-path": 1}
    assert {(name, value): int(hits) for name, value, hits in rows[1:]} == {
        **{("dropped", name): hits for name, hits in everything["dropped"].items()},
        **{(name, row["value"]): row["hits"] for name, listed in everything["lists"].items() for row in listed["rows"]},
    }
    assert 'href="/sites/stats.example.com/left-out.csv?list=all"' in await page(everybody)


async def rows_of_csv(everybody: World, query: str) -> list[list[str]]:
    answer = await everybody.page("admin", "GET", f"/sites/{everybody.sites['own'].id}/left-out.csv{query}")
    assert answer.status == 200, answer.text
    return list(csv.reader(StringIO(answer.text)))


async def test_the_search_for_pages_chooses_hits_of_bots_too(everybody: World) -> None:
    for path in ("/blog/a", "/pricing"):
        await hit(everybody, path, b="153")
    assert (await data(everybody))["bots"] == 3
    found = await data(everybody, "?q=blog")
    assert found["bots"] == 1
    assert found["lists"]["pages"]["rows"] == [{"value": "/blog/a", "hits": 1}]
    shown = await page(everybody, "/count?q=blog")
    assert "Count 1 hit" in shown
    assert "Pages with “blog”" in shown
    assert "These are all hits of bots" not in shown
    assert (await send(everybody, "/count?q=blog")).headers["location"].endswith("q=blog&done=counted&hits=1")
    await do_jobs(everybody)
    assert {row["value"] for row in (await data(everybody))["lists"]["pages"]["rows"]} == {"/own/a", "/pricing"}


async def test_hits_of_people_are_taken_out_and_come_back_as_they_were(everybody: World) -> None:
    for client in ("192.0.2.7", "192.0.2.8"):
        await hit(everybody, "/test/a", client=client)
    await hit(everybody, "/kept", client="192.0.2.8")
    number = everybody.sites["own"].id
    shown = await page(everybody, "/mark")
    assert "add a filter that says which hits" in shown
    assert '<button class="danger"' not in shown
    shown = await page(everybody, "/mark?page=~/test/&period=today")
    for text in ("2 of", "1 of", "Take 2 hits out", "/test/a: 2"):
        assert text in shown
    answer = await everybody.page("admin", "GET", f"/sites/{number}/left-out/mark.json?page=~/test/&period=today")
    preview = answer.json()["preview"]
    assert (preview["hits"], preview["visitors"]) == (2, 1)  # the other visitor has another hit
    assert preview["pages"] == [{"value": "/test/a", "hits": 2}]
    before = everybody.state()
    assert "Add a filter first" in (await send(everybody, "/mark", 422, reason="known")).text
    assert "must be chosen" in (await send(everybody, "/mark?page=~/test/", 422, reason="person")).text
    assert everybody.state() == before

    async def pages() -> dict[str, int]:
        rows = (await everybody.page("admin", "GET", f"/sites/{number}/pages.json?period=today")).json()["rows"]
        return {row["page"]: row["visitors"] for row in rows}

    counted = await pages()
    answer = await send(everybody, "/mark?page=~/test/&period=today", reason="known")
    address = answer.headers["location"]
    assert address.endswith("&done=marked&hits=2")
    shown = (await everybody.page("admin", "GET", address)).text
    assert "2 hits will be left out; it takes a moment." in shown
    await do_jobs(everybody)
    assert (await data(everybody))["changes"] == 0
    assert "changes" not in await data(everybody, person="reader")
    assert await pages() == {path: visitors for path, visitors in counted.items() if path != "/test/a"}
    assert (await data(everybody, "?bot=known"))["bots"] == 2
    logged = everybody.analytics.services.ledger
    (event,) = await logged.read(lambda session: [each for each in events(session) if each.kind == "hits marked"])
    assert event.actor == everybody.people["admin"].account.email
    assert "2 hits of people" in event.detail
    await send(everybody, "/count?bot=known&period=today")
    await do_jobs(everybody)
    assert await pages() == counted


async def test_hits_of_bots_get_another_reason(everybody: World) -> None:
    await hit(everybody, "/pricing", b="153")
    assert "Change the reason of 1 hit" in await page(everybody, "/relabel?bot=webdriver")
    assert "must be chosen" in (await send(everybody, "/relabel?bot=webdriver", 422, reason="nothing")).text
    answer = await send(everybody, "/relabel?bot=webdriver", reason="boty-word")
    assert "1 hit will have the other reason" in (await everybody.page("admin", "GET", answer.headers["location"])).text
    await do_jobs(everybody)
    found = (await data(everybody))["lists"]["reasons"]["rows"]
    assert {row["value"] for row in found} == {"phantom", "boty-word"}
    answer = await everybody.page("admin", "GET", f"/sites/{everybody.sites['own'].id}/left-out/relabel.json")
    assert (answer.json()["bots"], "known" in answer.json()["choices"]) == (2, True)


async def test_changes_under_way_are_counted(everybody: World) -> None:
    number = everybody.sites["own"].id

    def under_way(session: Session) -> tuple[int, int]:
        enqueue(session, Relabel(number, int(Bot.KNOWN), int(Bot.SHORT)), 0)
        return changes_of_hits(session, number), changes_of_hits(session, everybody.sites["foreign"].id)

    assert await everybody.analytics.services.ledger.write(under_way) == (1, 0)


async def test_goals_do_not_choose_what_is_taken_out(everybody: World) -> None:
    assert "goals and segments cannot say it" in await page(everybody, f"/mark?{GOAL}")
    answer = await everybody.page("admin", "POST", f"/sites/{everybody.sites['own'].id}/left-out/mark?{GOAL}")
    assert answer.status == 404
