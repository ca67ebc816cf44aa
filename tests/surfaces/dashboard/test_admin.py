"""The pages of the server as a whole: its state, its log, and what they say while the ledger is down."""

import asyncio
import csv
import io
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from builders import NOW
from support.pages import Pages, Visitor, token_in
from tallystick.errors import StoreAway
from tallystick.services import readiness
from tallystick.services.accounts import logouts, superuser_logins
from tallystick.services.accounts.audit import EventKind, acting, note
from tallystick.services.accounts.logins import find_login_session, secret_digest
from tallystick.services.operating import backups
from tallystick.services.operating import state as module
from tallystick.services.operating.backups import BackupNote
from tallystick.services.operating.disk_history import Growth
from tallystick.services.operating.slow_questions import SlowQuestion, SlowQuestions
from tallystick.surfaces.dashboard.support import page_request
from tallystick.surfaces.dashboard.support.language import Languages

ENGLISH = next(language for language in Languages.load() if language.code == "en")


async def add_events(pages: Pages) -> None:
    """Add events by a person with a hostile name, and by another whose email has wildcards of LIKE."""

    def add(session: Any) -> None:
        with acting("=HYPERLINK(1)"):
            note(session, EventKind.SITE_CREATED, NOW, "<b>bold</b>.example.com", "+1")
        with acting("a_b%c!@example.com, token 3"):
            note(session, EventKind.SITE_DELETED, NOW, "axb.example.com")

    await pages.ledger.write(add)


async def test_the_log_is_chosen_by_kind_and_person_and_exported(pages: Pages) -> None:
    async with pages.ada() as ada:
        await add_events(pages)
        shown = (await ada.get("/admin/log")).text
        assert "&lt;b&gt;bold&lt;/b&gt;.example.com" in shown
        assert "by a_b%c!@example.com, token 3" in shown
        chosen = (await ada.get("/admin/log?kind=site+deleted")).text
        assert "axb.example.com" in chosen
        assert "bold" not in chosen
        assert '<option value="site deleted" selected>' in chosen

        async def subjects(query: str) -> list[str]:
            answer = (await ada.get(f"/admin/log.json?{query}")).json()
            assert answer["older"] is None
            return [event["subject"] for event in answer["events"]]

        assert await subjects("person=A_B%25C!@") == ["axb.example.com"]
        assert await subjects("person=a_b.") == []  # no wildcard
        assert await subjects("person=BOLD") == ["<b>bold</b>.example.com"]
        assert await subjects("kind=site+created&person=axb") == []
        assert await subjects("person=%00") == []  # PostgreSQL takes no such text
        everything = await subjects("kind=nonsense&before=x")
        assert len(everything) > 2
        second = (await ada.get("/admin/log.json")).json()["events"][1]
        assert await subjects(f"before={second['id']}") == everything[2:]
        assert second["at"] == "2027-01-15T08:00:00+00:00"

        answer = await ada.get("/admin/log.csv?kind=site+created&person=bold")
        assert answer.headers["content-disposition"] == 'attachment; filename="events.csv"'
        head, row = csv.reader(io.StringIO(answer.text))
        assert head == ["id", "at", "kind", "actor", "subject", "detail", "times"]
        assert row[3:6] == ["'=HYPERLINK(1)", "<b>bold</b>.example.com", "'+1"]


async def test_the_log_is_read_in_pages(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.surfaces.dashboard.admin.log.PAGE", 1)
    monkeypatch.setattr("tallystick.surfaces.dashboard.admin.log.ROWS_OF_DATA", 1)
    async with pages.ada() as ada:
        await add_events(pages)
        newest = (await ada.get("/admin/log.json?person=example.com")).json()
        assert [event["subject"] for event in newest["events"]] == ["axb.example.com"]
        assert newest["older"].startswith("/admin/log.json?person=example.com&before=")
        older = (await ada.get(newest["older"])).json()
        assert [event["subject"] for event in older["events"]] == ["<b>bold</b>.example.com"]
        page = (await ada.get("/admin/log?kind=site+deleted")).text
        assert f'href="/admin/log?kind=site+deleted&amp;before={newest["events"][0]["id"]}"' in page


async def test_people_and_sites_are_data_too(pages: Pages) -> None:
    async with pages.ada() as ada:
        data = (await ada.get("/admin/people.json")).json()
        assert [account["email"] for account in data["accounts"]] == ["ada@example.com"]
        assert data["accounts"][0]["access"] == {"all": "*"}
        assert data["sites"][0]["accounts"] == ["ada@example.com"]
        assert data["sites"][0]["counting_since"] is None
        assert "password" not in str(data)


async def test_the_state_says_that_all_is_well_or_what_to_do(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    async with pages.ada() as ada:
        shown = (await ada.get("/admin")).text
        assert "It works, but something needs attention." in shown
        assert "<strong>No backup has been taken yet.</strong> Run <code>tallystick backup FILE</code>" in shown
        backup = BackupNote(time.time_ns() // 1_000_000, 12_345_678, hits=False)
        monkeypatch.setattr(backups, "last_backup", lambda _: backup)
        shown = (await ada.get("/admin")).text
        assert "All is well." in shown
        assert "12.3 MB, without hits" in shown
        data = (await ada.get("/admin.json")).json()
        assert (data["well"], data["findings"]) == (True, [])
        assert data["writing"]["last_commit"] > 0
        assert data["writing"]["batch"]["count"] > 0
        assert data["machine"]["space"] is None  # this data directory does not exist
        monkeypatch.setattr(type(pages.ledger), "waiting", 15_000)
        monkeypatch.setattr(type(pages.ledger), "queue_limit", 20_000)
        data = (await ada.get("/admin.json", **{"accept-language": "de"})).json()
        assert data["well"] is False
        assert [finding["problem"] for finding in data["findings"]] == ["the queue fills"]
        assert data["findings"][0]["what"] == "Die Warteschlange füllt sich: 15.000 von 20.000 Plätzen sind belegt."
        shown = (await ada.get("/admin")).text
        assert "All is well." not in shown
        assert "It works, but something needs attention." in shown
        assert "The queue fills: 15,000 of 20,000 places are taken." in shown


async def test_figures_that_are_rare_are_shown_in_words(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns() // 1_000_000
    asked = SlowQuestion(
        at=now, seconds=2.25, given_up=False, sites=(1,), about=("visitors", "<i>"), filters=("page",), days=28
    )
    search = SlowQuestion(at=now, seconds=10.0, given_up=True)
    monkeypatch.setattr(SlowQuestions, "of_last_day", [asked, search])
    async with pages.ada() as ada:
        for growth, words in (
            (None, "not known yet"),
            (Growth(5_000_000.0, 20.4, 91.7), "about 91 days"),
            (Growth(-5.0, 20.4, None), "more than ten years"),
        ):
            monkeypatch.setattr(module, "growth_of", lambda *_, growth=growth: growth)
            shown = (await ada.get("/admin")).text
            assert words in shown
        assert "At the pace of the last 20 days" in shown
        assert "visitors, &lt;i&gt;" in shown
        assert "site 1, 28 days, filtered by page" in shown
        assert "A search in stored hits" in shown
        assert "10 s <strong>given up</strong>" in shown
        started = ENGLISH.moment((await ada.get("/admin.json")).json()["started"])
        assert "No request was refused." in shown
        # What is slow and what is refused is known from then on only.
        assert re.findall(r"Known since the server started, on <time.*?>(.*?)</time>", shown) == [started] * 2
        pages.kit.traffic.refused("countapi", "too many")
        pages.kit.connections.refused["head too slow"] += 3
        shown = re.sub(r"\s+", " ", (await ada.get("/admin")).text)
        rows = re.findall(r'<tr><th scope="row">([^<]+)</th><td>([^<]+)</td><td>([^<]+)</td></tr>', shown)
        assert rows == [("head too slow", "http", "3"), ("too many", "countapi", "1")]
        data = (await ada.get("/admin.json")).json()
        assert data["refused"][1] == {"surface": "countapi", "reason": "too many", "times": 1}
        assert [question["given_up"] for question in data["slow"]] == [False, True]


async def away(*_: object) -> None:
    raise StoreAway


async def hanging(*_: object) -> None:
    await asyncio.sleep(60)


@contextmanager
def ledger_down(pages: Pages, as_if: Callable[..., Awaitable[None]] = away) -> Iterator[None]:
    """A time in which the ledger can neither be read nor written."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("read", "write", "flush", "lanes_free"):
            patch.setattr(pages.ledger, name, as_if)
        patch.setattr(page_request, "READ_WITHIN_S", 0.05)
        patch.setattr(logouts, "STORED_WITHIN_S", 0.05)
        patch.setattr(readiness, "COMMITTED_WITHIN_S", 0.05)
        yield


async def test_superusers_see_the_state_while_the_ledger_is_down(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    async with pages.ada() as ada, pages.ben(ada, access_all="a") as ben, pages.visitor() as guest:
        assert (await ben.get("/admin")).status_code == 404
        assert await statuses(ada, "/admin") == [200]
        with ledger_down(pages):
            shown = await ada.get("/admin")
            assert shown.status_code == 200
            assert "Something is wrong." in shown.text
            assert "Counts cannot be stored: the database cannot be reached." in shown.text
            data = (await ada.get("/admin.json")).json()
            assert [finding["level"] for finding in data["findings"]] == ["now", "soon"]
            assert await statuses(ada, "/admin/people", "/admin/log", "/sites") == [503, 503, 503]
            assert await statuses(ben, "/admin", "/admin.json") == [503, 503]
            assert await statuses(guest, "/admin", "/admin.json") == [303, 303]
            with monkeypatch.context() as later:
                later.setattr(superuser_logins, "REMEMBERED_MS", -1)
                assert await statuses(ada, "/admin") == [503]
        assert await statuses(ada, "/admin") == [200]
        with ledger_down(pages, hanging):
            shown = await ada.get("/admin")
            assert "Counts cannot be stored: commits take too long." in shown.text


async def test_a_login_that_has_ended_is_forgotten(pages: Pages) -> None:
    async with pages.ada() as ada:
        cookies = dict(ada.client.cookies)
        assert (await ada.fill("/admin", {}, action="/logout")).status_code == 303
        ada.client.cookies.update(cookies)
        assert await statuses(ada, "/admin") == [303]
        with ledger_down(pages):
            assert await statuses(ada, "/admin") == [503]


@pytest.mark.parametrize("as_if", [away, hanging])
async def test_who_logs_out_while_the_ledger_is_down_is_out(
    pages: Pages, as_if: Callable[..., Awaitable[None]]
) -> None:
    async with pages.ada() as ada:
        cookies, form = dict(ada.client.cookies), {"token": token_in((await ada.get("/admin")).text)}
        digest = secret_digest(cookies["tallystick-login"])
        with ledger_down(pages, as_if):
            answer = await ada.send("/logout", form)
            assert (answer.status_code, answer.headers["location"]) == (303, "/login?done=logout-pending")
            assert "tallystick-login" not in ada.client.cookies
            assert "the server no longer accepts your login" in (await ada.get(answer.headers["location"])).text
            ada.client.cookies.update(cookies)
            assert await statuses(ada, "/admin") == [303]
        # Not even before it is stored.
        assert await pages.ledger.read(find_login_session, digest, pages.ledger.clock())
        assert await statuses(ada, "/admin") == [303]
        await pages.logouts.store_pending()
        assert await pages.ledger.read(find_login_session, digest, pages.ledger.clock()) is None
        assert not pages.logouts.is_pending(digest)
        assert await statuses(ada, "/admin") == [303]


async def test_error_pages_come_while_the_ledger_hangs(pages: Pages) -> None:
    async with pages.ada() as ada:
        assert "/logout" in (await ada.get("/nowhere", accept="text/html")).text
        with ledger_down(pages, hanging):
            async with asyncio.timeout(10):
                answer = await ada.get("/nowhere", accept="text/html")
            assert answer.status_code == 404
            assert "There is no such page" in answer.text
            assert "/logout" not in answer.text


async def test_logging_out_needs_the_token_of_the_form_during_an_outage_too(pages: Pages) -> None:
    async with pages.ada() as ada:
        await ada.get("/admin")
        with ledger_down(pages):
            assert (await ada.send("/logout", {"token": "00" * 64})).status_code == 403
            assert await statuses(ada, "/admin") == [200]


async def statuses(visitor: Visitor, *paths: str) -> list[int]:
    """What each page is answered with."""
    return [(await visitor.get(path)).status_code for path in paths]
