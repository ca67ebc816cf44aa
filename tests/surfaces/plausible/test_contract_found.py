"""Deviations from the contract that were found by reading it against a running server, one test each."""

from typing import Any

import pytest

from tallystick.surfaces.plausible.figures import change
from tallystick.surfaces.plausible.names import vocabulary

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
