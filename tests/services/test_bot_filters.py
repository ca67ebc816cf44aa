"""Hits are marked by a filter with names: exactly those that the same question counts."""

import asyncio
from datetime import UTC
from typing import Any

import pytest

from support.analytics import Analytics
from support.telling import a_visit, at, tell
from tallystick.errors import InputRefused, StoreBusy
from tallystick.ledger import Session
from tallystick.model.dimensions import BOT, BROWSER, COUNTRY, ENTRY_PAGE, EVENT_NAME, PAGE, SOURCE
from tallystick.model.hit import Bot
from tallystick.model.metrics import Metric
from tallystick.model.period import period
from tallystick.model.question import EVERYTHING, AllOf, FilterExpression, HasDone, Match, Not, Operator, Question
from tallystick.services.analytics import bot_filters as module
from tallystick.services.analytics.bot_filters import Marked, Marking, mark_matching
from tallystick.services.analytics.names import path_ids
from tallystick.services.analytics.path_changes import merge_paths
from tallystick.services.job_worker import JobWorker
from tallystick.services.jobs import Job, RenamedPath, enqueue, pending_jobs
from tallystick.warehouse.types import NewestIds, WarehouseMarks

DAY = period(at("2020-06-18"), at("2020-06-18T23:59:59"), UTC)


@pytest.fixture
async def site(analytics: Analytics) -> Analytics:
    await tell(
        analytics,
        a_visit("/a", by=1, source="Spam", country="NL"),
        a_visit("/b", by=1, when="2020-06-18T10:01"),
        a_visit("Click", by=1, when="2020-06-18T10:02"),
        a_visit("/a", by=2, campaign="Spring"),
        a_visit("/a", bot=6, country="NL", browser="Firefox"),
        a_visit("/b", bot=6, country="DE"),
        a_visit("/b/c", bot=153, country="NL"),
        a_visit("Click", bot=153),
        a_visit("/a", bot=6, when="2020-06-17T10:00"),
    )
    return analytics


async def mark(site: Analytics, **fields: Any) -> Marked:
    services = site.services
    given: dict[str, Any] = {"site": site.site.id, "period": DAY, "into": 0}
    marking = Marking(**given | fields)
    return await mark_matching(
        services.ledger, services.warehouse, services.questions, marking, 0, actor="admin@example.com"
    )


async def annotated(site: Analytics) -> list[str]:
    return [each.text for each in await site.services.annotations.visible(site.site.id, None)]


async def do_jobs(site: Analytics) -> None:
    services = site.services
    await JobWorker(services.ledger, services.warehouse, services.forget_names, seen_within=0).work()
    assert await services.ledger.read(pending_jobs) == []


async def counted(site: Analytics, condition: FilterExpression = EVERYTHING, *, bots: bool) -> int:
    question = Question(sites=(site.site.id,), period=DAY, metrics=(Metric.EVENTS,), condition=condition, bots=bots)
    return int((await site.services.questions.answer(question)).rows[0].figures[0] or 0)


def a_match(dimension: Any, *values: str, **fields: Any) -> Match:
    return Match(dimension=dimension, values=values, **fields)


@pytest.mark.parametrize(
    ("condition", "hits"),
    [
        (EVERYTHING, 4),
        (a_match(PAGE, "/a"), 1),
        (a_match(PAGE, "/B/", caseless=True), 1),
        (a_match(PAGE, "/b", operator=Operator.CONTAINS), 2),
        (a_match(PAGE, "^/b.", operator=Operator.MATCHES), 1),
        (a_match(PAGE, "/a", negated=True), 2),
        (Not(a_match(PAGE, "/a")), 3),
        (a_match(PAGE, "/nowhere"), 0),
        (a_match(EVENT_NAME, "Click"), 1),
        (a_match(BOT, "webdriver"), 2),
        (a_match(BROWSER, ""), 3),
        (HasDone(a_match(PAGE, "/b")), 1),
        (AllOf((a_match(COUNTRY, "NL"), a_match(BOT, "boty-word"))), 1),
    ],
)
async def test_bots_that_pass_become_people(site: Analytics, condition: FilterExpression, hits: int) -> None:
    assert await counted(site, condition, bots=True) == hits
    people = await counted(site, bots=False)
    marked = await mark(site, condition=condition)
    assert marked.hits == hits
    assert (marked.job is None) == (hits == 0)
    told = f"Counted after all: {hits} hits of bots from 2020-06-18 to 2020-06-18."
    assert await annotated(site) == ([told] if hits else [])
    await do_jobs(site)
    assert await counted(site, condition, bots=True) == 0
    assert await counted(site, bots=True) == 4 - hits
    assert await counted(site, bots=False) == people + hits


@pytest.mark.parametrize(
    ("condition", "hits"),
    [
        (a_match(SOURCE, "Spam"), 3),
        (a_match(ENTRY_PAGE, "/a"), 4),
        (a_match(PAGE, "/b"), 1),
        (HasDone(a_match(EVENT_NAME, "Click")), 3),
    ],
)
async def test_peoples_hits_that_pass_become_bots_with_their_visits_in_view(
    site: Analytics, condition: FilterExpression, hits: int
) -> None:
    assert await counted(site, condition, bots=False) == hits
    assert (await mark(site, condition=condition, bots=False, into=Bot.KNOWN)).hits == hits
    await do_jobs(site)
    assert await counted(site, bots=False) == 4 - hits
    assert await counted(site, a_match(BOT, "known"), bots=True) == hits
    assert (await mark(site, condition=a_match(BOT, "known"), into=Bot.LINK)).hits == hits
    told = f"Taken for bots and no longer counted: {hits} hits from 2020-06-18 to 2020-06-18."
    assert await annotated(site) == [told], "of another kind of bot is no change of what is counted"
    await do_jobs(site)
    assert (await mark(site, condition=a_match(BOT, "link"))).hits == hits
    await do_jobs(site)
    assert await counted(site, condition, bots=False) == hits, "the visit is what it was"


async def test_hits_that_arrive_later_stay_what_they_are(site: Analytics) -> None:
    await mark(site)
    await tell(site, a_visit("/a", bot=6))
    await do_jobs(site)
    assert await counted(site, bots=True) == 1


async def test_names_that_change_meanwhile_are_looked_up_again(
    site: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = site.services
    [a], [b] = [await services.ledger.read(path_ids, site.site.id, [name]) for name in ("/a", "/b")]
    in_ids, merged = services.questions.in_ids, asyncio.Event()

    async def and_then_a_merge(question: Question) -> FilterExpression:
        found = await in_ids(question)
        if not merged.is_set():
            merged.set()
            await services.ledger.write(merge_paths, site.site.id, [a], b, 0)
        return found

    monkeypatch.setattr(services.questions, "in_ids", and_then_a_merge)
    assert await mark(site, condition=a_match(PAGE, "/a")) == Marked(0, None), "there is no /a any more"
    await do_jobs(site)
    assert await counted(site, a_match(PAGE, "/b"), bots=True) == 2
    assert (await mark(site, condition=a_match(PAGE, "/b"))).hits == 2


async def test_names_that_do_not_stop_changing_are_too_much(site: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(session: Session, job: Job, now: int) -> int:
        enqueue(session, RenamedPath(1), now)
        return enqueue(session, job, now)

    monkeypatch.setattr(module, "enqueue", late)
    with pytest.raises(StoreBusy):
        await mark(site)
    assert await site.services.ledger.read(pending_jobs) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"into": 1}, "a code must be one of"),
        ({"into": 99}, "a code must be one of"),
        ({"bots": False}, "hits of people are people's already"),
        ({"condition": a_match(PAGE)}, "has no values"),
        ({"condition": a_match(COUNTRY, "(", operator=Operator.MATCHES)}, "is not valid"),
        ({"condition": a_match(PAGE, "(", operator=Operator.MATCHES)}, "is not valid"),
    ],
)
async def test_what_cannot_be_done_is_refused(site: Analytics, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InputRefused, match=said):
        await mark(site, **fields)
    assert await site.services.ledger.read(pending_jobs) == []


async def test_hits_that_other_servers_stored_are_marked(site: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    # As a lake's, where a server does not know what others have stored.
    monkeypatch.setattr(type(site.services.warehouse), "marks", WarehouseMarks("", 0, 0, 0, NewestIds()))
    assert await mark(site) != Marked(0, None)
    await do_jobs(site)
    assert await counted(site, bots=True) == 0
