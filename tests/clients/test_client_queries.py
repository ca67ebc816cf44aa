"""Questions of ``GoatCounter`` and ``AsyncGoatCounter``."""

import datetime as dt
from pathlib import Path
from typing import Any, get_args

import httpx
import msgspec
import pytest

from support.analytics import HOST, analytics_server
from support.clients import Driven, Script
from tallystick.cli.support.query_body import METRICS
from tallystick.client import AsyncGoatCounter, GoatCounter, query_calls
from tallystick.client import query_filters as names
from tallystick.client.errors import BadRequest, InvalidArgument, Unauthorized
from tallystick.client.goatcounter_answers import Hit
from tallystick.client.query_answers import QueryAnswer, QueryRow
from tallystick.client.query_calls import ROWS
from tallystick.client.query_filters import (
    all_of,
    any_of,
    contains,
    does_not_contain,
    does_not_match,
    has_done,
    has_not_done,
    in_segment,
    is_,
    is_not,
    matches,
    negated,
    prop,
)
from tallystick.model.dimension_names import DIMENSIONS, TIMES

RANGE = ["2026-03-10T00:00:00+01:00", "2026-03-12T23:59:59+01:00"]
SITE = "stats.example.com"


def sent(rows: list[Any], meta: dict[str, Any] | None = None, **query: Any) -> httpx.Response:
    """An answer of the server."""
    return httpx.Response(200, json={"results": rows, "meta": meta or {}, "query": {"date_range": RANGE, **query}})


def asked(*answers: httpx.Response, **question: Any) -> tuple[Any, list[Any]]:
    """What each client returns, which must be the same, and the bodies that the server got."""
    found = []
    for awaited in (None, AsyncGoatCounter):
        script = Script(*answers)
        with script.client(GoatCounter, awaited, "secret") as api:
            found.append(api.ask(**question))
        assert {request.url.path for request in script.requests} == {"/api/query"}
        bodies = [msgspec.json.decode(request.content) for request in script.requests]
    assert found[0] == found[1]
    return found[0], bodies


def test_an_answer_has_the_names_that_were_asked_for() -> None:
    row = {
        "metrics": [3, 41.5],
        "dimensions": ["2026-03-10", "Google"],
        "comparison": {"metrics": [2, 50], "change": [50, None], "dimensions": ["2026-03-07", "Google"]},
    }
    warning = {"metric_warnings": {"visitors": {"code": "hits_without_session", "warning": "not exact"}}}
    response = sent([row], {"total_rows": 5, **warning}, comparison_date_range=RANGE)
    answer, (body,) = asked(
        response,
        site=SITE,
        metrics=["visitors", "bounce_rate"],
        dimensions=["day", "source"],
        filters=[is_("page", "/a", "/b"), negated(contains("referrer", "x", ignoring_case=True))],
        period=(dt.date(2026, 3, 10), dt.date(2026, 3, 12)),
        compare="previous_period",
        same_weekdays=True,
        compare_gone=False,
        order=[("visitors", "desc"), ("source", "asc")],
        timezone="Europe/Amsterdam",
        bots=False,
        limit=10,
        offset=20,
        total_rows=True,
    )
    assert body == {
        "site_id": SITE,
        "metrics": ["visitors", "bounce_rate"],
        "date_range": ["2026-03-10", "2026-03-12"],
        "dimensions": ["time:day", "visit:source"],
        "filters": [
            ["is", "event:page", ["/a", "/b"]],
            ["not", ["contains", "visit:referrer", ["x"], {"case_sensitive": False}]],
        ],
        "order_by": [["visitors", "desc"], ["visit:source", "asc"]],
        "include": {
            "compare": "previous_period",
            "compare_match_day_of_week": True,
            "compare_gone": False,
            "total_rows": True,
        },
        "pagination": {"limit": 10, "offset": 20},
        "timezone": "Europe/Amsterdam",
        "bots": False,
    }
    zone = dt.timezone(dt.timedelta(hours=1))
    span = (dt.datetime(2026, 3, 10, tzinfo=zone), dt.datetime(2026, 3, 12, 23, 59, 59, tzinfo=zone))
    expected = QueryRow(
        values={"day": "2026-03-10", "source": "Google"},
        figures={"visitors": 3, "bounce_rate": 41.5},
        compared={"visitors": 2, "bounce_rate": 50},
        change={"visitors": 50, "bounce_rate": None},
        compared_values={"day": "2026-03-07", "source": "Google"},
    )
    assert answer == QueryAnswer(
        rows=[expected], period=span, compared_period=span, total_rows=5, warnings={"visitors": "not exact"}
    )


def test_times_that_one_of_the_periods_does_not_have_are_none() -> None:
    rows = [
        {
            "metrics": [3],
            "dimensions": ["2024-02-29"],
            "comparison": {"metrics": None, "change": None, "dimensions": [None]},
        },
        {
            "metrics": [0],
            "dimensions": [None],
            "comparison": {"metrics": [2], "change": None, "dimensions": ["2023-03-01"]},
        },
    ]
    answer, _ = asked(
        sent(rows, comparison_date_range=RANGE),
        metrics=["visitors"],
        dimensions=["day"],
        compare="year_over_year",
    )
    assert answer.rows == [
        QueryRow(values={"day": "2024-02-29"}, figures={"visitors": 3}, compared_values={"day": None}),
        QueryRow(
            values={"day": None},
            figures={"visitors": 0},
            compared={"visitors": 2},
            compared_values={"day": "2023-03-01"},
        ),
    ]


def test_little_has_to_be_said() -> None:
    answer, (body,) = asked(sent([{"metrics": [3], "dimensions": []}]), metrics=["visitors"])
    assert "site_id" not in body
    assert (body["date_range"], body["pagination"]) == ("7d", {"limit": 10_000, "offset": 0})
    assert answer.rows == [QueryRow(values={}, figures={"visitors": 3})]
    assert (answer.compared_period, answer.total_rows, answer.warnings) == (None, None, {})


@pytest.mark.parametrize("awaited", [None, AsyncGoatCounter])
def test_rows_come_page_by_page(awaited: Any) -> None:
    rows = [{"metrics": [1], "dimensions": [str(number)]} for number in range(ROWS + 1)]
    script = Script(sent(rows[:ROWS]), sent(rows[ROWS:]))
    with script.client(GoatCounter, awaited, "secret") as api:
        found = [row.values["page"] for row in api.ask_rows(["visitors"], site=[SITE, "b"], dimensions=["page"])]
    assert found == [str(number) for number in range(ROWS + 1)]
    bodies = [msgspec.json.decode(request.content) for request in script.requests]
    assert [body["pagination"]["offset"] for body in bodies] == [0, ROWS]
    assert bodies[0]["site_id"] == [SITE, "b"]


def test_a_page_that_failed_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    answer, bodies = asked_blocking(httpx.Response(503, json={"error": "busy"}), sent([]))
    assert (answer.rows, len(bodies)) == ([], 2)


def asked_blocking(*answers: httpx.Response) -> tuple[QueryAnswer, list[httpx.Request]]:
    script = Script(*answers)
    with GoatCounter("http://server.test", "secret", transport=httpx.MockTransport(script)) as api:
        return api.ask(["visitors"]), script.requests


def test_a_refusal_has_the_message_of_the_server() -> None:
    with pytest.raises(BadRequest, match="no such metric"):
        asked_blocking(httpx.Response(400, json={"error": "no such metric"}))


def test_moments_need_a_zone() -> None:
    moment = dt.datetime(2026, 3, 10, 9)  # noqa: DTZ001  # that is the case
    with GoatCounter("http://server.test", "x") as api, pytest.raises(InvalidArgument, match="need a zone"):
        api.ask(["visitors"], period=(moment, moment))


@pytest.mark.parametrize("awaited", [False, True])
def test_a_running_server_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, awaited: bool) -> None:  # noqa: FBT001
    monkeypatch.setattr(query_calls, "ROWS", 2)
    day = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
    hits = [
        Hit(path=f"/{number}", session=str(session), created_at=day, ref="https://www.google.com/" if session else "")
        for session in range(3)
        for number in range(session + 1)
    ]
    question: dict[str, Any] = {"dimensions": ["page"], "filters": [negated(is_("source", ""))], "period": (day, day)}
    with analytics_server(tmp_path / "data", host=HOST) as server:
        opened: Any = AsyncGoatCounter(server.url, server.token) if awaited else GoatCounter(server.url, server.token)
        with Driven(opened) if awaited else opened as api:
            assert not api.count(hits).errors
            pages = [(row.values["page"], row.figures["visits"]) for row in api.ask_rows(["visits"], **question)]
            (whole,) = api.ask(["visitors", "views_per_visit"], site=[HOST], compare="year_over_year").rows
            refused = pytest.raises(BadRequest, match="take filters on event dimensions only")
            with refused:
                api.ask(["visitors"], filters=[has_done(is_("country", "NL"))])
            with pytest.raises(Unauthorized):
                api.ask(["visitors"], site="nowhere.example.com")
    assert pages == [("/0", 2), ("/1", 2), ("/2", 1)]
    assert (whole.figures, whole.compared, whole.change) == (
        {"visitors": 0, "views_per_visit": 0},
        {"visitors": 0, "views_per_visit": 0},
        {"visitors": 0, "views_per_visit": 0},
    )


@pytest.mark.parametrize(
    ("made", "wire"),
    [
        (is_("source", ""), ("is", "visit:source", ("",))),
        (is_not("visit:os", "Linux"), ("is_not", "visit:os", ("Linux",))),
        (contains("page", "a"), ("contains", "event:page", ("a",))),
        (does_not_contain("page", "a"), ("contains_not", "event:page", ("a",))),
        (matches("page", "^/a"), ("matches", "event:page", ("^/a",))),
        (does_not_match("campaign", "a"), ("matches_not", "visit:utm_campaign", ("a",))),
        (all_of(is_("bot", "a"), is_("host", "b")), ("and", [is_("bot", "a").parts, is_("host", "b").parts])),
        (any_of(is_("page", "a")), ("or", [is_("page", "a").parts])),
        (has_done(is_("page", "a")), ("has_done", is_("page", "a").parts)),
        (has_not_done(is_("page", "a")), ("has_not_done", is_("page", "a").parts)),
        (is_("goal", "Signup"), ("is", "event:goal", ("Signup",))),
        (is_not(prop("plan"), "a"), ("is_not", "event:props:plan", ("a",))),
        (contains(prop("event:props:x"), "a"), ("contains", "event:props:event:props:x", ("a",))),
        (in_segment(1, "Buyers"), ("is", "segment", (1, "Buyers"))),
    ],
)
def test_filters(made: names.Filter, wire: tuple[Any, ...]) -> None:
    assert made.parts == wire


def test_the_names_are_those_of_the_server() -> None:
    assert set(get_args(names.Metric)) == set(METRICS)
    short = {name.replace(" ", "_"): wire for name, wire in DIMENSIONS.items()} | {"goal": "event:goal"}
    assert {name: names.wire_name(name) for name in get_args(names.ShortName)} == short
    assert set(get_args(names.WireName)) == set(short.values())
    times = {name.replace(" ", "_"): wire for name, wire in TIMES.items()}
    assert {name: names.wire_name(name) for name in get_args(names.TimeName)} == times | {
        wire: wire for wire in times.values()
    }
