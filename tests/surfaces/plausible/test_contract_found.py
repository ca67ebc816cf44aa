"""Deviations from the contract that were found by reading it against a running server, one test each."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest

from support.in_process import Asgi
from support.telling import a_visit, tell
from tallystick.model.question import Answer, Question
from tallystick.services.analytics.names import path_ids, rename_path
from tallystick.services.inquiries.figures import change
from tallystick.services.inquiries.names import vocabulary
from tallystick.surfaces.plausible import judging
from tallystick.web.asgi import Receive, Scope, Send

from .conftest import Stats


async def test_labels_of_two_dates_are_not_trimmed(stats: Stats) -> None:
    found = await stats.query(dimensions=["time:day"], include={"time_labels": True, "trim_relative_date_range": True})
    assert found["meta"]["time_labels"] == ["2027-01-13", "2027-01-14", "2027-01-15"]


@pytest.mark.parametrize(
    ("before", "now", "percent"), [(8, 9, 13), (8, 7, -13), (200, 201, 1), (200, 199, -1), (1000, 1004, 0), (3, 4, 33)]
)
def test_halves_of_a_percent_are_rounded_away_from_zero(before: int, now: int, percent: int) -> None:
    assert change(vocabulary(extended=False).metrics["visitors"], now, before) == percent


async def test_faults_of_form_come_before_those_of_meaning(stats: Stats) -> None:
    filters = [["is", "visit:country", ["DEU"]], ["is", "nope", ["x"]], ["is", "event:page", []]]
    status, text = await stats.refusal(filters=filters)
    assert status == 400
    assert [line.partition(":")[0] for line in text.split("\n")] == ["#/filters/1", "#/filters/2"]


@pytest.mark.parametrize(
    ("expression", "same"),
    [
        (["not", ["is", "event:page", ["/"]]], ["is_not", "event:page", ["/"]]),
        (["not", ["not", ["is", "event:page", ["/"]]]], ["is", "event:page", ["/"]]),
        (
            ["not", ["or", [["is", "event:page", ["/"]], ["contains", "event:page", ["blog"]]]]],
            ["is", "event:page", ["/pricing"]],
        ),
        (
            ["not", ["and", [["is", "event:page", ["/"]], ["is", "visit:country", ["US"]]]]],
            ["or", [["is_not", "event:page", ["/"]], ["is_not", "visit:country", ["US"]]]],
        ),
    ],
)
async def test_an_event_passes_no_filter_on_pages_however_it_is_negated(
    stats: Stats, expression: list[object], same: list[object]
) -> None:
    asked: dict[str, Any] = {"metrics": ["visitors", "events"], "dimensions": ["event:name", "visit:country"]}
    assert await stats.rows(filters=[expression], **asked) == await stats.rows(filters=[same], **asked) != []


async def test_goals_can_be_named_in_any_case(stats: Stats) -> None:
    caseless = ["is", "event:goal", ["SIGNUP"], {"case_sensitive": False}]
    assert await stats.rows(filters=[caseless]) == [(1,)]
    assert (await stats.refusal(filters=[["is", "event:goal", ["SIGNUP"]]]))[0] == 400


async def test_whole_names_beside_patterns_are_compared_as_names(stats: Stats) -> None:
    usual = {"site_id": "stats.example.com", "period": "custom", "date": "2027-01-13,2027-01-15"}
    found = await stats.get(
        "/api/v1/stats/aggregate", filters="event:page==/b*|/pricing/", metrics="pageviews", **usual
    )
    assert found.json() == {"results": {"pageviews": {"value": 4}}}


@pytest.mark.parametrize(
    "body",
    [
        {"dimensions": ["time:minute"], "include": {"time_labels": True}},
        {"dimensions": ["time:minute"], "include": {"compare": "previous_period"}},
        {"dimensions": ["time:hour"], "include": {"time_labels": True}},
    ],
)
async def test_labels_of_time_are_bounded(stats: Stats, body: dict[str, Any]) -> None:
    status, text = await stats.refusal("/api/query", date_range=["1990-01-01", "2120-01-01"], **body)
    assert (status, text.partition(" units")[0]) == (400, "the period has more than 200,000")


async def test_labels_of_5000_days_by_the_hour_are_listed(stats: Stats) -> None:
    found = await stats.query(date_range="5000d", dimensions=["time:hour"], include={"time_labels": True})
    assert len(found["meta"]["time_labels"]) == 120_000


@pytest.mark.parametrize("operator", ["is", "is_not"])
async def test_many_whole_values_are_compared(stats: Stats, operator: str) -> None:
    values = [f"name {number}" for number in range(999)]
    filters = [[operator, "visit:browser", ["Firefox", *values]]] + [["is_not", "visit:os", values]] * 20
    assert await stats.rows(filters=filters) == [(1 if operator == "is" else 3,)]


async def test_values_that_are_searched_for_are_bounded(stats: Stats) -> None:
    values = [f"name {number}" for number in range(501)]
    for operator, options in (("contains", []), ("matches", []), ("is", [{"case_sensitive": False}])):
        filters = [[operator, "visit:browser", values, *options]]
        assert await stats.rows(filters=filters) == [(0,)]
        assert (await stats.refusal(filters=filters * 2))[0] == 400


async def test_an_answer_made_before_a_rename_is_not_kept_after_it(
    stats: Stats, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, site = stats.analytics.services, stats.analytics.site.id
    made = services.questions._within_its_time  # noqa: SLF001  # the moment between making and keeping an answer

    async def renamed_meanwhile(find: Callable[[], Awaitable[Answer]]) -> Answer:
        answer = await made(find)
        [number] = await services.ledger.read(path_ids, site, ["/pricing"])
        await services.ledger.write(rename_path, site, number, "/prices")
        services.forget_names()
        return answer

    asked: dict[str, Any] = {"dimensions": ["event:page"], "filters": [["contains", "event:page", ["pri"]]]}
    with monkeypatch.context() as patched:
        patched.setattr(services.questions, "_within_its_time", renamed_meanwhile)
        assert await stats.rows(**asked) == [("/pricing", 2)]
    assert await stats.rows(**asked) == [("/prices", 2)]


async def test_large_questions_are_not_kept(stats: Stats) -> None:
    kept = stats.analytics.services.questions._kept  # noqa: SLF001  # its memory
    for count, length, more in ((150, 1, 1), (200, 1, 0), (2, 2_000, 1), (3, 2_000, 0)):
        before = len(kept)
        values = [f"{count} {number}".ljust(length, "x") for number in range(count)]
        await stats.rows(filters=[["is", "visit:browser", values]])
        assert len(kept) - before == more


async def test_a_question_of_a_client_that_has_hung_up_is_given_up(
    stats: Stats, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = stats.analytics.services
    ended: list[str] = []

    async def slow(_: Question) -> Answer:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("given up")
        raise AssertionError

    async def hangs_up(scope: Scope, receive: Receive, send: Send) -> None:
        messages = iter([await receive(), {"type": "http.disconnect"}])

        async def received() -> Any:
            return next(messages)

        await stats.analytics.running.application(scope, received, send)

    monkeypatch.setattr(services.questions, "_within_its_time", slow)
    monkeypatch.setattr(judging, "ANSWERED_WITHIN_S", 0.01)
    answer = await Asgi(hangs_up).ask(
        "/api/v1/stats/aggregate?site_id=stats.example.com&period=7d",
        headers={"host": "stats.example.com", "authorization": f"Bearer {stats.analytics.token}"}.items(),
    )
    assert (answer.status, ended) == (504, ["given up"])


async def test_older_series_and_breakdowns_have_conversion_rates_of_their_own_visitors(stats: Stats) -> None:
    asked = {"site_id": "stats.example.com", "period": "custom", "date": "2027-01-13,2027-01-15"}
    asked |= {"metrics": "visitors,conversion_rate", "filters": "event:goal==Signup"}
    series = (await stats.get("/api/v1/stats/timeseries", **asked)).json()["results"]
    assert [row["conversion_rate"] for row in series] == [100, 0, 0]
    sources = (await stats.get("/api/v1/stats/breakdown", property="visit:source", **asked)).json()["results"]
    assert sources == [{"source": "Google", "visitors": 1, "conversion_rate": 50}]
    goals = (await stats.get("/api/v1/stats/breakdown", property="event:goal", **asked)).json()["results"]
    assert goals == [{"goal": "Signup", "visitors": 1, "conversion_rate": 25}]
    whole = (await stats.get("/api/v1/stats/aggregate", **asked)).json()["results"]
    assert whole["conversion_rate"] == {"value": 25}


async def test_nobody_is_there_now_where_only_hours_are_kept(stats: Stats) -> None:
    now = datetime.fromtimestamp(stats.analytics.clock() / 1000, UTC).strftime("%Y-%m-%dT%H:%M")
    await tell(stats.analytics, a_visit("/", now))
    asked = {"site_id": "stats.example.com"}
    assert (await stats.get("/api/v1/stats/realtime/visitors", **asked)).json() == 2
    await stats.analytics.change_site(collect=446 & ~256)
    assert (await stats.get("/api/v1/stats/realtime/visitors", **asked)).json() == 0


async def test_a_question_that_needs_too_much_memory_is_answered_without_details(
    stats: Stats, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*_: object) -> Answer:
        msg = "Out of Memory Error: failed to pin block of size 256.0 KiB"
        raise duckdb.OutOfMemoryException(msg)

    monkeypatch.setattr("tallystick.services.analytics.questions.ask", too_large)
    status, text = await stats.refusal()
    assert (status, "memory is used up" in text, "block" in text) == (503, True, False)


@pytest.mark.parametrize("value", [[], {}, 0, False, ""])
async def test_an_empty_comparison_is_a_fault(stats: Stats, value: object) -> None:
    status, text = await stats.refusal("/api/query", include={"compare": value})
    assert (status, text.partition(": ")[0]) == (400, "#/include/compare")
