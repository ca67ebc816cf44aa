"""Where a day has begun."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from tallystick.hub.days import Days

BERLIN, APIA, CAIRO, UTC = (ZoneInfo(name) for name in ("Europe/Berlin", "Pacific/Apia", "Africa/Cairo", "UTC"))


def at(zone: ZoneInfo, moment: str) -> int:
    """Unix milliseconds of a local time."""
    return round(dt.datetime.fromisoformat(moment).replace(tzinfo=zone).timestamp() * 1000)


@pytest.mark.parametrize(
    ("zone", "before", "after", "begun"),
    [
        (UTC, "2026-02-28 23:59:59.999", "2026-03-01 00:00:00", True),
        (UTC, "2026-02-28 00:00:00", "2026-02-28 23:59:59.999", False),
        (BERLIN, "2026-03-28 23:59:59", "2026-03-29 00:00:00", True),  # a day of 23 hours begins
        (BERLIN, "2026-03-29 00:00:00", "2026-03-29 23:59:59", False),
        (BERLIN, "2026-10-25 00:00:00", "2026-10-25 23:59:59", False),  # a day of 25 hours
        (BERLIN, "2026-10-25 23:59:59", "2026-10-26 00:00:00", True),
        (APIA, "2011-12-29 23:59:59", "2011-12-31 00:00:00", True),  # the 30th was skipped
        (CAIRO, "2024-04-25 23:59:59", "2024-04-26 01:00:00", True),  # there was no midnight
        (UTC, "2026-02-27 12:00:00", "2026-03-05 08:00:00", True),  # the machine slept
        (UTC, "2026-03-01 00:00:01", "2026-02-28 23:59:00", True),  # the clock was put back
    ],
)
def test_a_day_has_begun_when_the_calendar_says_so(zone: ZoneInfo, before: str, after: str, begun: bool) -> None:  # noqa: FBT001
    days = Days()
    days.note(zone, at(zone, before))
    assert bool(days.begun([zone], at(zone, after))) is begun


def test_a_day_begins_in_its_own_zone_only_and_is_told_until_it_was_told() -> None:
    days, midnight = Days(), at(BERLIN, "2026-03-29 00:00:00")
    days.note(BERLIN, midnight - 1)
    days.note(UTC, midnight - 1)
    for _ in range(2):
        assert days.begun([BERLIN, UTC], midnight) == {BERLIN: dt.date(2026, 3, 29)}
    days.over(BERLIN, dt.date(2026, 3, 29))
    assert days.begun([BERLIN, UTC], midnight) == {}


def test_a_zone_that_comes_back_has_not_been_asleep() -> None:
    days = Days()
    days.note(UTC, at(UTC, "2026-03-01 12:00:00"))
    assert days.begun([], at(UTC, "2026-03-02 12:00:00")) == {}
    days.note(UTC, at(UTC, "2026-03-03 12:00:00"))
    assert days.begun([UTC], at(UTC, "2026-03-03 12:00:00")) == {}
