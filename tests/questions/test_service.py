"""Questions with names in place of ids, through the service."""

import asyncio
from datetime import UTC
from functools import partial
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from support.analytics import Analytics
from support.ledgers import until
from support.telling import a_visit, at, tell
from tallystick.errors import InputRefused, QuestionTooLong, StoreBusy
from tallystick.model.dimensions import (
    BOT,
    CAMPAIGN,
    COUNTRY,
    ENTRY_PAGE,
    EVENT_NAME,
    HOST,
    NEXT_PAGE,
    PAGE,
    SOURCE,
    Dimension,
)
from tallystick.model.metrics import Metric
from tallystick.model.period import Period, exact_period, period
from tallystick.model.question import (
    AllOf,
    Answer,
    Comparison,
    FilterExpression,
    HasDone,
    Match,
    Not,
    Operator,
    Order,
    Question,
    TimeUnit,
)
from tallystick.services.analytics import questions as module
from tallystick.services.analytics.names import path_ids, rename_path
from tallystick.services.analytics.questions import Questions, check, labels
from tallystick.services.job_worker import JobWorker
from tallystick.services.jobs import DeletePaths, Relabel, enqueue
from tallystick.warehouse import WarehouseSession

DAY = period(at("2020-06-18"), at("2020-06-18T23:59:59"), UTC)
VISITORS = (Metric.VISITORS,)


@pytest.fixture
async def site(analytics: Analytics) -> Analytics:
    await tell(
        analytics,
        a_visit("/a", by=1, country="NL", source="Google", host="example.com"),
        a_visit("/b", by=1, when="2020-06-18T10:01"),
        a_visit("/a", by=2, country="DE", campaign="Spring"),
        a_visit("/a/c", by=3, country="NL"),
        a_visit("Click", by=3, when="2020-06-18T10:05"),
        a_visit("/a", by=4, when="2020-06-17T10:00"),
        a_visit("/b", bot=6),
    )
    return analytics


async def tidied(analytics: Analytics) -> bool:
    """Whether the first removal of old records, which counts as a change of what is stored, is over."""
    states = analytics.services.tasks.states
    return all(task.last_success is not None for task in states if task.row.name == "old-hits")


def asked(analytics: Analytics, **fields: Any) -> Question:
    given: dict[str, Any] = {"sites": (analytics.site.id,), "period": DAY, "metrics": VISITORS}
    return Question(**given | fields)


async def answer(analytics: Analytics, **fields: Any) -> Answer:
    return await analytics.services.questions.answer(asked(analytics, **fields))


async def rows(analytics: Analytics, **fields: Any) -> list[tuple[Any, ...]]:
    return [(*row.values, *row.figures) for row in (await answer(analytics, **fields)).rows]


async def test_rows_have_names(site: Analytics) -> None:
    assert await rows(site, dimensions=(PAGE,)) == [("/a", 2), ("/a/c", 1), ("/b", 1)]
    assert await rows(site, dimensions=(EVENT_NAME,), metrics=(Metric.EVENTS,)) == [("pageview", 4), ("Click", 1)]
    assert await rows(site, dimensions=(CAMPAIGN,)) == [("", 2), ("Spring", 1)]
    assert await rows(site, dimensions=(ENTRY_PAGE, COUNTRY)) == [("/a", "DE", 1), ("/a", "NL", 1), ("/a/c", "NL", 1)]
    page = Match(dimension=PAGE, values=("/a",))
    next_pages = await rows(site, dimensions=(NEXT_PAGE,), metrics=(Metric.PAGEVIEWS,), condition=page)
    assert next_pages == [("", 1), ("/b", 1)]
    assert await rows(site, dimensions=(BOT, PAGE), metrics=(Metric.EVENTS,), bots=True) == [("boty-word", "/b", 1)]


def a_match(dimension: Dimension, operator: Operator, *values: str, **fields: Any) -> Match:
    return Match(dimension=dimension, operator=operator, values=values, **fields)


BY_NAMES: list[tuple[FilterExpression, int]] = [
    (a_match(PAGE, Operator.IS, "/a"), 2),
    (a_match(PAGE, Operator.IS, "/a/"), 2),
    (a_match(PAGE, Operator.IS, "/A"), 0),
    (a_match(PAGE, Operator.IS, "/A", caseless=True), 2),
    (a_match(PAGE, Operator.IS, "/nowhere"), 0),
    (a_match(PAGE, Operator.IS, "/nowhere", negated=True), 3),
    (a_match(PAGE, Operator.CONTAINS, "/a"), 3),
    (a_match(PAGE, Operator.CONTAINS, "/A", caseless=True), 3),
    (a_match(PAGE, Operator.MATCHES, "^/.$"), 2),
    (a_match(PAGE, Operator.MATCHES, "c$", negated=True), 2),
    (a_match(EVENT_NAME, Operator.IS, "Click"), 1),
    (a_match(EVENT_NAME, Operator.IS, "pageview"), 3),
    (a_match(EVENT_NAME, Operator.CONTAINS, "lick"), 1),
    (a_match(EVENT_NAME, Operator.CONTAINS, "i"), 3),
    (a_match(CAMPAIGN, Operator.IS, "Spring"), 1),
    (a_match(CAMPAIGN, Operator.IS, ""), 2),
    (a_match(CAMPAIGN, Operator.MATCHES, "^S"), 1),
    (a_match(ENTRY_PAGE, Operator.IS, "/a"), 2),
    (a_match(SOURCE, Operator.IS, "Google"), 1),
    (HasDone(a_match(PAGE, Operator.IS, "/b")), 1),
    (Not(HasDone(a_match(EVENT_NAME, Operator.IS, "Click"))), 2),
    (AllOf((a_match(PAGE, Operator.IS, "/a"), a_match(PAGE, Operator.IS, "/b"))), 0),
]


async def test_filters_take_names(site: Analytics) -> None:
    for condition, visitors in BY_NAMES:
        assert await rows(site, condition=condition) == [(visitors,)], (condition, visitors)


async def test_rows_with_equal_figures_are_sorted_by_name_over_pages(site: Analytics) -> None:
    whole = await rows(site, dimensions=(PAGE,))
    parts = [await rows(site, dimensions=(PAGE,), limit=1, offset=offset) for offset in range(4)]
    assert [row for part in parts for row in part] == whole
    assert (await answer(site, dimensions=(PAGE,), limit=1, offset=9, total_rows=True)).total_rows == len(whole)
    by_name = (Order(PAGE, descending=True),)
    assert [row[0] for row in await rows(site, dimensions=(PAGE,), order=by_name)] == ["/b", "/a/c", "/a"]


async def test_times_are_texts(site: Analytics) -> None:
    two_days = period(at("2020-06-17"), at("2020-06-18T23:59:59"), UTC)
    assert await rows(site, period=two_days, dimensions=(TimeUnit.DAY,)) == [("2020-06-17", 1), ("2020-06-18", 3)]
    assert await rows(site, dimensions=(TimeUnit.HOUR,)) == [("2020-06-18 10:00:00", 3)]
    assert await rows(site, dimensions=(TimeUnit.WEEK,)) == [("2020-06-18", 3)]
    assert await rows(site, dimensions=(TimeUnit.WEEKDAY, TimeUnit.HOUR_OF_DAY)) == [(4, 10, 3)]


async def test_a_comparison_pairs_values_and_the_nth_unit_of_time(site: Analytics) -> None:
    before = Comparison(period(at("2020-06-17"), at("2020-06-17T23:59:59"), UTC))
    found = await answer(site, dimensions=(PAGE,), compare=before)
    assert [(row.values, row.figures, row.compared) for row in found.rows] == [
        (("/a",), (2,), (1,)),
        (("/a/c",), (1,), (0,)),
        (("/b",), (1,), (0,)),
    ]
    found = await answer(site, dimensions=(TimeUnit.DAY,), compare=before)
    assert [(row.values, row.figures, row.compared) for row in found.rows] == [(("2020-06-18",), (3,), (1,))]
    found = await answer(site, compare=before, metrics=(Metric.VISITORS, Metric.BOUNCE_RATE))
    assert found.rows[0].compared == (1, 100.0)


async def test_an_answer_is_kept_until_something_changes_it(site: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    asks = 0
    read = module.ask

    def counting(*arguments: Any) -> Answer:
        nonlocal asks
        asks += 1
        return read(*arguments)

    services = site.services
    await until(partial(tidied, site))
    monkeypatch.setattr(module, "ask", counting)

    async def pages() -> list[tuple[Any, ...]]:
        return await rows(site, dimensions=(PAGE,))

    async def do(change: Any) -> None:
        await services.ledger.write(enqueue, change, 0)
        await JobWorker(services.ledger, services.warehouse, services.forget_names, seen_within=0).work()

    first = await pages()
    assert await pages() == first
    assert asks == 1
    await tell(site, a_visit("/a", by=9))
    assert await pages() == [("/a", 3), ("/a/c", 1), ("/b", 1)]
    [number] = await services.ledger.read(path_ids, site.site.id, ["/b"])
    await services.ledger.write(rename_path, site.site.id, number, "/renamed")
    services.forget_names()
    assert await pages() == [("/a", 3), ("/a/c", 1), ("/renamed", 1)]
    await do(Relabel(site.site.id, 6, 0))
    assert await pages() == [("/a", 3), ("/renamed", 2), ("/a/c", 1)]
    await do(DeletePaths(site.site.id, (number,)))
    assert [row for row in await pages() if row[0] != "/renamed"] == [("/a", 3), ("/a/c", 1)]


async def test_hits_that_other_servers_store_are_in_every_answer(
    site: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = site.services.warehouse
    monkeypatch.setattr(warehouse, "shared", True)
    monkeypatch.setattr(type(warehouse), "marks", warehouse.marks)  # a lake's never change
    assert await rows(site, dimensions=(PAGE,)) == [("/a", 2), ("/a/c", 1), ("/b", 1)]
    await tell(site, a_visit("/a", by=9))
    assert await rows(site, dimensions=(PAGE,)) == [("/a", 3), ("/a/c", 1), ("/b", 1)]


async def test_searched_names_follow_new_and_changed_paths(site: Analytics) -> None:
    services = site.services
    searched = Match(dimension=PAGE, operator=Operator.CONTAINS, values=("/a",))

    async def found() -> list[Any]:
        return [name for name, _ in await rows(site, dimensions=(PAGE,), condition=AllOf((searched,)))]

    assert await found() == ["/a", "/a/c"]
    await tell(site, a_visit("/a/new", by=10))
    assert await found() == ["/a", "/a/c", "/a/new"]
    [number] = await services.ledger.read(path_ids, site.site.id, ["/a/new"])
    await services.ledger.write(rename_path, site.site.id, number, "/b/new")
    services.forget_names()
    assert await found() == ["/a", "/a/c"]


async def test_a_page_that_only_events_or_bots_have_is_found_by_a_part_of_its_name(site: Analytics) -> None:
    await tell(site, a_visit("Click", by=20, page="/only/events"), a_visit("/only/bots", bot=6))
    contains = Match(dimension=PAGE, operator=Operator.CONTAINS, values=("/only",))

    async def found(**fields: Any) -> list[tuple[Any, ...]]:
        return await rows(site, dimensions=(PAGE,), metrics=(Metric.EVENTS,), condition=AllOf((contains,)), **fields)

    assert await found() == [("/only/events", 1)]
    assert await found(bots=True) == [("/only/bots", 1)]
    without = AllOf((replace(contains, negated=True),))
    pages = await rows(site, dimensions=(PAGE,), metrics=(Metric.EVENTS,), condition=without)
    assert [name for name, _ in pages] == ["/a", "/a/c", "/b"]
    await tell(site, a_visit("/only/bots", by=21))  # a person comes after the name was looked at
    assert await found() == [("/only/bots", 1), ("/only/events", 1)]


@pytest.mark.parametrize(
    ("condition", "visitors"),
    [
        (a_match(BOT, Operator.IS, "known"), 0),
        (a_match(BOT, Operator.IS, "known", negated=True), 3),
        (a_match(BOT, Operator.IS, "known-not"), 3),
        (a_match(BOT, Operator.CONTAINS, "known"), 3),
        (a_match(BOT, Operator.IS, "known-not", negated=True), 0),
    ],
)
async def test_filters_on_the_kind_of_bot_say_the_same_of_people_in_every_question(
    site: Analytics, condition: FilterExpression, visitors: int
) -> None:
    more = (Metric.PAGEVIEWS, Metric.BOUNCE_RATE, Metric.PERCENTAGE)
    for dimensions in ((), (SOURCE,), (COUNTRY,), (PAGE,), (ENTRY_PAGE,)):
        for metrics in (VISITORS, *((*VISITORS, metric) for metric in more)):
            found = await rows(site, dimensions=dimensions, metrics=metrics, condition=condition)
            everything = await rows(site, dimensions=dimensions, metrics=metrics)
            if visitors:
                assert found == everything, (dimensions, metrics)
            else:
                assert not any(row[len(dimensions)] for row in found), (dimensions, metrics)


async def test_a_question_that_takes_too_long_is_given_up(site: Analytics) -> None:
    services = site.services
    impatient = Questions(services.ledger, services.warehouse, within=0.2)
    begun, ended = 0, 0

    async def over() -> bool:
        return begun == ended

    def slow(session: Any, _: Question) -> Answer:
        nonlocal begun, ended
        begun += 1
        try:
            session.connection.execute("SELECT count(*) FROM range(10000000000) a(x) WHERE hash(x) = 1").fetchall()
        finally:
            ended += 1
        raise AssertionError

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "ask", slow)
        while not begun:  # on a busy machine its time may be over before
            with pytest.raises(QuestionTooLong, match=r"the question took longer than 0\.2 seconds"):
                await impatient.answer(asked(site))
        await until(over)
        # Where the time was over while hits of other servers were waited for, the question is not to blame.
        patched.setattr(services.warehouse, "was_incomplete", lambda _: True)
        with pytest.raises(StoreBusy, match="the statistics lack hits of the last seconds"):
            await impatient.answer(asked(site))
    assert {each.given_up for each in impatient.slow.of_last_day} == {True}
    assert await rows(site) == [(3,)]


async def test_who_asks_the_same_meanwhile_gets_the_same_answer(site: Analytics) -> None:
    services, asks = site.services, 0
    await until(partial(tidied, site))

    def counted(session: WarehouseSession, question: Question) -> Answer:
        nonlocal asks
        asks += 1
        return session.answer(question)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "ask", counted)
        questions = Questions(services.ledger, services.warehouse)
        answers = await asyncio.gather(*(questions.answer(asked(site)) for _ in range(5)))
    assert asks == 1
    assert answers == [answers[0]] * 5


async def test_a_question_waits_for_others_only_so_long(site: Analytics) -> None:
    services, hold = site.services, Event()

    def slow(session: WarehouseSession, question: Question) -> Answer:
        hold.wait(20)
        return session.answer(question)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "ask", slow)
        patched.setattr(module, "WAITING", 1)
        questions = Questions(services.ledger, services.warehouse, waits=0.1)
        first = asyncio.create_task(questions.answer(asked(site)))
        await asyncio.sleep(0)  # it begins
        second = asyncio.create_task(questions.answer(asked(site, metrics=(Metric.EVENTS,))))
        await asyncio.sleep(0)  # it waits
        with pytest.raises(StoreBusy, match="too many questions are waiting"):
            await questions.answer(asked(site, metrics=(Metric.EVENTS,)))
        with pytest.raises(StoreBusy, match="other questions take too long"):
            await second
        hold.set()
        assert [row.figures for row in (await first).rows] == [(3,)]
    assert (await questions.answer(asked(site, metrics=(Metric.EVENTS,)))).rows


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"sites": ()}, "a question needs a site"),
        ({"metrics": ()}, "a question needs a metric"),
        ({"metrics": VISITORS * 2}, "a metric stands twice"),
        ({"dimensions": (PAGE, PAGE)}, "a dimension stands twice"),
        ({"dimensions": (PAGE, HOST, COUNTRY, SOURCE, TimeUnit.DAY)}, "at most 4 dimensions"),
        ({"limit": 0}, "the limit has to be between 1 and 10,000"),
        ({"offset": -1}, "the limit has to be between"),
        ({"order": (Order(PAGE),)}, "rows can be sorted by"),
        ({"condition": Match(dimension=PAGE, values=())}, "the filter on page has no values"),
        ({"condition": Match(dimension=PAGE, values=("x" * 3_000,))}, "the filter on page takes at most"),
        ({"condition": AllOf((Match(dimension=PAGE, values=("/",)),) * 101)}, "at most 100 filters"),
        ({"condition": HasDone(Match(dimension=COUNTRY, values=("NL",)))}, "not on country"),
        ({"condition": HasDone(HasDone(Match(dimension=PAGE, values=("/",))))}, "inside of another has done"),
        ({"metrics": (Metric.BOUNCE_RATE,), "dimensions": (EVENT_NAME,)}, "they take the page only"),
        ({"metrics": (Metric.BOUNCE_RATE,), "dimensions": (HOST,)}, "they take the page only"),
        ({"bots": True}, "hits of bots have the metrics"),
        ({"dimensions": (BOT,)}, "a dimension of bots' hits only"),
        ({"sites": (1, 2), "dimensions": (PAGE,), "metrics": (Metric.EXIT_RATE,)}, "of several sites"),
    ],
)
def test_what_has_no_answer_is_refused(fields: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"sites": (1,), "period": DAY, "metrics": VISITORS}
    with pytest.raises(InputRefused, match=said):
        check(Question(**given | fields))


def spans(zone: str, start: str, end: str) -> Period:
    return period(at(start), at(end), ZoneInfo(zone))


@pytest.mark.parametrize(
    ("unit", "span", "count", "first", "last"),
    [
        (TimeUnit.DAY, spans("UTC", "2020-06-01", "2020-06-30T23:59:59"), 30, "2020-06-01", "2020-06-30"),
        (TimeUnit.MONTH, spans("UTC", "2020-01-15", "2020-03-01T23:59:59"), 3, "2020-01-01", "2020-03-01"),
        (TimeUnit.WEEK, spans("UTC", "2020-06-03", "2020-06-17"), 3, "2020-06-03", "2020-06-15"),
        (TimeUnit.SUNDAY_WEEK, spans("UTC", "2020-06-03", "2020-06-17"), 3, "2020-06-03", "2020-06-14"),
        # The clocks of Berlin go forward: 23 hours; back: 24 different ones of 25.
        (
            TimeUnit.HOUR,
            spans("Europe/Berlin", "2020-03-28T23:00", "2020-03-29T21:59:59"),
            23,
            "2020-03-29 00:00:00",
            "2020-03-29 23:00:00",
        ),
        (
            TimeUnit.HOUR,
            spans("Europe/Berlin", "2020-10-24T22:00", "2020-10-25T22:59:59"),
            24,
            "2020-10-25 00:00:00",
            "2020-10-25 23:00:00",
        ),
        # Samoa had no 30 December 2011.
        (TimeUnit.DAY, spans("Pacific/Apia", "2011-12-29T10:00", "2011-12-31T09:59:59"), 2, "2011-12-29", "2011-12-31"),
    ],
)
def test_labels_cover_the_period(unit: TimeUnit, span: Period, count: int, first: str, last: str) -> None:
    found = labels(Question(sites=(1,), period=span, metrics=VISITORS, dimensions=(unit,)))
    assert (len(found), found[0], found[-1]) == (count, first, last)


def test_labels_can_end_now() -> None:
    question = Question(sites=(1,), period=DAY, metrics=VISITORS, dimensions=(TimeUnit.HOUR,))
    assert labels(question, at("2020-06-18T02:30"))[-1] == "2020-06-18 02:00:00"
    half_hour = exact_period(at("2020-06-18T10:00"), at("2020-06-18T10:29:59"), UTC)
    minutes = Question(sites=(1,), period=half_hour, metrics=VISITORS, dimensions=(TimeUnit.MINUTE,))
    assert len(labels(minutes)) == 30
    assert labels(Question(sites=(1,), period=DAY, metrics=VISITORS)) == []
