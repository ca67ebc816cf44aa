"""Names of periods: what they mean, and those before and after."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from tallystick.model.named_period import Today
from tallystick.model.question import TimeUnit
from tallystick.surfaces.dashboard.analytics.periods import named_range, range_name, units_of, usual_unit, zoomed

BERLIN = ZoneInfo("Europe/Berlin")
NOW = 1_774_000_000  # 2026-03-20 10:46 in Berlin
TODAY = Today(NOW, BERLIN, NOW - 86_400 * 400)


@pytest.mark.parametrize(
    ("name", "first", "last", "before", "after"),
    [
        ("today", "2026-03-20", "2026-03-20", "2026-03-19", None),
        ("yesterday", "2026-03-19", "2026-03-19", "2026-03-18", "2026-03-20"),
        ("7d", "2026-03-13", "2026-03-19", "2026-03-06..2026-03-12", "2026-03-20..2026-03-26"),
        ("28d", "2026-02-20", "2026-03-19", "2026-01-23..2026-02-19", "2026-03-20..2026-04-16"),
        ("week", "2026-03-16", "2026-03-22", "2026-03-09..2026-03-15", None),
        ("month", "2026-03-01", "2026-03-31", "2026-02", None),
        ("2026-02", "2026-02-01", "2026-02-28", "2026-01", "2026-03"),
        ("2025-12", "2025-12-01", "2025-12-31", "2025-11", "2026-01"),
        ("year", "2026-01-01", "2026-12-31", "2025", None),
        ("2025", "2025-01-01", "2025-12-31", "2024", "2026"),
        ("2026-03-10", "2026-03-10", "2026-03-10", "2026-03-09", "2026-03-11"),
        ("2026-03-01..2026-03-10", "2026-03-01", "2026-03-10", "2026-02-19..2026-02-28", "2026-03-11..2026-03-20"),
        (
            "2026-03-10T14:00..2026-03-10T14:59",
            "2026-03-10",
            "2026-03-10",
            "2026-03-10T13:00..2026-03-10T13:59",
            "2026-03-10T15:00..2026-03-10T15:59",
        ),
    ],
)
def test_named_ranges(name: str, first: str, last: str, before: str, after: str | None) -> None:
    found = named_range(name, TODAY)
    assert (found.first, found.last) == (date.fromisoformat(first), date.fromisoformat(last))
    assert (found.before, found.after) == (before, after)
    assert named_range(before, TODAY).period.after <= found.period.first


@pytest.mark.parametrize(
    "name",
    ["", "8x", "2026-13", "2026-02-30", "2026-03-10..2026-03-01", "20260310", "2026-03-10T14:00", "T", "0000", ".."],
)
def test_texts_that_are_no_periods(name: str) -> None:
    with pytest.raises(ValueError, match="is not a period; examples are"):
        named_range(name, TODAY)


@pytest.mark.parametrize(
    ("first", "last", "name"),
    [
        ("2026-03-10", "2026-03-10", "2026-03-10"),
        ("2026-02-01", "2026-02-28", "2026-02"),
        ("2025-01-01", "2025-12-31", "2025"),
        ("2026-02-01", "2026-03-31", "2026-02-01..2026-03-31"),
    ],
)
def test_shortest_names(first: str, last: str, name: str) -> None:
    assert range_name(date.fromisoformat(first), date.fromisoformat(last)) == name


@pytest.mark.parametrize(
    ("name", "units", "usual"),
    [
        ("today", "hour", "hour"),
        ("7d", "hour day", "day"),
        ("28d", "day week", "day"),
        ("91d", "day week month", "day"),
        ("2025", "day week month", "week"),
        ("2026-03-10T14:00..2026-03-10T14:59", "minute hour", "minute"),
    ],
)
def test_units_of_charts(name: str, units: str, usual: str) -> None:
    period = named_range(name, TODAY)
    assert [unit.value for unit in units_of(period)] == units.split()
    assert usual_unit(period).value == usual
    assert usual_unit(period) in units_of(period)


@pytest.mark.parametrize(
    ("unit", "label", "name"),
    [
        (TimeUnit.MONTH, "2026-02-01", "2026-02"),
        (TimeUnit.WEEK, "2026-03-02", "2026-03-02..2026-03-08"),
        (TimeUnit.SUNDAY_WEEK, "2026-03-01", "2026-03-01..2026-03-07"),
        (TimeUnit.DAY, "2026-03-02", "2026-03-02"),
        (TimeUnit.HOUR, "2026-03-02 14:00:00", "2026-03-02T14:00..2026-03-02T14:59"),
        (TimeUnit.MINUTE, "2026-03-02 14:05:00", None),
    ],
)
def test_a_part_of_a_chart_is_a_period(unit: TimeUnit, label: str, name: str | None) -> None:
    assert zoomed(unit, label, named_range("2026", TODAY)) == name


def test_weeks_may_begin_on_sunday() -> None:
    week = named_range("week", TODAY, sunday_first=True)
    assert (week.first, week.last) == (date(2026, 3, 15), date(2026, 3, 21))
    assert zoomed(TimeUnit.SUNDAY_WEEK, "2026-01-01", named_range("2026", TODAY)) == "2026-01-01..2026-01-03"


def test_years_before_1000_have_four_digits() -> None:
    morning = named_range("0999-03-01T00:00..0999-03-01T01:59", TODAY)
    assert morning.before == "0999-02-28T22:00..0999-02-28T23:59"
    assert morning.after == "0999-03-01T02:00..0999-03-01T03:59"
    assert zoomed(TimeUnit.HOUR, "0999-03-01 01:00:00", morning) == "0999-03-01T01:00..0999-03-01T01:59"
    assert (named_range("0999", TODAY).before, named_range("0999", TODAY).after) == ("0998", "1000")


def test_a_week_is_cut_at_the_ends_of_the_period() -> None:
    assert zoomed(TimeUnit.WEEK, "2026-01-01", named_range("2026", TODAY)) == "2026-01-01..2026-01-04"
    assert zoomed(TimeUnit.WEEK, "9998-12-28", named_range("9998", TODAY)) == "9998-12-28..9998-12-31"
