"""Statistics without an account: shared links, secret and public sites. Who sees what is a table."""

import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import pytest_asyncio

from builders import NOW
from support.analytics import CHROME, Analytics
from support.asking import Answer
from support.pages import HOST, Pages, shown_once, token_in
from support.rights import GUEST, PEOPLE, World, world
from tallystick.ledger import Ledger
from tallystick.model.annotation import Annotation
from tallystick.model.goal import Goal
from tallystick.model.shared_link import SharedLink
from tallystick.services.accounts.passwords import hash_password
from tallystick.services.accounts.sites import SiteChanges, update_site
from tallystick.services.analytics.kept.annotations import create_annotation
from tallystick.services.analytics.kept.goals import create_goal
from tallystick.services.analytics.kept.shared_links import (
    SharedLinkChanges,
    change_shared_link,
    create_shared_link,
    withdraw_shared_link,
)
from tallystick.surfaces.dashboard.support.forms import form_token
from tallystick.web.rate_limit import Rate

PASSWORD = "open sesame, please"
SECRET = "abcdefgh12"
ENDED = "This link has expired or was withdrawn"
HOSTILE = '/<script>alert(1)</script>"><img src=x onerror=alert(2)>'


@pytest.fixture
async def everybody(tmp_path: Path) -> AsyncIterator[World]:
    """Each site has hits on two paths, which begin with its name: ``/own/a``."""
    async with world(tmp_path) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def looked_at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One for tests that add links and look: what has been asked once need not be computed again."""
    async with world(tmp_path_factory.mktemp("world") / "data") as made:
        yield made


async def a_link(everybody: World, name: str, site: str = "own", **fields: Any) -> tuple[SharedLink, str]:
    ledger = everybody.analytics.services.ledger
    link = SharedLink(site=everybody.sites[site].id, name=name, **fields)
    made: tuple[SharedLink, str] = await ledger.write(create_shared_link, link, ledger.clock())
    return made


async def change_site(everybody: World, site: str = "own", **settings: Any) -> None:
    ledger = everybody.analytics.services.ledger
    await ledger.write(update_site, everybody.sites[site].id, SiteChanges(settings=settings), ledger.clock())


async def look(analytics: Analytics, path: str, **headers: str) -> Answer:
    """Open a page as a guest."""
    return await analytics.ask(path, headers={"accept": "text/html", **headers})


async def enter(analytics: Analytics, path: str, password: str, **headers: str) -> Answer:
    """Fill in the password of a link."""
    return await analytics.ask(
        path,
        method="POST",
        headers={"accept": "text/html", "content-type": "application/x-www-form-urlencoded", **headers},
        body=urlencode({"token": form_token("guest"), "password": password}).encode(),
    )


GUEST_COOKIE: Mapping[str, str] = MappingProxyType({"cookie": "tallystick-guest=guest"})


# Who sees what.


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("person", [GUEST, *PEOPLE])
async def test_a_link_shows_the_same_to_everybody_and_nothing_of_other_sites(looked_at: World, person: str) -> None:
    everybody = looked_at
    _, secret = everybody.links["foreign"]
    expired, gone = (
        await a_link(everybody, f"Gone for {person}", expires=NOW * 2),
        await a_link(everybody, f"Withdrawn from {person}"),
    )
    ledger = everybody.analytics.services.ledger
    await ledger.write(withdraw_shared_link, 1, gone[0].id, NOW)
    await ledger.write(change_shared_link, 1, expired[0].id, SharedLinkChanges(expires=1), 0)
    before = everybody.state()
    for path in ("", "/pages", ".json", ".csv", "/pages.json", "/pages.csv"):
        answer = await everybody.page(person, "GET", f"/share/{secret}{path}")
        assert answer.status == 200, path
        assert "/own/" not in answer.text
        assert "/second/" not in answer.text
        for ended in (expired[1], gone[1], "x" * 27, "x", "%00", quote(secret.swapcase())):
            answer = await everybody.page(person, "GET", f"/share/{ended}{path}")
            assert answer.status == 410, (ended, path)
            assert "expired or was withdrawn" in answer.text
            assert answer.headers["cache-control"] == "private, no-store"
    assert (await everybody.page(person, "GET", f"/share/{secret}/week")).status == 200
    assert "/foreign/a" in (await everybody.page(person, "GET", f"/share/{secret}")).text
    for path in ("settings", "sharing", "sharing/1", "delete", "nothing", "left-out", "left-out.json"):
        assert (await everybody.page(person, "GET", f"/share/{secret}/{path}")).status == 404, path
    assert everybody.state() == before


async def test_a_link_of_a_deleted_site_has_ended(everybody: World) -> None:
    _, secret = everybody.links["second"]
    assert (await look(everybody.analytics, f"/share/{secret}")).status == 200
    await everybody.page(
        "admin", "POST", f"/sites/{everybody.sites['second'].id}/delete", {"confirm": "second.example.com"}
    )
    answer = await look(everybody.analytics, f"/share/{secret}")
    assert answer.status == 410
    assert ENDED in answer.text


ROLES = {
    "private": {"guest": 303, "reader": 200, "settings": 200, "no access": 404, "foreign admin": 404},
    "secret": {"guest": 303, "reader": 200, "settings": 200, "no access": 404, "foreign admin": 404},
    "public": {"guest": 200, "reader": 200, "settings": 200, "no access": 200, "foreign admin": 200},
}


@pytest.mark.parametrize("public", ROLES)
async def test_a_site_is_shown_as_its_settings_say(everybody: World, public: str) -> None:
    await change_site(everybody, public=public, secret=SECRET)
    for person, status in ROLES[public].items():
        for path in ("", ".json", "/pages", "/pages.csv"):
            answer = await everybody.page(person, "GET", f"/sites/1{path}")
            assert answer.status == status, (person, path)
        answer = await everybody.page(person, "GET", "/sites/1/settings")
        assert answer.status == (303 if person == "guest" else 404 if person in {"no access", "foreign admin"} else 200)


# Passwords.


async def test_a_link_with_a_password_asks_for_it(everybody: World) -> None:
    analytics = everybody.analytics
    link, secret = await a_link(everybody, "Locked", password=hash_password(PASSWORD))
    address = f"/share/{secret}/pages?compare=off"
    answer = await look(analytics, address)
    assert answer.status == 200
    assert "This link needs a password" in answer.text
    assert "/own/a" not in answer.text
    for path in (".json", ".csv", "/pages.json", "/pages.csv"):
        answer = await look(analytics, f"/share/{secret}{path}")
        assert (answer.status, answer.json()) == (403, {"error": "this link needs a password: open it in a browser"})
    wrong = await enter(analytics, f"/share/{secret}", "another password", **GUEST_COOKIE)
    assert wrong.status == 422
    assert "is not right" in wrong.text
    assert "set-cookie" not in wrong.headers
    right = await enter(analytics, f"/share/{secret}", PASSWORD, **GUEST_COOKIE)
    assert (right.status, right.headers["location"]) == (303, f"/share/{secret}")
    cookie = right.headers["set-cookie"]
    assert cookie.startswith(f"tallystick-given-link-{link.id}=")
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert PASSWORD not in cookie
    given = {"cookie": cookie.partition(";")[0]}
    assert "/own/a" in (await look(analytics, address, **given)).text
    _, other = await a_link(everybody, "Other", password=hash_password(PASSWORD))
    assert "/own/a" not in (await look(analytics, f"/share/{other}/pages", **given)).text
    new = SharedLinkChanges(password=hash_password("a new password"))
    await analytics.services.ledger.write(change_shared_link, 1, link.id, new, NOW)
    assert "/own/a" not in (await look(analytics, address, **given)).text


async def test_the_cookie_is_secure_over_https(everybody: World) -> None:
    _, secret = await a_link(everybody, "Locked", password=hash_password(PASSWORD))
    answer = await enter(
        everybody.analytics,
        f"/share/{secret}",
        PASSWORD,
        cookie="__Host-tallystick-guest=guest",
        origin="https://stats.example.com",
        host="stats.example.com",
    )
    assert answer.status == 303
    assert answer.headers["set-cookie"].startswith("__Host-tallystick-given-link-")
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_the_form_of_another_website_is_refused(everybody: World, origin: str) -> None:
    _, secret = await a_link(everybody, "Locked", password=hash_password(PASSWORD))
    answer = await enter(everybody.analytics, f"/share/{secret}", PASSWORD, origin=origin, **GUEST_COOKIE)
    assert answer.status == 403


async def test_wrong_passwords_count_to_the_limit_of_logins(ledger: Ledger) -> None:
    pages = Pages(ledger, (Rate("login", 5, 60, "logins"),))
    async with pages.ada() as ada, pages.visitor() as eve:
        shown = await ada.fill("/sites/1/sharing", {"name": "Locked", "password": PASSWORD})
        address = shown_once(shown).removeprefix(f"http://{HOST}")
        token = token_in((await eve.get(address)).text)
        statuses = [
            (await eve.send(address, {"token": token, "password": f"wrong {number}"})).status_code
            for number in range(4)
        ]
        assert statuses[0] == 422
        assert statuses[-1] == 429


async def test_wrong_secrets_of_sites_have_a_limit_of_their_own(ledger: Ledger) -> None:
    pages = Pages(ledger, (Rate("login", 5, 60, "logins"), Rate("site-secret", 2, 60, "secrets")))
    async with pages.ada() as ada, pages.visitor() as eve, pages.visitor() as friend:
        for path in ("/sites/1", "/sites/99", "/sites/nothing"):
            for _ in range(4):
                assert (await eve.get(f"{path}?access-token=guess")).status_code == 303, "no site with a secret"
        await ledger.write(update_site, 1, SiteChanges(settings={"public": "secret", "secret": SECRET}), NOW)
        right = f"/sites/1?access-token={SECRET}"
        for _ in range(4):
            assert (await friend.get(right)).headers["location"] == "/sites/1"
        for number in range(2):
            assert (await eve.get(f"/sites/1?access-token=guess{number}")).status_code == 303
        assert (await ada.get("/sites/1?access-token=guess")).status_code == 429, "logged in or not"
        assert (await eve.get(right)).status_code == 429
        assert (await eve.get("/login")).status_code == 200
        token = token_in((await eve.get("/login")).text)
        sent = await eve.send("/login", {"token": token, "email": "eve@example.com", "password": "wrong"})
        assert sent.status_code == 422


async def test_guests_open_only_so_many_pages_of_statistics(ledger: Ledger) -> None:
    pages = Pages(ledger, (Rate("guest-pages", 3, 60, "pages"),))
    async with pages.ada() as ada, pages.visitor() as crawler:
        await ledger.write(update_site, 1, SiteChanges(settings={"public": "public"}), NOW)
        for path in ("/sites/99", "/share/x", "/sites/99/number.svg"):
            assert (await crawler.get(path)).status_code in {303, 404, 410}, path
        for path in (
            "/sites/1",
            "/sites/1/pages.csv",
            "/sites/1/week",
            "/sites/1/page",
            "/share/x",
            "/sites/1/chart.svg",
        ):
            refused = await crawler.get(path)
            assert refused.status_code == 429, path
            assert 0 < int(refused.headers["retry-after"]) <= 60
            assert "Too many pages in a short time" in refused.text
        assert "Wait a minute, then reload this page." in (await crawler.get("/sites/1")).text
        assert (await crawler.get("/login")).status_code == 200
        assert (await ada.get("/sites/99")).status_code == 404, "who is logged in is not limited"


async def test_the_password_form_of_a_link_is_taken_from_each_of_its_pages(everybody: World) -> None:
    _, secret = await a_link(everybody, "Locked", password=hash_password(PASSWORD))
    for path in ("", "/pages", "/now", "/week"):
        shown = (await look(everybody.analytics, f"/share/{secret}{path}?period=7d")).text
        action = shown.partition('method="post" action="/share')[2].partition('"')[0]
        assert action == f"/{secret}?period=7d"
        answer = await enter(everybody.analytics, f"/share{action}", PASSWORD, **GUEST_COOKIE)
        assert (answer.status, answer.headers["location"]) == (303, f"/share/{secret}?period=7d")


# Locked filters and lists.


async def test_a_locked_filter_cannot_be_removed(everybody: World) -> None:
    _, secret = await a_link(everybody, "A", filters=[["is", "event:page", ["/own/a"]]])
    base = f"/share/{secret}"
    for query in ("", "?page=/own/b", "?page=!/own/a", "?filter=page+is+/own/b+or+page+is+/own/a", "?q=b", "?page=~b"):
        for path in ("", "/pages", "/pages.json", "/pages.csv"):
            answer = await look(everybody.analytics, f"{base}{path}{query}")
            assert answer.status in {200, 400}, (path, query)
            shown = answer.text.replace("page=/own/b", "").replace("page is /own/b", "").replace("page+is+/own/b", "")
            assert ">/own/b<" not in shown, (path, query)
    found = (await everybody.analytics.ask(f"{base}/pages.json")).json()
    assert [row["page"] for row in found["rows"]] == ["/own/a"]
    found = (await everybody.analytics.ask(f"{base}/pages.json?page=/own/b")).json()
    assert found["rows"] == []
    whole = (await everybody.analytics.ask(f"{base}.json")).json()
    assert whole["numbers"]["pageviews"]["now"] == 1
    assert whole["filters"] == [], "the locked filter is not told"


async def test_lists_that_are_not_chosen_are_not_there(everybody: World) -> None:
    _, secret = await a_link(everybody, "Pages only", panels=("pages",))
    shown = (await look(everybody.analytics, f"/share/{secret}")).text
    assert "/own/a" in shown
    assert "Sources" not in shown
    assert "Entry pages" not in shown
    for name in ("week", "sources", "entry-pages", "exit-pages", "countries", "goals", "browsers"):
        for form in ("", ".json", ".csv"):
            assert (await look(everybody.analytics, f"/share/{secret}/{name}{form}")).status == 404, name
    found = (await everybody.analytics.ask(f"/share/{secret}.json?show=sources")).json()
    assert set(found["lists"]) == {"pages"}


async def test_what_was_left_out_is_shown_by_links_that_say_so_and_cannot_be_changed(everybody: World) -> None:
    _, secret = everybody.links["own"]
    base = f"/share/{secret}"
    assert f'href="{base}/left-out"' in (await look(everybody.analytics, base)).text
    shown = await look(everybody.analytics, f"{base}/left-out")
    assert shown.status == 200
    assert "Hits of bots" in shown.text
    assert "What you leave out" not in shown.text
    assert "Count these after all" not in shown.text
    assert 'method="post"' not in shown.text.partition("<main")[2].partition("</main>")[0]
    assert shown.headers["cache-control"] == "private, no-store"
    found = (await everybody.analytics.ask(f"{base}/left-out.json")).json()
    assert (found["bots"], "rules" in found) == (1, False)
    assert (await look(everybody.analytics, f"{base}/left-out.csv")).text.startswith("hour,bots,")
    for path in ("count", "rules", "rules/remove"):
        assert (await look(everybody.analytics, f"{base}/left-out/{path}")).status == 404, path
    _, part = await a_link(everybody, "Part", panels=("pages", "left-out"))
    found = (await everybody.analytics.ask(f"/share/{part}/left-out.json?bot=phantom")).json()
    assert set(found["lists"]) == {"reasons", "pages"}
    assert (await look(everybody.analytics, f"/share/{part}/left-out?bot=phantom&page=/own/a")).status == 200
    assert (await look(everybody.analytics, f"/share/{part}/left-out?country=DE")).status == 400


REFUSED = (
    "source=Google",
    "source=!Google",
    "entry_page=/own/a",
    "goal=Signup",
    "prop:plan=pro",
    "segment=1",
    "country=DE",
    "previous_page=/own/a",
    "filter=source+is+Google",
    "filter=not+(source+is+Google)",
    "filter=page+is+/own/a+and+(source+is+x+or+page+is+/b)",
    "filter=has+done+(event+is+Signup)",
    "filter=has+done+(segment+is+1)",
)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("query", REFUSED)
async def test_filters_do_not_tell_what_is_not_shown(looked_at: World, query: str) -> None:
    everybody = looked_at
    _, secret = await a_link(everybody, f"Pages only, {query}", panels=("pages",))
    for path in ("", "/pages"):
        answer = await everybody.analytics.ask(f"/share/{secret}{path}.json?{query}")
        assert answer.status == 400, (path, answer.text)
        assert "error" in answer.json()
        assert (await look(everybody.analytics, f"/share/{secret}{path}?{query}")).status == 400
    assert (await look(everybody.analytics, f"/share/{secret}/now?{query}")).status == 400
    assert (await look(everybody.analytics, f"/share/{secret}/now")).status == 200
    assert (await everybody.analytics.ask(f"/share/{secret}.json?page=/own/a")).status == 200


async def test_what_else_visitors_did_cannot_be_asked_behind_a_lock(everybody: World) -> None:
    _, secret = await a_link(everybody, "A", filters=[["is", "event:page", ["/own/a"]]])
    answer = await everybody.analytics.ask(f"/share/{secret}.json?filter=has+done+(page+is+/own/b)")
    assert answer.status == 400
    assert "what else visitors have done" in answer.json()["error"]


async def test_ways_through_the_site_are_shown_by_links_to_all_of_it(everybody: World) -> None:
    _, whole = everybody.links["own"]
    _, locked = await a_link(everybody, "A", filters=[["is", "event:page", ["/own/a"]]])
    _, pages = await a_link(everybody, "Pages only", panels=("pages",))
    _, sources = await a_link(everybody, "Sources only", panels=("sources",))
    for form in ("", ".json", ".csv"):
        for secret, page, funnels in ((whole, 200, 200), (locked, 404, 404), (pages, 200, 404), (sources, 400, 404)):
            answer = await look(everybody.analytics, f"/share/{secret}/page{form}?page=/own/a")
            assert answer.status == page, (form, answer.text)
            assert (await look(everybody.analytics, f"/share/{secret}/funnels{form}")).status == funnels
    shown = (await look(everybody.analytics, f"/share/{locked}")).text
    assert "/funnels" not in shown
    assert f"/share/{locked}/page?" not in shown


async def test_words_search_pages_only_where_pages_are_shown(everybody: World) -> None:
    _, secret = await a_link(everybody, "Sources only", panels=("sources",))
    answer = await everybody.analytics.ask(f"/share/{secret}.json?q=own")
    assert answer.status == 400


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("goal", ["Visit+/own/a", "Visit+/own*", "Signup,Visit+/own/a", "!Visit+/own/a"])
async def test_goals_do_not_tell_of_pages_that_are_not_shown(looked_at: World, goal: str) -> None:
    everybody = looked_at
    _, hidden = await a_link(everybody, f"Goals only, {goal}", panels=("goals",))
    _, shown = await a_link(everybody, f"Goals and pages, {goal}", panels=("goals", "pages"))
    whole = "goal+is+" + ",".join(f'"{name.lstrip("!")}"' for name in goal.split(","))
    done = f"has+done+({whole})"
    for query in (f"goal={goal}", f"filter={whole}", f"filter={done}"):
        answer = await everybody.analytics.ask(f"/share/{hidden}.json?{query}")
        assert answer.status == 400, query
        assert answer.json()["error"] == "this link shows nothing by page, so it cannot be filtered by that"
        answer = await everybody.analytics.ask(f"/share/{shown}.json?{query}")
        assert "shows nothing by page" not in answer.text


async def test_a_goal_that_is_listed_is_filtered_by_whatever_its_name(everybody: World) -> None:
    ledger = everybody.analytics.services.ledger
    await ledger.write(create_goal, Goal(site=1, name="Visit /own/a", page="/own/a"), ledger.clock())
    _, secret = await a_link(everybody, "Goals only", panels=("goals",))
    answer = await everybody.analytics.ask(f"/share/{secret}.json?goal=Visit+/own/a")
    assert answer.status == 200
    assert answer.json()["numbers"]["visitors"]["now"] == 1


@pytest.mark.parametrize("query", ["q=is:event", "q=is:pageview", "q=Sign+at:start+is:event"])
async def test_searched_words_do_not_tell_of_events_that_are_not_shown(everybody: World, query: str) -> None:
    _, secret = await a_link(everybody, "Pages only", panels=("pages",))
    for path in (".json", "/number.svg"):
        answer = await everybody.analytics.ask(f"/share/{secret}{path}?{query}")
        assert answer.status == 400
        assert "this link shows nothing by event" in answer.text


async def test_a_search_of_pages_finds_no_event_that_is_not_shown(everybody: World) -> None:
    await everybody.analytics.pixel(p="Signup", e="true", headers={"host": "stats.example.com"})
    _, pages = await a_link(everybody, "Pages only", panels=("pages",))
    _, both = await a_link(everybody, "Both", panels=("pages", "events"))
    found = {}
    for secret in (pages, both):
        answer = await everybody.analytics.ask(f"/share/{secret}.json?q=Signup&period=today")
        found[secret] = answer.json()["numbers"]["visitors"]["now"]
    assert found == {pages: 0, both: 1}


async def test_rates_are_of_the_visitors_that_a_link_shows(everybody: World) -> None:
    await everybody.analytics.pixel(p="Signup", e="true", headers={"host": "stats.example.com", "user-agent": CHROME})
    _, whole = everybody.links["own"]
    _, locked = await a_link(everybody, "Signups", filters=[["is", "event:goal", ["Signup"]]])
    rates = {}
    for secret in (whole, locked):
        found = (await everybody.analytics.ask(f"/share/{secret}/goals.json?period=today")).json()
        (rates[secret],) = [row["conversion_rate"]["now"] for row in found["rows"]]
    assert rates[locked] == 100
    assert rates[whole] < 100


async def test_strangers_who_are_logged_in_see_what_guests_see(everybody: World) -> None:
    ledger = everybody.analytics.services.ledger
    await change_site(everybody, public="public")
    day = datetime.fromtimestamp(ledger.clock() / 1000, UTC).strftime("%Y-%m-%d")
    await ledger.write(create_annotation, Annotation(site=1, at=day, text="We fired Bob"), ledger.clock())
    segment = everybody.segments["own"]
    for person, is_one in (("reader", True), ("foreign admin", False), ("no access", False), (GUEST, False)):
        shown = (await everybody.page(person, "GET", "/sites/1?period=today")).text
        assert ("We fired Bob" in shown) is is_one, person
        assert (f"segment={segment.id}" in shown) is is_one, person
        answer = await everybody.page(person, "GET", f"/sites/1.json?segment={segment.id}")
        assert answer.status == (200 if is_one else 400), person


async def test_notes_are_of_the_sites_whose_people_look(everybody: World) -> None:
    ledger = everybody.analytics.services.ledger
    foreign = everybody.sites["foreign"].id
    await change_site(everybody, "foreign", public="public")
    day = datetime.fromtimestamp(ledger.clock() / 1000, UTC).strftime("%Y-%m-%d")
    for site, text in ((1, "We fired Bob"), (foreign, "They fired Eve")):
        await ledger.write(create_annotation, Annotation(site=site, at=day, text=text), ledger.clock())
    shown = (await everybody.page("reader", "GET", f"/sites/1+{foreign}?period=today")).text
    assert "We fired Bob" in shown
    assert "They fired Eve" not in shown


async def test_guests_do_not_use_segments(everybody: World) -> None:
    await change_site(everybody, public="public")
    assert (await everybody.analytics.ask("/sites/1.json?segment=1")).status == 400


async def test_a_list_that_a_later_version_took_away_does_not_open_the_others(everybody: World) -> None:
    _, secret = await a_link(everybody, "Old", panels=("what-there-was",))
    found = (await everybody.analytics.ask(f"/share/{secret}.json")).json()
    assert found["lists"] == {}


async def test_hostile_paths_are_text(everybody: World) -> None:
    answer = await everybody.analytics.pixel(p=HOSTILE, headers={"host": "stats.example.com"})
    assert answer.status == 200
    _, secret = everybody.links["own"]
    for path in ("", "/pages", f"?page={quote(HOSTILE)}", "?embed=1"):
        shown = (await look(everybody.analytics, f"/share/{secret}{path}")).text
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown


# Secret sites.


async def test_the_secret_of_a_site_is_taken_and_leaves_the_address(everybody: World) -> None:
    await change_site(everybody, public="secret", secret=SECRET)
    answer = await look(everybody.analytics, f"/sites/1?access-token={SECRET}&period=7d")
    assert (answer.status, answer.headers["location"]) == (303, "/sites/1?period=7d")
    assert answer.headers["referrer-policy"] == "no-referrer"
    cookie = answer.headers["set-cookie"]
    assert SECRET not in cookie
    assert "HttpOnly" in cookie
    given = {"cookie": cookie.partition(";")[0]}
    shown = await look(everybody.analytics, "/sites/1", **given)
    assert "/own/a" in shown.text
    assert SECRET not in shown.text
    assert (await look(everybody.analytics, "/sites/1/settings", **given)).status == 303
    assert (await look(everybody.analytics, "/sites/3", **given)).status == 303
    await change_site(everybody, secret="another123")
    assert (await look(everybody.analytics, "/sites/1", **given)).status == 303
    await change_site(everybody, public="private", secret=SECRET)
    assert (await look(everybody.analytics, "/sites/1", **given)).status == 303


@pytest.mark.parametrize("wrong", ["x", SECRET[:-1], SECRET.upper(), "%00", "%ED%A0%80"])
async def test_a_wrong_secret_opens_nothing(everybody: World, wrong: str) -> None:
    await change_site(everybody, public="secret", secret=SECRET)
    answer = await look(everybody.analytics, f"/sites/1?access-token={wrong}")
    assert answer.status == 303
    assert answer.headers["location"].startswith("/login")
    assert "set-cookie" not in answer.headers


# Frames.


async def test_frames_are_allowed_as_the_site_says(everybody: World) -> None:
    analytics = everybody.analytics
    _, secret = everybody.links["own"]
    await change_site(everybody, public="public")
    places = ("/sites/1?embed=1", f"/share/{secret}?embed=1", f"/share/{secret}/pages")
    for place in places:
        assert "frame-ancestors 'none'" in (await look(analytics, place)).headers["content-security-policy"], place
    await change_site(everybody, allow_embed=("https://example.com", "https://www.example.org:8443"))
    for place in places:
        policy = (await look(analytics, place)).headers["content-security-policy"]
        assert "frame-ancestors https://example.com https://www.example.org:8443" in policy, place
        assert "frame-ancestors 'none'" not in policy
    for person in ("admin", "reader"):
        answer = await everybody.page(person, "GET", "/sites/1")
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], person
        answer = await everybody.page(person, "GET", f"/share/{secret}")
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], person
    _, locked = await a_link(everybody, "Locked", password=hash_password(PASSWORD))
    assert "frame-ancestors 'none'" in (await look(analytics, f"/share/{locked}")).headers["content-security-policy"]
    assert "frame-ancestors 'none'" in (await look(analytics, "/login")).headers["content-security-policy"]


async def test_a_page_for_a_frame_has_no_header_and_keeps_to_itself(everybody: World) -> None:
    _, secret = everybody.links["own"]
    whole, framed = [(await look(everybody.analytics, f"/share/{secret}{query}")).text for query in ("", "?embed=1")]
    assert '<header class="bar">' in whole
    assert '<header class="bar">' not in framed
    assert '<footer class="bar">' not in framed
    links = [part.partition('"')[0] for part in framed.split(f'href="/share/{secret}')[1:]]
    assert links
    assert all("embed=1" in link for link in links if not link.split("?")[0].endswith((".json", ".csv")))


async def test_search_engines_and_other_websites_are_not_told(everybody: World) -> None:
    _, secret = everybody.links["own"]
    for path in ("", "/pages", "/pages.json", ".csv", "?period=nonsense"):
        headers = (await look(everybody.analytics, f"/share/{secret}{path}")).headers
        assert headers["x-robots-tag"] == "noindex, nofollow", path
        assert headers["referrer-policy"] in {"no-referrer", "same-origin"}, path
        assert headers["cache-control"] == "private, no-store", path


# Pictures.


async def test_pictures_show_what_the_link_shows(everybody: World) -> None:
    analytics = everybody.analytics
    _, secret = everybody.links["own"]
    _, only_a = await a_link(everybody, "A", filters=[["is", "event:page", ["/own/a"]]])
    for link, pageviews in ((secret, 2), (only_a, 1)):
        answer = await analytics.ask(f"/share/{link}/number.svg?metric=pageviews&period=today")
        assert answer.status == 200
        root = ET.fromstring(answer.text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "".join(root.itertext()).endswith(f"Pageviews{pageviews}")
    chart = await analytics.ask(f"/share/{secret}/chart.svg?period=today&graph=pageviews&theme=dark")
    assert "Pageviews, stats.example.com, Today" in chart.text
    for picture in (answer, chart):
        assert picture.headers["content-type"].startswith("image/svg+xml")
        assert picture.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert picture.headers["cross-origin-resource-policy"] == "cross-origin"
        assert picture.headers["cache-control"] == "public, max-age=60"
        assert "set-cookie" not in picture.headers
        assert "<script" not in picture.text
        assert "style" not in picture.text
        assert "href" not in picture.text


async def test_pictures_of_sites_are_for_public_ones_whoever_asks(everybody: World) -> None:
    for public, status in (("private", 404), ("secret", 404), ("public", 200)):
        await change_site(everybody, public=public, secret=SECRET)
        for person in (GUEST, "admin", "foreign admin"):
            for name in ("chart.svg", "number.svg"):
                answer = await everybody.page(person, "GET", f"/sites/1/{name}")
                assert answer.status == status, (public, person, name)
    for path in ("/sites/99/chart.svg", "/sites/x/number.svg"):
        assert (await look(everybody.analytics, path)).status == 404


async def test_pictures_take_no_secret_of_a_site(everybody: World) -> None:
    await change_site(everybody, public="secret", secret=SECRET)
    for name in ("chart.svg", "number.svg"):
        answer = await look(everybody.analytics, f"/sites/1/{name}?access-token={SECRET}")
        assert answer.status == 404
        assert "set-cookie" not in answer.headers


async def test_pictures_end_with_their_link_and_take_no_password(everybody: World) -> None:
    _, locked = await a_link(everybody, "Locked", password=hash_password(PASSWORD))
    given = await enter(everybody.analytics, f"/share/{locked}", PASSWORD, **GUEST_COOKIE)
    cookie = given.headers["set-cookie"].partition(";")[0]
    for name in ("chart.svg", "number.svg"):
        answer = await look(everybody.analytics, f"/share/{locked}/{name}", cookie=cookie)
        assert answer.status == 403
        assert "needs a password" in answer.json()["error"]
        assert (await look(everybody.analytics, f"/share/{'x' * 27}/{name}")).status == 410


@pytest.mark.parametrize(
    "query", ["metric=x", "theme=x", "period=x", "source=Google", "segment=1", "metric=visitors&by=x", "graph=x"]
)
async def test_pictures_refuse_what_they_do_not_know_or_show(everybody: World, query: str) -> None:
    _, secret = await a_link(everybody, "Pages only", panels=("pages",))
    answer = await everybody.analytics.ask(f"/share/{secret}/number.svg?{query}")
    assert answer.status == 400
    assert answer.headers["content-type"].startswith("text/plain")


async def test_hostile_texts_stay_texts_in_pictures(everybody: World) -> None:
    _, secret = everybody.links["own"]
    for name in ("chart.svg", "number.svg"):
        answer = await everybody.analytics.ask(f"/share/{secret}/{name}?page={quote(HOSTILE)}&source={quote(HOSTILE)}")
        assert answer.status == 200
        assert "<script" not in answer.text
        ET.fromstring(answer.text)


async def test_guests_do_not_see_notes(everybody: World) -> None:
    ledger = everybody.analytics.services.ledger
    await change_site(everybody, public="public")
    day = datetime.fromtimestamp(ledger.clock() / 1000, UTC).strftime("%Y-%m-%d")
    await ledger.write(create_annotation, Annotation(site=1, at=day, text="We fired Bob"), ledger.clock())
    _, secret = everybody.links["own"]
    assert "We fired Bob" in (await everybody.page("reader", "GET", "/sites/1?period=today")).text
    for path in ("/sites/1", f"/share/{secret}"):
        assert "We fired Bob" not in (await look(everybody.analytics, f"{path}?period=today")).text
