"""Files of public counters on pages: checked before anything is stored, imported, exported; for superusers alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.analytics import Analytics, analytics_in_process
from support.ledgers import until
from support.pages import HOST, Visitor, owner, token_in
from support.people import a_person
from tallystick.errors import StoreFailed
from tallystick.ledger import Ledger
from tallystick.services.accounts.audit import events
from tallystick.services.accounts.logins import begin_login, new_secret, secret_digest
from tallystick.services.counting import counter_uploads
from tallystick.services.imports import bounds
from tallystick.surfaces.dashboard.support.cookies import LOGIN

PAGE = "/admin/counters"
HOSTILE = '"><img src=x onerror=alert(1)>.csv'


@pytest.fixture
async def analytics(tmp_path: Path) -> AsyncIterator[Analytics]:
    async with analytics_in_process(tmp_path, max_upload=1) as running:
        yield running


async def sent(person: Visitor, name: str, content: str, **fields: str) -> httpx.Response:
    token = token_in((await person.get(PAGE)).text)
    return await person.client.post(
        PAGE, data={"token": token, "existing": "keep", "format": "", **fields},
        files={"file": (name, content.encode())}, headers={"accept": "text/html"},
    )  # fmt: skip


@asynccontextmanager
async def another_person(analytics: Analytics) -> AsyncIterator[Visitor]:
    """The browser of a person who is no superuser."""
    ledger, secret = analytics.services.ledger, new_secret()
    ben = await a_person(ledger, "ben@example.com")
    await ledger.write(begin_login, ben.id, secret_digest(secret), analytics.clock())
    transport = httpx.ASGITransport(analytics.running.application)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}", cookies={LOGIN: secret}) as client:
        yield Visitor(client)


async def read(person: Visitor) -> dict[str, Any]:
    """What has become of the file."""
    found: dict[str, Any] = {}

    async def over() -> bool:
        found.update((await person.get(f"{PAGE}.json")).json()["import"])
        return found["state"] not in {"checking", "importing"}

    await until(over)
    return found


async def checked(person: Visitor, name: str, content: str, **fields: str) -> dict[str, Any]:
    answer = await sent(person, name, content, **fields)
    assert answer.status_code == 303, answer.text
    return await read(person)


async def imported(person: Visitor) -> dict[str, Any]:
    assert (await person.fill(PAGE, {}, action=f"{PAGE}/import")).status_code == 303
    return await read(person)


async def value(analytics: Analytics, name: str) -> int | None:
    answer = await analytics.ask(f"/get/{name}")
    found: int | None = answer.json()["value"]
    return found


async def test_a_file_is_checked_imported_and_comes_out_again(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counter_uploads, "LINES_AT_ONCE", 2)
    lines = "mysite.com/visits,136\nmysite.com/likes,7\nmysite.com/likes,9\nmysite.com/stars,-3\n"
    async with owner(analytics) as person:
        assert (await person.get(f"{PAGE}.json")).json() == {"import": None}
        found = await checked(person, HOSTILE, lines)
        # A name that comes twice, far apart, counts as created twice in the check.
        assert (found["state"], found["would_be"]["created"], found["unreadable"]) == ("checked", 4, [])
        assert await value(analytics, "mysite.com/visits") is None
        shown = (await person.get(PAGE)).text
        assert "<img src=x" not in shown
        assert "The file is checked, and nothing is stored yet." in shown
        done = await imported(person)
        assert done["state"] == "done"
        assert done["imported"] == {"through": 4, "created": 3, "kept": 1, "replaced": 0, "expired": 0, "bad": 0}
        assert [await value(analytics, f"mysite.com/{name}") for name in ("visits", "likes", "stars")] == [136, 7, -3]
        (event, *_) = await analytics.services.ledger.read(events)
        assert (event.kind, event.actor) == ("public counters imported", "owner@example.com")
        assert event.detail == "created 3, replaced 0, kept 1"
        # What is imported is not imported again by a second press.
        assert (await person.fill(PAGE, {}, action=f"{PAGE}/import")).status_code == 422

        replaced = await checked(person, "more.jsonl", '{"key":"mysite.com/likes","value":20}\n', existing="replace")
        assert (replaced["format"], replaced["would_be"]["replaced"]) == ("jsonl", 1)
        await imported(person)
        assert await value(analytics, "mysite.com/likes") == 20

        for form in ("csv", "jsonl"):
            answer = await person.get(f"{PAGE}/export.{form}")
            assert answer.headers["content-disposition"] == f'attachment; filename="counters.{form}"'
            again = await checked(person, f"counters.{form}", answer.text, existing="replace")
            assert (again["would_be"]["replaced"], again["would_be"]["created"]) == (3, 0)
        assert answer.text.count("\n") == 3
        assert (await person.fill(PAGE, {}, action=f"{PAGE}/discard")).status_code == 303
        assert (await person.get(f"{PAGE}.json")).json() == {"import": None}


async def test_lines_that_cannot_be_read_are_said_and_nothing_is_stored(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counter_uploads, "BAD_LINES_KEPT", 2)
    async with owner(analytics) as person:
        found = await checked(person, "x.csv", "name,value\nmysite.com/a-1,1\nx,1\nmysite.com/b-1,many\nx,2\n")
        assert found["would_be"]["bad"] == 3
        assert [each["line"] for each in found["unreadable"]] == [3, 4]
        shown = (await person.get(PAGE)).text
        assert "3 lines cannot be read." in shown
        assert "value must be a whole number" in shown
        assert "Import now" not in shown
        assert (await person.fill(PAGE, {}, action=f"{PAGE}/import")).status_code == 422
        assert await value(analytics, "mysite.com/a-1") is None
        monkeypatch.setattr(bounds, "MOST_EMPTY", 5)
        for name, content, message in (
            ("x.csv", "no,columns,of,counters\n", "Line 1 must name the columns"),
            ("x.csv", "\0" * 100, "Line 1 must name the columns"),
            ("x.jsonl", "\n" * 6, "more than 5 empty lines in a row"),
            ("x.jsonl", "\n" * 5, "The file has no counter."),
        ):
            assert (await checked(person, name, content))["would_be"]["created"] == 0
            shown = (await person.get(PAGE)).text
            assert message in shown
            assert "Import now" not in shown
        for name, content, message in (
            ("", "", "must be chosen"),
            ("x.csv", "", "is empty"),
            ("x.txt", "a", "must be chosen, as the name of the file does not say it"),
            ("x.csv", "a" * 1_000_001, "is larger than this server accepts"),
        ):
            answer = await sent(person, name, content)
            assert answer.status_code == 422, name
            assert message in answer.text, name


async def test_after_a_failure_of_the_storage_the_file_is_imported_again(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counter_uploads, "LINES_AT_ONCE", 1)
    async with owner(analytics) as person:
        await checked(person, "x.csv", "".join(f"mysite.com/n-{number},{number}\n" for number in range(4)))
        count, counted = Ledger.count, list[str]()

        def failing(ledger: Ledger, key: Any, *arguments: Any) -> Any:
            counted.append(str(key))
            if len(counted) > 2:
                msg = "the disk is full"
                raise StoreFailed(msg)
            return count(ledger, key, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "count", failing)
            failed = await imported(person)
        assert (failed["state"], failed["imported"]["through"]) == ("failed", 2)
        assert "Lines 1 to 2 are stored. The whole file can be imported again." in (await person.get(PAGE)).text
        done = await imported(person)
        assert (done["imported"]["created"], done["imported"]["kept"]) == (2, 2)


async def test_others_get_nothing(analytics: Analytics) -> None:
    async with owner(analytics) as person:
        async with another_person(analytics) as other:
            for path in (PAGE, f"{PAGE}.json", f"{PAGE}/export.csv", f"{PAGE}/export.jsonl"):
                assert (await other.get(path)).status_code == 404
            token = token_in((await other.get("/user")).text)
            file = {"file": ("x.csv", b"mysite.com/a-1,1")}
            assert (await other.client.post(PAGE, data={"token": token}, files=file)).status_code == 404
            for path in ("import", "discard"):
                assert (await other.send(f"{PAGE}/{path}", {"token": token})).status_code == 404
        answer = await person.client.post(PAGE, data={"token": "0" * 32}, files=file)
        assert answer.status_code == 403
        assert (await person.get(f"{PAGE}.json")).json() == {"import": None}
