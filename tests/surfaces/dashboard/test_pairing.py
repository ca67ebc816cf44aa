"""What each part of a chart is compared with, in zones whose clocks are changed and in leap years."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from support.analytics import Analytics, analytics_in_process
from support.telling import a_visit, tell
from tallystick.model.account import UserSettings
from tallystick.services.accounts.sites import SiteChanges, update_site

BERLIN, HAVANA = "DE.Europe/Berlin", "CU.America/Havana"


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[Analytics]:
    """A site with a hit every 31 hours of some years, and one in each hour around the changes of the clocks."""
    async with analytics_in_process(tmp_path) as running:
        await running.change_site(public="public")
        begin = datetime(2023, 1, 1, tzinfo=UTC)
        sparse = (begin + timedelta(hours=31 * number) for number in range(900))
        days = ("2025-03-28", "2025-10-24", "2026-03-07", "2026-03-28")
        dense = (datetime.fromisoformat(f"{day}T00:30Z") + timedelta(hours=hour) for day in days for hour in range(72))
        moments = [*sparse, *dense, datetime(2024, 2, 29, 12, tzinfo=UTC)]
        await tell(running, *(a_visit("/a", when=moment.strftime("%Y-%m-%dT%H:%M")) for moment in moments))
        yield running


async def series(told: Analytics, query: str, zone: str = BERLIN) -> tuple[dict[str, Any], float]:
    """The series of a page, and the pageviews of the other period."""
    changes = SiteChanges(user_defaults=UserSettings(timezone=zone))
    await told.services.ledger.write(update_site, told.site.id, changes, told.clock())
    answer = await told.ask(f"/sites/1.json?graph=pageviews&{query}")
    assert answer.status == 200, answer.text
    found = answer.json()
    pageviews = found["numbers"]["pageviews"]
    return found["series"], pageviews["before"] if isinstance(pageviews, dict) else 0


def by_dates(label: str, first: date, other: date) -> str:
    """The date as many days behind the other first one, at the same time of the clock."""
    day, blank, clock = label.partition(" ")
    moved = next(other + timedelta(n) for n in range(1_000) if first + timedelta(n) == date.fromisoformat(day))
    return f"{moved}{blank}{clock}"


def same_date(label: str) -> str:
    """The same date a year before."""
    return f"{int(label[:4]) - 1}{label[4:]}"


ROWS: tuple[tuple[str, str, tuple[str, str] | None, list[str], list[str]], ...] = (
    # Years, of which one has 29 February.
    ("period=2024&compare=year&by=day", BERLIN, None, ["2024-02-29"], []),
    ("period=2025&compare=year&by=day", BERLIN, None, [], ["2024-02-29"]),
    ("period=2024-02&compare=year", BERLIN, None, ["2024-02-29"], []),
    # The period before, as many days before.
    ("period=2024-03", BERLIN, ("2024-03-01", "2024-01-30"), [], []),
    ("period=2025-03-30..2025-04-02&by=day", BERLIN, ("2025-03-30", "2025-03-26"), [], []),
    # Others, of another length.
    (
        "period=2024-02&compare=2024-01-01..2024-01-31",
        BERLIN,
        ("2024-02-01", "2024-01-01"),
        [],
        ["2024-01-30", "2024-01-31"],
    ),
    # Days of 23 and of 25 hours: clocks of one show two o'clock never, of the other twice, in one part of the chart.
    ("period=2026-03-29", BERLIN, ("2026-03-29", "2026-03-28"), [], ["2026-03-28 02:00:00"]),
    ("period=2026-03-30", BERLIN, ("2026-03-30", "2026-03-29"), ["2026-03-30 02:00:00"], []),
    ("period=2026-03-29&compare=year", BERLIN, None, [], ["2025-03-29 02:00:00"]),
    ("period=2025-10-26", BERLIN, ("2025-10-26", "2025-10-25"), [], []),
    ("period=2026-03-08", HAVANA, ("2026-03-08", "2026-03-07"), [], ["2026-03-07 00:00:00"]),
    # The same days of the week.
    ("period=2025-10-26&compare=year&match=weekdays", BERLIN, ("2025-10-26", "2024-10-27"), [], []),
)


async def test_each_part_is_compared_with_that_of_the_rule_and_none_is_lost(told: Analytics) -> None:
    for query, zone, firsts, without, alone in ROWS:
        found, before = await series(told, query, zone)
        others = [each for each in found["before_labels"] if each is not None]
        assert len(set(others)) == len(others), query
        for label, other in zip(found["labels"], found["before_labels"], strict=True):
            if label not in without:
                expected = by_dates(label, *map(date.fromisoformat, firsts)) if firsts else same_date(label)
                assert other == expected, query
            else:
                assert other is None, query
        assert [each["label"] for each in found["before_alone"]] == alone, query
        pairs = [value for value in found["before"] if value is not None]
        assert sum(pairs) + sum(each["value"] for each in found["before_alone"]) == before > 0, query


async def test_months_and_weeks_are_compared_with_whole_ones(told: Analytics) -> None:
    found, before = await series(told, "period=2024&compare=previous&by=month")
    assert found["before_labels"] == [f"2023-{month:02}-01" for month in range(1, 13)]
    assert [each["label"] for each in found["before_alone"]] == ["2022-12-01"]
    assert sum(found["before"]) + found["before_alone"][0]["value"] == before
    for compare in ("previous", "year"):
        found, before = await series(told, f"period=2025&compare={compare}&by=week")
        pairs = [pair for pair in zip(found["labels"], found["before_labels"], strict=True) if pair[1] is not None]
        assert len(pairs) >= 51
        for here, there in pairs[1:]:
            assert date.fromisoformat(here) - date.fromisoformat(there) == timedelta(weeks=52)
        told_values = [*filter(None, found["before"]), *(each["value"] for each in found["before_alone"])]
        assert sum(told_values) == before


async def test_what_has_no_partner_is_said_below_the_chart_and_in_the_csv(told: Analytics) -> None:
    await series(told, "period=2024")
    query = "period=2025&compare=year&by=day&graph=pageviews"
    shown = (await told.ask(f"/sites/1?{query}", headers={"accept": "text/html"})).text
    assert re.search(r"Of the period before, without a counterpart here: \w+, 29 Feb 2024: \d pageviews?<", shown)
    rows = (await told.ask(f"/sites/1.csv?{query}")).text.splitlines()
    assert rows[0] == "day,pageviews,before,pageviews_before"
    assert rows[-1].startswith(",,2024-02-29,")
    assert len(rows) == 1 + 365 + 1
    query = "period=2024-02&compare=2024-01-01..2024-03-31&graph=pageviews"
    alone = (await told.ask(f"/sites/1.json?{query}")).json()["series"]["before_alone"]
    assert len(alone) == 91 - 29
    rest = sum(each["value"] for each in alone[3:])
    shown = (await told.ask(f"/sites/1?{query}", headers={"accept": "text/html"})).text
    assert f"; 59 more, together {rest} pageviews<" in shown
    shown = (await told.ask(f"/sites/1?{query}".replace("pageviews", "visitors"), headers={"accept": "text/html"})).text
    assert "; 59 more<" in shown


async def test_an_hour_that_clocks_show_twice_is_shown_alone_with_both(told: Analytics) -> None:
    found, _ = await series(told, "period=2025-10-26&compare=off")
    twice = found["values"][found["labels"].index("2025-10-26 02:00:00")]
    zone = ZoneInfo("Europe/Berlin")
    hours = {datetime(2025, 10, 26, 2, tzinfo=zone, fold=fold).astimezone(UTC).hour for fold in (0, 1)}
    assert hours == {0, 1}
    sparse = [datetime(2023, 1, 1, tzinfo=UTC) + timedelta(hours=31 * number) for number in range(900)]
    here = [each for each in sparse if each.date() == date(2025, 10, 26) and each.hour in hours]
    assert twice == 2 + len(here)
    shown = (await told.ask("/sites/1?period=2025-10-26&compare=off", headers={"accept": "text/html"})).text
    assert "period=2025-10-26T02:00..2025-10-26T02:59" in shown
    both = "period=2025-10-26T02:00..2025-10-26T02:59&compare=off&graph=pageviews"
    alone = (await told.ask(f"/sites/1.json?{both}")).json()
    assert alone["numbers"]["pageviews"] == sum(alone["series"]["values"]) == twice
    earlier = (await told.ask("/sites/1.json?period=2025-10-26T01:00..2025-10-26T01:59&graph=pageviews")).json()
    later = (await told.ask("/sites/1.json?period=2025-10-26T03:00..2025-10-26T03:59&graph=pageviews")).json()
    place = found["labels"].index("2025-10-26 02:00:00")
    assert sum(earlier["series"]["values"]) == found["values"][place - 1]
    assert sum(later["series"]["values"]) == found["values"][place + 1]
