"""The paths of a site: listed with their hits, renamed, merged and deleted, by rules too, each after a preview."""

import json
from collections.abc import AsyncIterator
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from support.asking import Answer
from support.rights import World, world
from tallystick.services.accounts.audit import events
from tallystick.services.job_worker import JobWorker

HOST = "stats.example.com"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
HOSTILE = "/<script>alert(1)</script>'\"&amp;{{7-7}}%_!"


@pytest.fixture
async def everybody(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def hit(everybody: World, path: str, **fields: Any) -> None:
    answer = await everybody.analytics.pixel(p=path, headers={"host": HOST, "user-agent": FIREFOX}, **fields)
    assert answer.status == 200, answer.text


async def ask(everybody: World, to: str = "", status: int = 200, **query: Any) -> Answer:
    address = f"/sites/{everybody.sites['own'].id}/paths{to}{'?' if query else ''}{urlencode(query, doseq=True)}"
    answer = await everybody.page("settings", "GET", address)
    assert answer.status == status, answer.text
    if status != 404 and answer.headers["content-type"].startswith("text/html"):  # and says where it is as data
        path, mark, asked = address.partition("?")
        assert f'<a href="{escape(f"{path}.json{mark}{asked}")}">JSON</a>' in answer.text
    return answer


async def send(everybody: World, to: str, status: int = 303, **fields: Any) -> Answer:
    answer = await everybody.page("settings", "POST", f"/sites/{everybody.sites['own'].id}/paths{to}", fields)
    assert answer.status == status, answer.text
    return answer


async def listed(everybody: World, **query: Any) -> list[tuple[str, int, int]]:
    rows = (await ask(everybody, ".json", **query)).json()["paths"]
    return [(row["path"], row["hits"], row["hits_of_bots"]) for row in rows]


async def ids(everybody: World, *paths: str) -> list[int]:
    rows = (await ask(everybody, ".json")).json()["paths"]
    by_name = {row["path"]: row["id"] for row in rows}
    return [by_name[path] for path in paths]


async def do_jobs(everybody: World) -> None:
    services = everybody.analytics.services
    await JobWorker(services.ledger, services.warehouse, services.forget_names, seen_within=0).work()


async def test_paths_are_listed_found_and_sorted_with_their_hits(everybody: World) -> None:
    for _ in range(2):
        await hit(everybody, "/own/A")
    await hit(everybody, "sign-up", e="true")
    await hit(everybody, "/only-bots", b="153")
    await hit(everybody, HOSTILE)
    rows = [("/own/a", 3, 1), ("/own/b", 1, 0), ("sign-up", 1, 0), (HOSTILE, 1, 0)]
    assert await listed(everybody) == rows
    assert await listed(everybody, sort="name") == sorted(rows)
    assert await listed(everybody, kind="events") == rows[2:3]
    assert await listed(everybody, kind="pages", find="OWN") == rows[:2]
    assert await listed(everybody, kind="bots") == [("/only-bots", 0, 1)]
    assert await listed(everybody, find="%_!") == rows[3:]
    assert await listed(everybody, find="\0", kind="x", sort="x") == []
    # A form is longer than an address may be, and its list is shown again.
    assert "Choose at least one path" in (await send(everybody, "/rename", 422, find="a" * 60_000)).text
    shown = (await ask(everybody)).text
    assert "1 to 4 of 4" in shown
    assert "<script>alert" not in shown
    assert "There are not so many rows." in (await ask(everybody, "?from=100")).text
    settings = await everybody.page("settings", "GET", f"/sites/{everybody.sites['own'].id}/settings")
    assert f'"/sites/{everybody.sites["own"].id}/paths"' in settings.text


async def test_a_path_is_renamed_after_a_preview(everybody: World) -> None:
    (path, other) = await ids(everybody, "/own/a", "/own/b")
    shown = (await ask(everybody, "/rename", path=path, name="/new/?utm_source=x", find="own")).text
    assert "The path will be called /new and keeps its hits." in shown
    assert "/own/a</code>: 1 hit and 1 hit of bots" in shown
    for name, problem in {"": "must be set", "x": "must begin with /", "/" + "x" * 2048: "shorter than 2048"}.items():
        assert problem in (await ask(everybody, "/rename", 422, path=path, name=name)).text
        assert problem in (await send(everybody, "/rename", 422, path=path, name=name)).text
    taken = (await ask(everybody, "/rename.json", path=path, name="/OWN/b")).json()
    assert (taken["taken_by"]["id"], taken["taken_by"]["hits"]) == (other, 1)
    assert "Show what merging would change" in (await ask(everybody, "/rename", path=path, name="/own/b")).text
    assert "merge them instead" in (await send(everybody, "/rename", 422, path=path, name="/own/b")).text
    assert "choose one path to rename".capitalize() in (await ask(everybody, "/rename", 422, path=[path, other])).text
    answer = await send(everybody, "/rename", path=path, name="/new/", find="own", kind="pages")
    assert answer.headers["location"].endswith("/paths?find=own&kind=pages&done=renamed")
    assert await listed(everybody) == [("/new", 1, 1), ("/own/b", 1, 0)]
    (event, *_) = await everybody.analytics.services.ledger.read(events)
    assert (event.kind, event.actor, event.detail) == ("path renamed", "settings@example.net", "/own/a to /new")


async def test_paths_are_merged_into_one_of_them_another_or_a_new_one(everybody: World) -> None:
    await hit(everybody, "/third")
    await hit(everybody, "/fourth")
    await hit(everybody, "/fourth")
    await hit(everybody, "sign-up", e="true")
    a, b, third, fourth, event = await ids(everybody, "/own/a", "/own/b", "/third", "/fourth", "sign-up")
    found = (await ask(everybody, "/merge.json", path=[a, b], into="/THIRD")).json()
    assert (found["hits"], found["hits_of_bots"], found["merging"]["hits_afterwards"]) == (2, 1, 3)
    assert (found["merging"]["into"]["id"], found["merging"]["gone"]) == (third, ["/own/a", "/own/b"])
    assert found["merging"]["renamed"] is False
    await send(everybody, "/merge", path=[a, b], into="/third")
    assert "1 change is being carried out" in (await ask(everybody)).text
    await do_jobs(everybody)
    shown = (await ask(everybody, done="merged")).text
    assert "being carried out" not in shown
    assert await listed(everybody) == [("/third", 3, 1), ("/fourth", 2, 0), ("sign-up", 1, 0)]

    preview = (await ask(everybody, "/merge", path=[fourth, third], into="/together")).text
    assert "/third will be called /together." in preview
    assert "/together gets the hits of the others: 2 hits." in preview
    assert "Together they are 5 hits and 1 hit of bots." in preview
    await send(everybody, "/merge", path=[third, fourth], into="/together")
    again = (await send(everybody, "/merge", 422, path=[third, fourth], into="/together")).text
    assert "Some chosen paths are not there any more: they were merged or deleted before;" in again
    assert "Paths that contain" in again, "the list, to choose again"
    await do_jobs(everybody)
    assert await listed(everybody) == [("/together", 5, 1), ("sign-up", 1, 0)]

    assert "Pages and events cannot be merged" in (await ask(everybody, "/merge", 422, path=[third, event])).text
    assert "Pages and events" in (await send(everybody, "/merge", 422, path=[third, event], into="/x")).text
    assert "has already" in (await send(everybody, "/merge", 422, path=third, into="/together")).text
    assert "nothing to merge" in (await ask(everybody, "/merge", path=third, into="/together")).text
    # A second click on the same button.
    assert "not there any more" in (await send(everybody, "/merge", 422, path=[a, b], into="/third")).text
    assert await listed(everybody) == [("/together", 5, 1), ("sign-up", 1, 0)]


async def test_paths_are_deleted_with_their_hits_after_a_preview(everybody: World) -> None:
    a, b = await ids(everybody, "/own/a", "/own/b")
    shown = (await ask(everybody, "/delete", path=[a, b, 999_999, "x"])).text
    assert "2 paths are deleted with everything that was counted: 2 hits and 1 hit of bots." in shown
    assert (await ask(everybody, "/delete.json", path=a)).json()["hits_of_bots"] == 1
    assert "Choose at least one path." in (await ask(everybody, "/delete", 422)).text
    assert "not there any more" in (await ask(everybody, "/delete", 422, path=999_999)).text
    assert "Some chosen paths are not there any more" in (await send(everybody, "/delete", 422, path=[a, 999_999])).text
    assert "Choose at least one path." in (await send(everybody, "/delete", 422)).text
    await send(everybody, "/delete", path=a)
    await do_jobs(everybody)
    assert await listed(everybody) == [("/own/b", 1, 0)]
    (event, *_) = await everybody.analytics.services.ledger.read(events)
    assert (event.kind, event.detail) == ("paths deleted", "/own/a")


async def test_a_rule_counts_later_pages_as_one_whichever_way_they_come(everybody: World) -> None:
    await hit(everybody, "/orders/1")
    shown = (await ask(everybody, "/rules", rule="orders/*")).text
    assert "this fits: 1 stored path, 1 hit." in shown
    assert "/orders/1</span>" in shown
    assert "must have a *" in (await ask(everybody, "/rules", 422, rule="/orders")).text
    assert "must have a *" in (await send(everybody, "/rules", 422, rule="/orders")).text
    await send(everybody, "/rules", rule="/orders/*")
    await send(everybody, "/rules", rule="/<script>/*'\"")
    assert "The site has this rule already." in (await ask(everybody, "/rules", rule="/orders/*")).text

    analytics = everybody.analytics
    await hit(everybody, "/orders/2", t="Order 2")
    await hit(everybody, "/Orders/3")
    sent = {"no_sessions": True, "hits": [{"path": "/orders/4"}, {"path": "paid", "event": True}]}
    assert (await analytics.api("POST", "/count", json=sent)).status == 202
    event = {"name": "pageview", "url": f"https://{HOST}/orders/5", "domain": HOST}
    headers = {"user-agent": FIREFOX, "host": HOST, "content-type": "text/plain"}
    assert (
        await analytics.ask("/api/event", method="POST", headers=headers, body=json.dumps(event).encode())
    ).status == 202
    assert await listed(everybody, find="orders") == [("/orders/*", 4, 0), ("/orders/1", 1, 0)]
    rows = (await ask(everybody, ".json", find="orders/*")).json()["paths"]
    assert rows[0]["title"] == ""

    found = (await ask(everybody, "/rules.json", rule="/own/*")).json()
    assert [(each["rule"], each["paths"], each["hits"]) for each in found["rules"]] == [
        ("/own/b*", 1, 1),
        ("/orders/*", 1, 1),
        ("/<script>/*'\"", 0, 0),
    ]
    assert (found["preview"]["paths"], found["preview"]["hits_of_bots"]) == (1, 1)
    assert "<script>/" not in (await ask(everybody, "/rules")).text
    await send(everybody, "/rules", rule="/orders/*", place="0")
    await send(everybody, "/rules/remove", rule="/own/b*")
    assert [each["rule"] for each in (await ask(everybody, "/rules.json")).json()["rules"]] == [
        "/orders/*",
        "/<script>/*'\"",
    ]
    (event_of_log, *_) = await analytics.services.ledger.read(events)
    assert (event_of_log.kind, event_of_log.actor) == ("site changed", "settings@example.net")
    assert event_of_log.detail.startswith("path_rules /orders/*, /own/b*, /<script>")


async def test_a_rule_is_applied_to_what_was_counted_after_a_preview(everybody: World) -> None:
    for number in (1, 1, 2, 3):
        await hit(everybody, f"/orders/{number}", t="Order")
    await hit(everybody, "/orders/3", b="153")
    await hit(everybody, "buy", e="true")
    await send(everybody, "/rules", rule="/orders/*")
    shown = (await ask(everybody, "/rules/apply", rule="/orders/*")).text
    assert "3 stored paths become this one, with 4 hits and 1 hit of bots." in shown
    await ask(everybody, "/rules/apply", 404, rule="/other/*")
    gone = (await send(everybody, "/rules/apply", 422, rule="/other/*")).text
    assert "The site does not have this rule any more, so nothing was merged." in gone
    await send(everybody, "/rules/apply", rule="/orders/*")
    assert "1 change is being carried out" in (await ask(everybody, "/rules")).text
    await hit(everybody, "/orders/2")
    await do_jobs(everybody)
    for _ in range(2):  # a second click finds nothing to do
        assert await listed(everybody, find="orders") == [("/orders/*", 5, 1)]
        await send(everybody, "/rules/apply", rule="/orders/*")
        await do_jobs(everybody)
    assert (await ask(everybody, ".json", find="orders")).json()["paths"][0]["title"] == ""
    assert "Every stored path that fits is merged." in (await ask(everybody, "/rules/apply", rule="/orders/*")).text
    await hit(everybody, "/orders/9")
    assert await listed(everybody, find="orders") == [("/orders/*", 6, 1)]
