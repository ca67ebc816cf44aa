"""The first minutes of a site: what to paste, what has arrived, the first visit, and what happens now."""

import asyncio
import csv
import re
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from support.analytics import FIREFOX, HOST
from support.asking import Answer
from support.rights import GUEST, World, world
from tallystick.errors import QuestionTooLong
from tallystick.model.site import COLLECT, Collect, SiteSettings
from tallystick.services.accounts.sites import NewSite, SiteChanges, create_site, update_site
from tallystick.services.ingest.arrival import DropReason
from tallystick.surfaces.dashboard.first_minutes.signs import BOTS, DROPPED
from tallystick.surfaces.dashboard.first_minutes.snippets import RECIPES, code_of, tag

EMPTY = "empty.example.com"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


class Empty:
    """A site without hits, in a world with everybody."""

    def __init__(self, made: World, site: int) -> None:
        self.world, self.site = made, site
        self.analytics = made.analytics

    async def page(self, path: str = "", person: str = "admin", status: int = 200, method: str = "GET") -> str:
        """A page of the site."""
        answer = await self.world.page(person, method, f"/sites/{EMPTY}{path}")
        assert answer.status == status, answer.text
        return answer.text

    async def hit(self, path: str = "/", host: str = EMPTY, agent: str = FIREFOX, **headers: Any) -> Answer:
        """Count a page of it."""
        sent = {"host": host, "user-agent": agent, **headers.pop("headers", {})}
        return await self.analytics.pixel(p=path, headers=sent, **headers)

    async def change(self, **settings: Any) -> None:
        """Change its settings."""
        changes = SiteChanges(settings=settings)
        await self.analytics.services.ledger.write(update_site, self.site, changes, self.analytics.clock())


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[Empty]:
    async with world(tmp_path) as made:
        owner = made.people["admin"].account
        new = NewSite(cname=EMPTY, settings=SiteSettings())
        site = await made.analytics.services.ledger.write(create_site, owner, new, made.analytics.clock())
        yield Empty(made, site.id)


# What to paste


async def test_a_site_without_hits_shows_what_to_paste_with_its_own_address(empty: Empty) -> None:
    shown = await empty.page()
    assert "Waiting for the first visit" in shown
    assert f"data-goatcounter=&#34;https://{EMPTY}/count&#34;" in shown
    assert f"script-src https://{EMPTY}" in shown
    assert "Nothing has arrived yet." in shown
    assert "without encryption" not in shown
    for recipe in RECIPES:
        assert f"<summary>{recipe.name}</summary>" in shown


async def test_what_to_paste_stays_at_an_address_of_its_own(empty: Empty) -> None:
    answer = await empty.world.page("admin", "GET", "/sites/1/install")
    assert answer.status == 200
    assert "Waiting for the first visit" not in answer.text
    assert f"async src=&#34;http://{HOST}/count.js&#34;" in answer.text
    assert "without encryption" in answer.text
    settings = await empty.world.page("admin", "GET", "/sites/1/settings")
    assert 'href="/sites/1/install"' in settings.text


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_every_recipe_has_the_address_and_nothing_left_to_fill_in(recipe: Any) -> None:
    code = code_of(recipe, "https://stats.example.com")
    assert "https://stats.example.com/count.js" in code
    assert '"https://stats.example.com/count"' in code
    assert "{tag}" not in code
    assert "{origin}" not in code


def test_a_tag_cannot_be_broken_out_of() -> None:
    assert tag('https://"><script>').count("<script") == 1


async def test_who_may_only_read_sees_empty_statistics(empty: Empty) -> None:
    shown = await empty.page(person="reader")
    assert "Waiting for the first visit" not in shown
    assert 'class="numbers"' in shown
    await empty.page("/install", person="reader", status=404)
    await empty.change(public="public")
    assert "Waiting for the first visit" not in await empty.page(person=GUEST)


# What has arrived


async def test_bots_are_named_with_what_to_do(empty: Empty) -> None:
    assert (await empty.hit(agent=GOOGLEBOT)).status == 200
    assert (await empty.hit(agent="curl/8.11.1")).status == 200
    shown = await empty.page()
    assert len(re.findall("1 hit was taken for a bot", shown)) == 2
    assert "Open the page in an ordinary browser." in shown


async def test_dropped_hits_are_named_with_the_reason(empty: Empty) -> None:
    await empty.change(respect_gpc=True)
    await empty.hit(headers={"sec-gpc": "1"})
    await empty.hit("/favicon.ico")
    shown = await empty.page()
    assert "<b>1 hit was left out.</b> The browser asks not to be tracked" in shown
    assert "icons and other paths that are no pages" in shown


async def test_hosts_that_no_site_has_are_named_to_superusers_where_there_are_several_accounts(empty: Empty) -> None:
    assert (await empty.hit(host="typo.example.com")).status == 400
    assert "1 request for the host typo.example.com, which no site has." in await empty.page(person="superuser")
    for person in ("admin", "settings"):
        assert "typo.example.com" not in await empty.page(person=person)


async def test_what_arrived_on_other_days_is_not_told(empty: Empty) -> None:
    await empty.hit(agent=GOOGLEBOT)
    await empty.hit(host="typo.example.com")
    empty.analytics.clock.advance(seconds=2 * 86_400)
    assert "Nothing has arrived yet." in await empty.page()


def test_every_reason_has_words() -> None:
    assert set(DROPPED) == set(DropReason)
    assert all(BOTS.values())


# The first visit


async def test_the_first_visit_is_told_with_the_statistics_and_later_no_more(empty: Empty) -> None:
    sent = await empty.hit("/hello", r="https://www.google.com/")
    assert sent.status == 200
    empty.analytics.clock.advance(seconds=12)
    shown = await empty.page()
    assert 'class="numbers"' in shown
    assert re.search(r"Your first visit is here:</b>\s+/hello from Google, 12s ago\.", shown)
    assert "Your first visit" not in await empty.page(person="reader")
    empty.analytics.clock.advance(seconds=3_600)
    assert "Your first visit" not in await empty.page()


async def test_hostile_pages_are_shown_as_text(empty: Empty) -> None:
    await empty.hit("/<img src=x onerror=alert(1)>")
    shown = await empty.page()
    assert "Your first visit is here" in shown
    assert "<img src=x" not in shown


# Now


async def data(empty: Empty, path: str) -> Any:
    answer = await empty.world.page("reader", "GET", f"/sites/1{path}")
    assert answer.status == 200, answer.text
    return answer


async def test_the_last_half_hour_by_minute_and_list(empty: Empty) -> None:
    empty.analytics.clock.advance(seconds=600)
    await empty.hit("/later", host=HOST, r="https://www.google.com/")
    found = (await data(empty, "/now.json")).json()
    assert found["visitors"] == 1
    assert len(found["minutes"]) == 30
    assert [minute["pageviews"] for minute in found["minutes"] if minute["pageviews"]] == [2, 1]
    assert {row["value"]: row["visitors"] for row in found["lists"]["pages"]} == {"/own/a": 1, "/own/b": 1, "/later": 1}
    lines = list(csv.reader(StringIO((await data(empty, "/now.csv")).text)))
    assert lines[0] == ["minute", "pageviews"]
    assert len(lines) == 31
    shown = (await data(empty, "/now")).text
    assert '<strong data-live-number aria-live="off">1</strong>' in shown
    assert shown.count('<rect class="base"') == 30
    assert "/later" in shown
    assert 'href="/sites/stats.example.com/now"' in shown


async def test_of_a_site_without_single_hits_no_minutes_are_told(empty: Empty) -> None:
    await empty.analytics.change_site(collect=COLLECT & ~Collect.HITS)
    assert "Of this site only the hour of hits is kept" in (await data(empty, "/now")).text


async def test_only_the_number_of_all_visitors_is_followed(empty: Empty) -> None:
    await empty.hit("/blog", host=HOST)
    for path in ("", "/now"):
        assert "data-live=" in (await data(empty, path)).text
        assert "data-live=" not in (await data(empty, f"{path}?q=blog")).text
    assert "Only what passes the filters" in (await data(empty, "/now?q=blog")).text


@pytest.mark.parametrize("path", ["/now", "/now.json", "/now.csv"])
async def test_a_half_hour_that_takes_too_long_says_so(
    empty: Empty, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    async def too_long(*_: object) -> None:
        raise QuestionTooLong(2.0)

    monkeypatch.setattr("tallystick.surfaces.dashboard.analytics.asking.Asking.live", too_long)
    answer = await empty.world.page("reader", "GET", f"/sites/1{path}")
    assert (answer.status, "This took too long" in answer.text) == (504, True)


@pytest.mark.parametrize("path", ["/now.json", "/now.csv"])
async def test_data_of_an_address_that_cannot_be_shown_is_refused_as_data(empty: Empty, path: str) -> None:
    answer = await empty.world.page("reader", "GET", f"/sites/1{path}?compare=x")
    assert answer.status == 400
    assert "compare" in answer.json()["error"]


async def test_nobody_is_there_at_a_site_without_hits(empty: Empty) -> None:
    shown = await empty.page("/now")
    assert shown.count("Nobody in the last 30 minutes.") == 3


# The stream


class Listener:
    """A browser that follows the stream of a site."""

    def __init__(self, empty: Empty, path: str, person: str) -> None:
        self.body = b""
        self._left = asyncio.Event()
        cookie = empty.world.people[person].cookie
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", HOST.encode()), (b"cookie", f"tallystick-login={cookie}".encode())],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        self.task = asyncio.create_task(empty.analytics.running.application(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.body += message.get("body", b"")

    async def read(self, part: bytes) -> None:
        async with asyncio.timeout(20):
            while part not in self.body:  # noqa: ASYNC110  # nothing tells when it is
                await asyncio.sleep(0.01)

    async def leave(self) -> None:
        self._left.set()
        async with asyncio.timeout(20):
            await self.task


async def test_the_stream_of_a_waiting_site_tells_what_arrives(empty: Empty) -> None:
    listener = Listener(empty, f"/sites/{EMPTY}/live", "admin")
    await listener.read(b'data: {"visitors":0,"counted":false,"seen":0}')
    await empty.hit(agent=GOOGLEBOT)
    await listener.read(b'"seen":1}')
    await empty.hit()
    await listener.read(b'{"visitors":1,"counted":true')
    await listener.leave()


async def test_the_stream_ends_when_the_person_may_not_see_the_site_any_more(
    empty: Empty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.surfaces.dashboard.live.streams.CHECKED_EVERY_S", 0.01)
    monkeypatch.setattr("tallystick.surfaces.dashboard.live.streams.LOOKED_EVERY_S", 0.01)
    listener = Listener(empty, "/sites/1/live", "reader")
    await listener.read(b'data: {"visitors":1,')
    logged_out = await empty.world.page("reader", "POST", "/logout")
    assert logged_out.status == 303
    await listener.read(b"event: ended")
    async with asyncio.timeout(20):
        await listener.task


async def test_guests_have_no_stream_of_a_private_site(empty: Empty) -> None:
    answer = await empty.world.page(GUEST, "GET", f"/sites/{EMPTY}/live")
    assert answer.status == 303
