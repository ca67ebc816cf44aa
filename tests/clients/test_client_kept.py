"""Goals, funnels, segments and annotations of ``GoatCounter`` and ``AsyncGoatCounter``."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from support.analytics import HOST, AnalyticsServer, analytics_server
from support.clients import Driven
from tallystick.client import AsyncGoatCounter, GoatCounter, kept_calls
from tallystick.client.errors import BadRequest, Conflict, NotFound, Unauthorized
from tallystick.client.kept_answers import Step
from tallystick.client.query_filters import is_

SITE = HOST


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsServer]:
    with analytics_server(tmp_path_factory.mktemp("client-kept") / "data") as running:
        yield running


@pytest.fixture(params=[GoatCounter, AsyncGoatCounter])
def api(request: pytest.FixtureRequest, server: AnalyticsServer) -> Iterator[Any]:
    """Each client; what it has made is deleted afterwards."""
    opened = request.param(server.url, server.token)
    with Driven(opened) if request.param is AsyncGoatCounter else opened as client:
        yield client
        for funnel in client.funnels(SITE):
            client.delete_funnel(SITE, funnel.id)
        for segment in client.segments(SITE):
            client.delete_segment(SITE, segment.id)
        for goal in client.goals(SITE):
            client.delete_goal(SITE, goal.id)
        for annotation in list(client.annotations(SITE)):
            client.delete_annotation(SITE, annotation.id)


def test_goals(api: Any) -> None:
    goal = api.create_goal(SITE, event="Purchase", name="Bought", props={"plan": "pro"})
    assert (goal.name, goal.page, goal.event, goal.props) == ("Bought", None, "Purchase", {"plan": "pro"})
    assert goal.created_at.tzinfo is not None
    assert api.goals(SITE) == [goal]
    changed = api.change_goal(SITE, goal.id, page="/thanks/*", props={})
    assert (changed.name, changed.page, changed.event, changed.props) == ("Bought", "/thanks/*", None, {})
    with pytest.raises(Conflict, match="already"):
        api.create_goal(SITE, event="x", name="bought")
    with pytest.raises(BadRequest, match="#/page: a goal has either"):
        api.create_goal(SITE)
    api.delete_goal(SITE, goal.id)
    with pytest.raises(NotFound, match="the site has no goal"):
        api.delete_goal(SITE, goal.id)
    with pytest.raises(Unauthorized):
        api.goals("nowhere.example.com")


def test_funnels(api: Any) -> None:
    goal = api.create_goal(SITE, event="Purchase")
    steps = [Step(page="/pricing", name="Looks"), Step(event="Cart", optional=True), Step(goal="purchase")]
    funnel = api.create_funnel(SITE, name="Buys", steps=steps)
    assert funnel.steps == [*steps[:2], Step(goal=goal.id)]
    changed = api.change_funnel(SITE, funnel.id, strict=True)
    assert (changed.strict, changed.steps) == (True, funnel.steps)
    assert api.change_funnel(SITE, funnel.id, steps=funnel.steps[::2]).steps == funnel.steps[::2]
    with pytest.raises(Conflict, match="used by the funnel 'Buys'"):
        api.delete_goal(SITE, goal.id)


def test_segments(api: Any) -> None:
    segment = api.create_segment(SITE, name="German", filters=[is_("country", "DE"), is_("page", "/")])
    assert segment.filters == [["is", "visit:country", ["DE"]], ["is", "event:page", ["/"]]]
    changed = api.change_segment(SITE, segment.id, filters=[is_("country", "AT")], personal=True)
    assert (changed.name, changed.personal, changed.filters) == ("German", True, [["is", "visit:country", ["AT"]]])
    assert api.segments(SITE) == [changed]


def test_annotations(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_calls, "ANNOTATIONS_OF_A_PAGE", 2)
    made = [api.create_annotation(SITE, text=f"On the {day}th", at=dt.date(2026, 3, day)) for day in range(10, 15)]
    assert list(api.annotations(SITE)) == made
    within = list(api.annotations(SITE, first=dt.date(2026, 3, 11), last=dt.date(2026, 3, 13), kind="note"))
    assert within == made[1:4]
    linked = api.change_annotation(SITE, made[0].id, link="https://example.com/", at="2026-03-10 14:30")
    assert (linked.link, linked.at, linked.text) == ("https://example.com/", "2026-03-10 14:30", "On the 10th")
    assert api.change_annotation(SITE, made[0].id, link="").link is None
    assert list(api.annotations(SITE, kind="upgrade")) == []
