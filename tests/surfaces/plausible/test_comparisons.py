"""Comparisons of ``/api/query``: which rows of two periods stand beside each other, and that nothing is lost."""

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.analytics import analytics_in_process
from support.telling import a_visit, tell

from .conftest import Stats

EXTENDED = "/api/query"
BERLIN = "Europe/Berlin"


def on_every_day(first: str, last: str) -> list[dict[str, Any]]:
    """One hit at noon of each day."""
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    days = (begin + timedelta(days=number) for number in range((end - begin).days + 1))
    return [a_visit("/", f"{day}T12:00") for day in days]


def on_every_hour(first: str, hours: int) -> list[dict[str, Any]]:
    begin = datetime.fromisoformat(first)
    moments = (begin + timedelta(hours=number) for number in range(hours))
    return [a_visit("/", moment.isoformat(timespec="minutes")) for moment in moments]


SOURCES = [
    a_visit("/a", "2020-06-17T10:15", by=1, source="Gone", country="DE"),
    a_visit("/a", "2020-06-17T11:15", by=2, source="Kept", country="DE"),
    a_visit("/b", "2020-06-17T11:20", by=2, source="Kept", country="DE"),
    a_visit("Signup", "2020-06-17T11:21", by=2, source="Kept", country="DE"),
    a_visit("/b", "2020-06-18T10:45", by=3, source="Kept", country="NL"),
    a_visit("Signup", "2020-06-18T10:46", by=3, source="Kept", country="NL"),
    a_visit("/b", "2020-06-18T10:45", by=4, source="New", country="NL"),
    a_visit("/b", "2020-06-18T12:00", by=5, source="Kept", country="NL"),
]


@pytest.fixture
async def years(tmp_path: Path) -> AsyncIterator[Stats]:
    """Hits of some leap years, of the hours around changes of the clocks, and of two days with several sources."""
    async with analytics_in_process(tmp_path) as running:
        await tell(
            running,
            *on_every_day("2023-02-25", "2023-03-05"),
            *on_every_day("2024-01-01", "2025-12-31"),
            *on_every_hour("2026-03-27T23:00", 48),
            *on_every_hour("2026-10-24T22:00", 25),
            *SOURCES,
        )
        yield Stats(running)


async def compared(stats: Stats, first: str, last: str, compare: Any, *dimensions: str, **body: Any) -> Any:
    """The answer about pageviews of two periods."""
    include = {"compare": compare, "total_rows": True, **body.pop("include", {})}
    asked = {"metrics": ["pageviews"], "dimensions": dimensions, "date_range": [first, last]}
    return await stats.query(EXTENDED, **(asked | body), include=include)


def pairs(answer: Any) -> list[tuple[Any, Any, Any, Any]]:
    """Of each row its only value here and there, then the first figure here and there."""
    rows = []
    for row in answer["results"]:
        other = row["comparison"]
        there = other.get("dimensions", row["dimensions"])
        assert (other["change"] is None) == (row["dimensions"][0] is None or there[0] is None)
        before = None if other["metrics"] is None else other["metrics"][0]
        rows.append((row["dimensions"][0], there[0], row["metrics"][0], before))
    return rows


def sums(answer: Any) -> tuple[int, int]:
    found = pairs(answer)
    return sum(here for _, _, here, _ in found), sum(there or 0 for *_, there in found)


async def test_days_of_leap_years_are_compared_with_the_same_dates(years: Stats) -> None:
    found = await compared(years, "2024-02-27", "2024-03-02", "year_over_year", "time:day")
    assert pairs(found) == [
        ("2024-02-27", "2023-02-27", 1, 1),
        ("2024-02-28", "2023-02-28", 1, 1),
        ("2024-02-29", None, 1, None),
        ("2024-03-01", "2023-03-01", 1, 1),
        ("2024-03-02", "2023-03-02", 1, 1),
    ]
    whole = pairs(await compared(years, "2025-01-01", "2025-12-31", "year_over_year", "time:day"))
    assert len(whole) == 366
    assert whole[-1] == (None, "2024-02-29", 0, 1)
    assert all(there == f"2024{here[4:]}" for here, there, *_ in whole[:-1])


async def test_the_same_weekdays_are_compared_with_each_other(years: Stats) -> None:
    matched = {"compare_match_day_of_week": True}
    found = await compared(years, "2025-01-01", "2025-12-31", "year_over_year", "time:day", include=matched)
    for here, there, *_ in pairs(found):
        assert date.fromisoformat(here) - date.fromisoformat(there) == timedelta(weeks=52)


@pytest.mark.parametrize("unit", ["day", "week", "sunday_week", "month"])
@pytest.mark.parametrize(
    "compare", ["previous_period", "year_over_year", ["2024-02-01", "2024-02-10"], ["2024-01-01", "2024-12-31"]]
)
async def test_rows_add_up_to_the_whole_of_both_periods(years: Stats, unit: str, compare: Any) -> None:
    for first, last in (("2025-03-01", "2025-03-31"), ("2025-01-15", "2025-12-15")):
        (whole,) = (await compared(years, first, last, compare))["results"]
        found = await compared(years, first, last, compare, f"time:{unit}")
        assert sums(found) == (whole["metrics"][0], whole["comparison"]["metrics"][0])
        assert whole["comparison"]["metrics"][0] > 0


async def test_hours_of_changed_clocks_are_those_that_clocks_show(years: Stats) -> None:
    found = pairs(await compared(years, "2026-03-29", "2026-03-29", "previous_period", "time:hour", timezone=BERLIN))
    here = [f"2026-03-29 {hour:02}:00:00" for hour in range(24) if hour != 2]
    assert [row[0] for row in found] == [*here, None]
    assert found[-1] == (None, "2026-03-28 02:00:00", 0, 1)
    assert found[2] == ("2026-03-29 03:00:00", "2026-03-28 03:00:00", 1, 1)
    longer = await compared(
        years, "2026-10-25", "2026-10-25", ["2026-03-29", "2026-03-29"], "time:hour", timezone=BERLIN
    )
    rows = pairs(longer)
    assert len(rows) == 24
    assert rows[2] == ("2026-10-25 02:00:00", None, 2, None)
    assert rows[3] == ("2026-10-25 03:00:00", "2026-03-29 03:00:00", 1, 1)
    assert sums(longer) == (25, 23)


async def test_a_day_without_hits_shows_what_it_is_compared_with(years: Stats) -> None:
    found = await compared(years, "2020-06-19", "2020-06-19", "previous_period", "time:hour")
    assert pairs(found) == [
        ("2020-06-19 10:00:00", "2020-06-18 10:00:00", 0, 2),
        ("2020-06-19 12:00:00", "2020-06-18 12:00:00", 0, 1),
    ]
    assert found["results"][0]["comparison"]["change"] == [-100]


async def test_a_period_of_moments_is_compared_unit_by_unit(years: Stats) -> None:
    answer = await years.query(
        EXTENDED,
        metrics=["pageviews"],
        dimensions=["time:hour"],
        date_range=["2020-06-18T10:15:00Z", "2020-06-18T12:14:59Z"],
        include={"compare": ["2020-06-17T09:40:00Z", "2020-06-17T11:39:59Z"]},
    )
    assert pairs(answer) == [
        ("2020-06-18 10:00:00", "2020-06-17 09:00:00", 2, 0),
        ("2020-06-18 11:00:00", "2020-06-17 10:00:00", 0, 1),
        ("2020-06-18 12:00:00", "2020-06-17 11:00:00", 1, 2),
    ]


async def test_sources_that_are_gone_are_shown(years: Stats) -> None:
    day = ("2020-06-18", "2020-06-18", "previous_period")
    found = await compared(years, *day, "visit:source", metrics=["visitors", "bounce_rate"])
    assert pairs(found) == [("Kept", "Kept", 2, 1), ("New", "New", 1, 0), ("Gone", "Gone", 0, 1)]
    assert found["results"][2] == {
        "metrics": [0, 0],
        "dimensions": ["Gone"],
        "comparison": {"metrics": [1, 100], "change": [-100, -100]},
    }
    assert found["meta"]["total_rows"] == 3
    only_here = await compared(years, *day, "visit:source", metrics=["visitors"], include={"compare_gone": False})
    assert pairs(only_here) == [("Kept", "Kept", 2, 1), ("New", "New", 1, 0)]
    assert (only_here["meta"]["total_rows"], only_here["query"]["include"]["compare_gone"]) == (2, False)


async def test_pages_of_a_comparison_are_parts_of_the_whole(years: Stats) -> None:
    for dimensions, order in (
        (["visit:source"], ["visitors", "asc"]),
        (["event:page"], ["event:page", "desc"]),
        (["time:hour", "visit:source"], ["time:hour", "desc"]),
    ):
        day = ("2020-06-18", "2020-06-18", "previous_period", *dimensions)
        asked: dict[str, Any] = {"metrics": ["visitors"], "order_by": [order]}
        whole = await compared(years, *day, **asked)
        parts = [
            await compared(years, *day, **asked, pagination={"limit": 1, "offset": at})
            for at in range(len(whole["results"]) + 1)
        ]
        assert [row for part in parts for row in part["results"]] == whole["results"]
        assert {part["meta"]["total_rows"] for part in parts} == {len(whole["results"])}
        assert len(whole["results"]) >= 2


async def test_times_that_are_gone_come_last_in_the_order_of_their_own_period(years: Stats) -> None:
    longer = ["2020-06-16", "2020-06-17"]
    for order, expected in (
        ([], ["2020-06-17"]),
        ([["time:day", "desc"]], ["2020-06-17"]),
    ):
        found = await compared(years, "2020-06-18", "2020-06-18", longer, "time:day", order_by=order)
        assert [there for here, there, *_ in pairs(found) if here is None] == expected
    hours = await compared(years, "2020-06-18", "2020-06-18", longer, "time:hour", order_by=[["time:hour", "desc"]])
    assert pairs(hours) == [
        ("2020-06-18 12:00:00", "2020-06-16 12:00:00", 1, 0),
        ("2020-06-18 10:00:00", "2020-06-16 10:00:00", 2, 0),
        (None, "2020-06-17 11:00:00", 0, 2),
        (None, "2020-06-17 10:00:00", 0, 1),
    ]


async def test_weekdays_and_hours_of_the_day_go_with_their_time(years: Stats) -> None:
    found = await compared(
        years, "2020-06-18", "2020-06-18", "previous_period", "time:day", "time:weekday", "time:hour_of_day"
    )
    assert [(row["dimensions"], row["comparison"]["dimensions"]) for row in found["results"]] == [
        (["2020-06-18", 4, 10], ["2020-06-17", 3, 10]),
        (["2020-06-18", 4, 11], ["2020-06-17", 3, 11]),
        (["2020-06-18", 4, 12], ["2020-06-17", 3, 12]),
    ]
    assert [row["comparison"]["metrics"] for row in found["results"]] == [[1], [2], [0]]
    status, message = await years.refusal(
        EXTENDED, dimensions=["time:day", "time:week"], include={"compare": "previous_period"}
    )
    assert (status, message) == (
        400,
        "a comparison takes one dimension of time, beside weekdays and hours of the day",
    )


async def test_rates_of_groups_are_of_their_own_period(years: Stats) -> None:
    found = await compared(
        years,
        "2020-06-18",
        "2020-06-18",
        "previous_period",
        "time:day",
        "visit:source",
        metrics=["visitors", "conversion_rate", "group_conversion_rate"],
        filters=[["is", "event:goal", ["Signup"]]],
    )
    (row,) = found["results"]
    assert (row["metrics"], row["comparison"]["metrics"]) == ([1, 33.33, 50.0], [1, 50.0, 100.0])
    alone = await compared(
        years,
        "2020-06-18",
        "2020-06-18",
        ["2020-06-16", "2020-06-17"],
        "time:day",
        metrics=["visitors", "conversion_rate", "group_conversion_rate"],
        filters=[["is", "event:goal", ["Signup"]]],
    )
    assert [(row["dimensions"], row["metrics"], row["comparison"]["metrics"]) for row in alone["results"]] == [
        (["2020-06-18"], [1, 33.33, 33.33], [0, 0, 0]),
        ([None], [0, 0, 0], [1, 50.0, 50.0]),
    ]


async def test_goals_that_are_gone_are_shown(years: Stats) -> None:
    found = await compared(
        years,
        "2020-06-19",
        "2020-06-19",
        "previous_period",
        "event:goal",
        metrics=["visitors", "conversion_rate"],
    )
    assert [(row["dimensions"], row["metrics"], row["comparison"]["metrics"]) for row in found["results"]] == [
        (["Signup"], [0, 0.0], [1, 33.33]),
    ]
