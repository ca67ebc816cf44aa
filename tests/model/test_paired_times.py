"""Which unit of time is compared with which, for every kind of comparison."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from tallystick.model.named_period import Earlier, Today, dates, earlier, period_between
from tallystick.model.pairing import Pairing
from tallystick.model.period import Period
from tallystick.model.question import TimeUnit

BERLIN = ZoneInfo("Europe/Berlin")


def between(first: str, last: str) -> Period:
    return dates(date.fromisoformat(first), date.fromisoformat(last), UTC)


def days(first: str, last: str) -> list[str]:
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    return [(begin + timedelta(days=number)).isoformat() for number in range((end - begin).days + 1)]


def pairs(pairing: Pairing, unit: TimeUnit, labels: list[str], others: list[str]) -> dict[str, str | None]:
    places = pairing.partners(unit, labels, others)
    return {label: None if at is None else others[at] for label, at in zip(labels, places, strict=True)}


def test_weeks_from_sunday_are_compared_with_such_weeks() -> None:
    pairing = Pairing(between("2026-03-04", "2026-03-14"), between("2026-02-04", "2026-02-14"))
    cut, whole = ["2026-03-04", "2026-03-08"], ["2026-02-04", "2026-02-08"]
    assert pairing.partners(TimeUnit.SUNDAY_WEEK, cut, whole) == [0, 1]


def test_dates_before_the_first_year_are_no_partners() -> None:
    pairing = Pairing(between("0002-01-08", "0002-01-09"), between("0002-01-03", "0002-01-04"))
    assert pairing.partners(TimeUnit.DAY, ["0001-01-03"], ["0001-01-01"]) == [None]


def test_29_february_has_no_partner_beside_the_28th() -> None:
    asked, other = between("2024-02-27", "2024-03-02"), between("2023-02-27", "2023-03-02")
    found = pairs(
        Pairing(asked, other, same_dates=True),
        TimeUnit.DAY,
        days("2024-02-27", "2024-03-02"),
        days("2023-02-27", "2023-03-02"),
    )
    assert found == {
        "2024-02-27": "2023-02-27",
        "2024-02-28": "2023-02-28",
        "2024-02-29": None,
        "2024-03-01": "2023-03-01",
        "2024-03-02": "2023-03-02",
    }


@pytest.mark.parametrize("last", ["2024-02-29", "2024-03-01"])
def test_29_february_is_compared_with_the_28th_where_it_is_the_first_date(last: str) -> None:
    asked = between("2024-02-29", last)
    other = earlier(asked, Earlier.YEAR_OVER_YEAR, Today(asked.end + 1, UTC))
    pairing = Pairing(asked, other, same_dates=True)
    others = days("2023-02-28", last.replace("2024", "2023").replace("02-29", "02-28"))
    assert list(pairs(pairing, TimeUnit.DAY, days("2024-02-29", last), others).values()) == others
    hours = [f"2024-02-29 {hour:02}:00:00" for hour in range(24)]
    before = [f"2023-02-28 {hour:02}:00:00" for hour in range(24)]
    assert list(pairs(pairing, TimeUnit.HOUR, hours, before).values()) == before


def test_hours_of_whole_days_are_those_that_clocks_show() -> None:
    asked = dates(date(2026, 3, 29), date(2026, 3, 29), BERLIN)
    other = dates(date(2026, 3, 28), date(2026, 3, 28), BERLIN)
    here = [f"2026-03-29 {hour:02}:00:00" for hour in range(24) if hour != 2]
    there = [f"2026-03-28 {hour:02}:00:00" for hour in range(24)]
    found = pairs(Pairing(asked, other), TimeUnit.HOUR, here, there)
    assert found == {label: label.replace("29 ", "28 ") for label in here}
    back = pairs(Pairing(other, asked), TimeUnit.HOUR, there, here)
    assert [label for label, partner in back.items() if partner is None] == ["2026-03-28 02:00:00"]


def test_moments_with_other_minutes_are_compared_unit_by_unit() -> None:
    today = Today(0, UTC)
    asked = period_between("2026-03-10T10:15:00Z", "2026-03-10T13:14:59Z", today)
    other = period_between("2026-03-09T08:40:00Z", "2026-03-09T11:39:59Z", today)
    here = [f"2026-03-10 {hour:02}:00:00" for hour in range(10, 14)]
    there = [f"2026-03-09 {hour:02}:00:00" for hour in range(8, 12)]
    assert Pairing(asked, other).partners(TimeUnit.HOUR, here, there) == [0, 1, 2, 3]
    quarters = ["2026-03-10 10:15:00", "2026-03-10 10:30:00"]
    assert Pairing(asked, other).partners(
        TimeUnit.QUARTER_HOUR, quarters, ["2026-03-09 08:30:00", "2026-03-09 08:45:00"]
    ) == [0, 1]
    assert Pairing(asked, other).partners(TimeUnit.DAY, ["2026-03-10"], ["2026-03-09"]) == [0]


@pytest.mark.parametrize("unit", [TimeUnit.DAY, TimeUnit.WEEK, TimeUnit.SUNDAY_WEEK, TimeUnit.MONTH])
@pytest.mark.parametrize("same_dates", [False, True])
def test_no_two_units_have_one_partner_and_partners_are_in_order(unit: TimeUnit, same_dates: bool) -> None:  # noqa: FBT001
    for number in range(60):
        begin = date(2024, 1, 1) + timedelta(days=17 * number)
        asked = dates(begin, begin + timedelta(days=400), BERLIN)
        compare = Earlier.YEAR_OVER_YEAR if same_dates else Earlier.PREVIOUS_PERIOD
        other = earlier(asked, compare, Today(asked.end + 1, BERLIN))
        here, there = (
            list(
                dict.fromkeys(
                    _label(unit, datetime.fromtimestamp(each.start + 7_200, BERLIN).date(), number)
                    for number in range(401)
                )
            )
            for each in (asked, other)
        )
        places = [place for place in Pairing(asked, other, same_dates).partners(unit, here, there) if place is not None]
        assert len(places) > len(here) - 3
        assert all(one < following for one, following in pairwise(places))


def _label(unit: TimeUnit, first: date, number: int) -> str:
    """The unit of a day, as answers show it: the first week of a period is cut."""
    day = first + timedelta(days=number)
    if unit is TimeUnit.MONTH:
        return day.replace(day=1).isoformat()
    back = {TimeUnit.WEEK: day.weekday(), TimeUnit.SUNDAY_WEEK: day.isoweekday() % 7}.get(unit, 0)
    return max(first, day - timedelta(days=back)).isoformat()
