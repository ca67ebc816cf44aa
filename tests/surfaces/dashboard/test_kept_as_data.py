"""What is kept of a site, what is left out and what is pasted, as JSON: what the pages show, without secrets."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from support.rights import PUBLIC, World, world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def everybody(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Of all tests here: they only read."""
    async with world(tmp_path_factory.mktemp("data")) as made:
        yield made


async def data(everybody: World, path: str, person: str = "admin", status: int = 200) -> Any:
    answer = await everybody.page(person, "GET", path.replace("SITE", str(everybody.sites["own"].id)))
    assert answer.status == status, (answer.status, answer.text)
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


async def test_pages_of_a_site_are_data(everybody: World) -> None:
    link, secret = everybody.links["own"]
    told = await data(everybody, "/sites/SITE/sharing.json")
    assert (told["public"], told["address"].rpartition("/")[2]) == ("private", "stats.example.com")
    assert told["links"] == [await data(everybody, f"/sites/SITE/sharing/{link.id}.json")]
    (shared,) = told["links"]
    assert (shared["name"], shared["has_password"], shared["expires"]) == ("own link", False, None)
    assert secret not in str(told)

    notes = (await data(everybody, "/sites/SITE/notes.json"))["notes"]
    of_site, of_admin = (
        next(each for each in notes if each["id"] == everybody.notes[name].id) for name in ("own", "admin's")
    )
    assert (of_site["text"], of_site["personal"], of_site["may_edit"]) == ("own note", False, True)
    assert of_admin == await data(everybody, f"/sites/SITE/notes/{of_admin['id']}.json")
    seen = (await data(everybody, "/sites/SITE/notes.json", "reader"))["notes"]
    assert of_site | {"may_edit": False} in seen
    assert "private" not in str(seen)

    (segment,) = (await data(everybody, "/sites/SITE/segments.json"))["segments"]
    assert (segment["name"], segment["filters"]) == ("own segment", [["is", "event:page", ["/"]]])
    assert segment["words"] == "page is /"
    (view,) = (await data(everybody, "/sites/SITE/views.json"))["views"]
    assert (view["name"], view["address"]) == ("own view", "/sites/stats.example.com?period=7d")


async def test_rules_and_what_they_leave_out_are_data(everybody: World) -> None:
    told = await data(everybody, "/sites/SITE/left-out/rules.json")
    assert told["rules"]["host"] == ["test.example.com"]
    assert (told["rule"], told["would_have_left_out"], told["problems"]) == (None, None, {})
    asked = await data(everybody, "/sites/SITE/left-out/rules.json?kind=path&rule=/own/b")
    assert asked["rule"] == "/own/b"
    assert (asked["would_have_left_out"]["hits"], asked["would_have_left_out"]["all_hits"]) == (1, 2)
    refused = await data(everybody, "/sites/SITE/left-out/rules.json?kind=country&rule=nowhere", status=422)
    assert "rule" in refused["problems"]

    counted = await data(everybody, "/sites/SITE/left-out/count.json?period=today")
    assert (counted["bots"], counted["reasons"]) == (1, [{"value": "phantom", "hits": 1}])
    listed = await data(everybody, "/sites/SITE/left-out.json?period=today&list=pages&find=own")
    assert (listed["total"], listed["rows"]) == (1, [{"value": "/own/a", "hits": 1}])
    assert (await data(everybody, "/sites/SITE/left-out.json?period=today&list=pages&find=other"))["rows"] == []
    assert (await data(everybody, "/sites/SITE/left-out.json?period=today&list=pages&from=1"))["rows"] == []


async def test_what_is_pasted_and_told_to_everyone_is_data(everybody: World) -> None:
    told = await data(everybody, "/sites/SITE/install.json")
    assert told["tag"].startswith("<script data-goatcounter=")
    assert (told["waits"], told["arrived"], "Hugo" in {each["name"] for each in told["recipes"]}) == (False, None, True)
    assert await data(everybody, "/user/two-factor.json") == {"on": False, "recovery_codes_left": 0}
    assert await data(everybody, "/join.json", "guest") == {"open": False}
    topic = await data(everybody, "/docs/events.json", "guest")
    assert (topic["anchor"], bool(topic["endpoints"][0]["addresses"])) == ("events", True)
    badge = await data(everybody, f"/badge/{PUBLIC}/badge.json?label=visits", "guest")
    assert (badge["label"], badge["picture"]) == ("visits", f"/badge/{PUBLIC}.svg?label=visits")
    assert set(badge["snippets"]) == {"Markdown", "HTML", "reStructuredText", "AsciiDoc", "URL"}
    assert "color" in (await data(everybody, f"/badge/{PUBLIC}/badge.json?color=x!", "guest", 400))["problems"]
    shown = await everybody.page("guest", "GET", f"/badge/{PUBLIC}/page")  # whose key ends with .json
    assert shown.headers["content-type"].startswith("text/html")
