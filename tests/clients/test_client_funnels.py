"""``ask_funnel`` of ``GoatCounter`` and ``AsyncGoatCounter``."""

import datetime as dt
from typing import Any

import httpx
import msgspec
import pytest

from support.analytics import HOST, AnalyticsServer, analytics_server
from support.clients import Driven, Script
from tallystick.client import AsyncGoatCounter, GoatCounter
from tallystick.client.errors import BadRequest, ClientError, InvalidArgument
from tallystick.client.funnel_answers import FunnelReport, FunnelReportStep, NextHit
from tallystick.client.goatcounter_answers import Hit
from tallystick.client.query_filters import is_

SENT = {
    "results": {
        "visits": 4,
        "entered": 50.0,
        "steps": [
            {
                "name": "/a",
                "optional": False,
                "visits": 2,
                "of_first": 100.0,
                "of_previous": None,
                "dropped": 1,
                "median_seconds": None,
                "average_seconds": None,
                "left_to": [{"page": "/b", "visits": 1}],
                "exits": 0,
            }
        ],
    },
    "meta": {"warnings": [{"code": "hits_without_session", "warning": "Some hits have no session."}]},
    "query": {"date_range": ["2026-03-10T00:00:00+01:00", "2026-03-12T23:59:59+01:00"]},
}


def asked(funnel: Any, **question: Any) -> tuple[FunnelReport, dict[str, Any]]:
    """What each client returns, which must be the same, and the body that the server got."""
    found = []
    for awaited in (None, AsyncGoatCounter):
        script = Script(httpx.Response(200, json=SENT))
        with script.client(GoatCounter, awaited, "secret") as api:
            found.append(api.ask_funnel(funnel, **question))
        assert [request.url.path for request in script.requests] == ["/api/query/funnel"]
    assert found[0] == found[1]
    return found[0], msgspec.json.decode(script.requests[0].content)


def test_the_answer_is_typed_and_the_body_is_what_was_asked() -> None:
    report, body = asked(
        [{"page": "/a"}, {"event": "b", "optional": True}, {"goal": 3, "name": "c"}],
        strict=True,
        left_to=True,
        site="example.com",
        period=(dt.date(2026, 3, 10), dt.date(2026, 3, 12)),
        filters=[is_("source", "Google")],
        timezone="Europe/Amsterdam",
    )
    assert body == {
        "funnel": {
            "steps": [{"page": "/a"}, {"event": "b", "optional": True}, {"goal": 3, "name": "c"}],
            "strict": True,
        },
        "date_range": ["2026-03-10", "2026-03-12"],
        "filters": [["is", "visit:source", ["Google"]]],
        "include": {"left_to": True},
        "site_id": "example.com",
        "timezone": "Europe/Amsterdam",
    }
    assert report == FunnelReport(
        visits=4,
        entered=50.0,
        steps=[
            FunnelReportStep(
                name="/a",
                optional=False,
                visits=2,
                of_first=100.0,
                of_previous=None,
                dropped=1,
                median_seconds=None,
                average_seconds=None,
                left_to=[NextHit(page="/b", visits=1)],
                exits=0,
            )
        ],
        period=(
            dt.datetime.fromisoformat("2026-03-10T00:00:00+01:00"),
            dt.datetime.fromisoformat("2026-03-12T23:59:59+01:00"),
        ),
        warnings=["Some hits have no session."],
    )


@pytest.mark.parametrize("which", [5, "Buys"])
def test_a_stored_funnel_is_named(which: int | str) -> None:
    _, body = asked(which)
    assert body == {"funnel": which, "date_range": "7d", "filters": [], "include": {"left_to": False}}


def test_moments_without_a_zone_are_refused() -> None:
    moments = (dt.datetime(2026, 3, 10), dt.datetime(2026, 3, 11))  # noqa: DTZ001  # that is the fault
    with pytest.raises(InvalidArgument):
        asked("Buys", period=moments)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with analytics_server(tmp_path_factory.mktemp("funnels") / "data", host=HOST) as running:
        yield running


def test_a_server_answers_both_clients(server: AnalyticsServer) -> None:
    at = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
    hits = [Hit(path="/a", session="x", created_at=at), Hit(path="/b", session="x", created_at=at)]
    steps: Any = [{"page": "/a"}, {"page": "/*"}]
    opened: tuple[Any, ...] = (
        GoatCounter(server.url, server.token),
        Driven(AsyncGoatCounter(server.url, server.token)),
    )
    for number, client in enumerate(opened):
        with client as api:
            if not number:
                assert api.count(hits).errors == {}
            report = api.ask_funnel(steps, period="all", site=HOST, left_to=True)
            assert [(step.visits, step.dropped, step.exits) for step in report.steps] == [(1, 0, 0), (1, 0, 0)]
            assert report.warnings == []
            with pytest.raises(BadRequest, match="a funnel has 2 to 8 steps"):
                api.ask_funnel(steps[:1], site=HOST)
            with pytest.raises(ClientError, match="the site has no funnel 'Buys'"):
                api.ask_funnel("Buys", site=HOST)
