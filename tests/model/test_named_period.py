"""Periods by name, seen from Thursday, the 12th of March 2026, 14:30:05 in Berlin."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from tallystick.model.named_period import (
    Earlier,
    OutsideOfCalendar,
    Today,
    custom_comparison,
    dates,
    days_before,
    earlier,
    months_back,
    period_between,
    period_named,
    unit_for,
)
from tallystick.model.period import LONGEST_DAYS, Period, date_of
from tallystick.model.question import TimeUnit

BERLIN = ZoneInfo("Europe/Berlin")
KATHMANDU = ZoneInfo("Asia/Kathmandu")


def at(text: str, zone: ZoneInfo = BERLIN) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


TODAY = Today(at("2026-03-12T14:30:05"), BERLIN, at("2025-01-05T01:00:00"))


def ends(period: Period, zone: ZoneInfo = BERLIN) -> tuple[str, str]:
    """The first and the last second, as local times."""
    first, last = (datetime.fromtimestamp(moment, UTC).astimezone(zone) for moment in (period.first, period.after - 1))
    return f"{first:%Y-%m-%d %H:%M:%S}", f"{last:%Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize(
    ("name", "first", "last", "unit"),
    [
        ("day", "2026-03-12 00:00:00", "2026-03-12 23:59:59", TimeUnit.HOUR),
        ("24h", "2026-03-11 14:30:05", "2026-03-12 14:30:05", TimeUnit.HOUR),
        ("1d", "2026-03-11 00:00:00", "2026-03-11 23:59:59", TimeUnit.HOUR),
        ("7d", "2026-03-05 00:00:00", "2026-03-11 23:59:59", TimeUnit.DAY),
        ("41d", "2026-01-30 00:00:00", "2026-03-11 23:59:59", TimeUnit.DAY),
        ("42d", "2026-01-29 00:00:00", "2026-03-11 23:59:59", TimeUnit.WEEK),
        ("month", "2026-03-01 00:00:00", "2026-03-31 23:59:59", TimeUnit.DAY),
        ("year", "2026-01-01 00:00:00", "2026-12-31 23:59:59", TimeUnit.WEEK),
        ("1mo", "2026-02-01 00:00:00", "2026-02-28 23:59:59", TimeUnit.DAY),
        ("6mo", "2025-09-01 00:00:00", "2026-02-28 23:59:59", TimeUnit.WEEK),
        ("24mo", "2024-03-01 00:00:00", "2026-02-28 23:59:59", TimeUnit.MONTH),
        ("all", "2025-01-05 00:00:00", "2026-03-12 23:59:59", TimeUnit.MONTH),
        ("30m", "2026-03-12 14:01:00", "2026-03-12 14:30:05", TimeUnit.HOUR),
        ("realtime", "2026-03-12 14:25:06", "2026-03-12 14:30:05", TimeUnit.HOUR),
    ],
)
def test_names(name: str, first: str, last: str, unit: TimeUnit) -> None:
    found = period_named(name, TODAY)
    assert ends(found) == (first, last)
    assert unit_for(found) is unit


@pytest.mark.parametrize("name", ["", "0d", "5001d", "07d", "7D", "7 d", "0mo", "101mo", "-1d", "d", "week", "\u0667d"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a period"):
        period_named(name, TODAY)


def test_all_without_hits_is_today() -> None:
    found = period_named("all", Today(TODAY.now, BERLIN))
    assert ends(found) == ("2026-03-12 00:00:00", "2026-03-12 23:59:59")


def test_the_longest_names() -> None:
    assert ends(period_named("5000d", TODAY)) == ("2012-07-03 00:00:00", "2026-03-11 23:59:59")
    assert ends(period_named("100mo", TODAY)) == ("2017-11-01 00:00:00", "2026-02-28 23:59:59")


@pytest.mark.parametrize(
    ("first", "last", "begins", "finishes"),
    [
        ("2026-03-01", "2026-03-10", "2026-03-01 00:00:00", "2026-03-10 23:59:59"),
        ("2026-03-29", "2026-03-29", "2026-03-29 00:00:00", "2026-03-29 23:59:59"),
        ("2026-03-01T00:00:00Z", "2026-03-01T05:00:00+01:00", "2026-03-01 01:00:00", "2026-03-01 05:00:00"),
    ],
)
def test_two_dates_or_moments(first: str, last: str, begins: str, finishes: str) -> None:
    assert ends(period_between(first, last, TODAY)) == (begins, finishes)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-03-02", "2026-03-01"),
        ("2026-03-01T05:00:00Z", "2026-03-01T04:59:59Z"),
        ("2026-03-01", "2026-03-02T00:00:00Z"),
        ("2026-03-01T00:00:00", "2026-03-02T00:00:00"),
        ("2026-02-30", "2026-03-01"),
        ("20260301", "20260302"),
        ("2026-W10-1", "2026-W10-2"),
        ("yesterday", "today"),
        ("", ""),
        ("1800-01-01", "2026-01-01"),
        ("1800-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ],
)
def test_other_texts_are_refused(first: str, last: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        period_between(first, last, TODAY)


@pytest.mark.parametrize(
    ("name", "compare", "same_weekdays", "first", "last"),
    [
        ("day", Earlier.PREVIOUS_PERIOD, False, "2026-03-11 00:00:00", "2026-03-11 14:30:05"),
        ("day", Earlier.PREVIOUS_PERIOD, True, "2026-03-05 00:00:00", "2026-03-05 14:30:05"),
        ("day", Earlier.YEAR_OVER_YEAR, False, "2025-03-12 00:00:00", "2025-03-12 14:30:05"),
        ("day", Earlier.YEAR_OVER_YEAR, True, "2025-03-13 00:00:00", "2025-03-13 14:30:05"),
        ("24h", Earlier.PREVIOUS_PERIOD, False, "2026-03-10 14:30:04", "2026-03-11 14:30:04"),
        ("24h", Earlier.PREVIOUS_PERIOD, True, "2026-03-04 14:30:05", "2026-03-05 14:30:05"),
        ("7d", Earlier.PREVIOUS_PERIOD, False, "2026-02-26 00:00:00", "2026-03-04 23:59:59"),
        ("7d", Earlier.YEAR_OVER_YEAR, False, "2025-03-05 00:00:00", "2025-03-11 23:59:59"),
        ("7d", Earlier.YEAR_OVER_YEAR, True, "2025-03-06 00:00:00", "2025-03-12 23:59:59"),
        ("month", Earlier.PREVIOUS_PERIOD, False, "2026-02-17 00:00:00", "2026-02-28 14:30:05"),
        ("month", Earlier.YEAR_OVER_YEAR, False, "2025-03-01 00:00:00", "2025-03-12 14:30:05"),
        ("year", Earlier.YEAR_OVER_YEAR, False, "2025-01-01 00:00:00", "2025-03-12 14:30:05"),
        ("6mo", Earlier.PREVIOUS_PERIOD, False, "2025-03-04 00:00:00", "2025-08-31 23:59:59"),
        ("6mo", Earlier.PREVIOUS_PERIOD, True, "2025-03-03 00:00:00", "2025-08-30 23:59:59"),
        ("realtime", Earlier.PREVIOUS_PERIOD, False, "2026-03-12 14:20:06", "2026-03-12 14:25:05"),
    ],
)
def test_comparisons(
    name: str,
    compare: Earlier,
    same_weekdays: bool,  # noqa: FBT001
    first: str,
    last: str,
) -> None:
    found = earlier(period_named(name, TODAY), compare, TODAY, same_weekdays=same_weekdays)
    assert ends(found) == (first, last)


def test_a_leap_day_is_compared_with_the_28th() -> None:
    asked = dates(date(2024, 2, 29), date(2024, 2, 29), BERLIN)
    assert ends(earlier(asked, Earlier.YEAR_OVER_YEAR, TODAY)) == ("2023-02-28 00:00:00", "2023-02-28 23:59:59")


def test_days_of_23_hours_are_whole_days() -> None:
    asked = dates(date(2026, 3, 30), date(2026, 3, 30), BERLIN)
    later = Today(at("2026-04-01T00:00:00"), BERLIN)
    found = earlier(asked, Earlier.PREVIOUS_PERIOD, later)
    assert ends(found) == ("2026-03-29 00:00:00", "2026-03-29 23:59:59")
    assert found.after - found.first == 23 * 3_600


def test_a_period_to_come_is_compared_whole() -> None:
    asked = dates(date(2026, 3, 20), date(2026, 3, 21), BERLIN)
    assert ends(earlier(asked, Earlier.PREVIOUS_PERIOD, TODAY)) == ("2026-03-18 00:00:00", "2026-03-19 23:59:59")


def test_quarter_hour_zones() -> None:
    today = Today(at("2026-03-12T14:30:05", KATHMANDU), KATHMANDU)
    asked = period_named("day", today)
    assert ends(asked, KATHMANDU) == ("2026-03-12 00:00:00", "2026-03-12 23:59:59")
    assert ends(earlier(asked, Earlier.PREVIOUS_PERIOD, today), KATHMANDU) == (
        "2026-03-11 00:00:00",
        "2026-03-11 14:30:05",
    )


def test_a_chosen_comparison() -> None:
    week = period_named("7d", TODAY)  # from a Thursday on
    chosen = dates(date(2026, 1, 3), date(2026, 1, 9), BERLIN)  # from a Saturday on
    assert ends(custom_comparison(week, chosen, TODAY)) == ("2026-01-03 00:00:00", "2026-01-09 23:59:59")
    assert ends(custom_comparison(week, chosen, TODAY, same_weekdays=True)) == (
        "2026-01-01 00:00:00",
        "2026-01-07 23:59:59",
    )


def test_a_chosen_comparison_ends_where_the_asked_period_stands() -> None:
    day, chosen = period_named("day", TODAY), dates(date(2026, 1, 3), date(2026, 1, 3), BERLIN)
    assert ends(custom_comparison(day, chosen, TODAY)) == ("2026-01-03 00:00:00", "2026-01-03 14:30:05")


@pytest.mark.parametrize("chosen", [(date(2, 1, 1), date(2, 1, 2)), (date(9998, 12, 30), date(9998, 12, 31))])
def test_a_chosen_comparison_lies_within_the_calendar(chosen: tuple[date, date]) -> None:
    first, last = dates(*chosen, BERLIN), dates(date(2026, 1, 8), date(2026, 1, 9), BERLIN)
    assert custom_comparison(last, first, TODAY) == first
    for day in range(1, 8):
        asked = dates(date(2026, 1, day), date(2026, 1, day + 1), BERLIN)
        try:
            moved = custom_comparison(asked, first, TODAY, same_weekdays=True)
        except OutsideOfCalendar:
            continue
        assert {date_of(day).year for day in moved.days} == {chosen[0].year}


def test_a_chosen_comparison_that_is_shorter_than_what_has_passed_is_not_cut() -> None:
    last = dates(date(9998, 12, 30), date(9998, 12, 31), BERLIN)
    assert custom_comparison(period_named("year", TODAY), last, TODAY) == last


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Kiritimati", "Pacific/Niue"])
def test_nothing_lies_outside_of_the_calendar(zone: str) -> None:
    here = ZoneInfo(zone)
    today = Today(TODAY.now, here)
    for first, last in (("0001-12-31", "0002-01-01"), ("9998-12-31", "9999-01-01"), ("0001-01-01", "0001-01-01")):
        with pytest.raises(OutsideOfCalendar, match=r"^periods lie in the years 2 to 9998$"):
            period_between(first, last, today)
    for day in (date(2, 1, 1), date(9998, 12, 31)):
        whole = dates(day, day, here)
        assert (whole.after - whole.first, whole.days) == (86_400, ((day - date(1970, 1, 1)).days,))
    for compare in Earlier:
        with pytest.raises(OutsideOfCalendar):
            earlier(dates(date(2, 1, 1), date(2, 1, 20), here), compare, today)
    for text in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        with pytest.raises(OutsideOfCalendar):
            period_between(text, text, today)
    with pytest.raises(OutsideOfCalendar):
        days_before(date(2, 1, 2), 2, here)
    with pytest.raises(OutsideOfCalendar):
        months_back(date(2, 1, 2), 1)


def test_months_back() -> None:
    assert months_back(date(2026, 3, 31), 1) == date(2026, 2, 28)
    assert months_back(date(2026, 1, 15), 1) == date(2025, 12, 15)
    assert LONGEST_DAYS > 36_500
