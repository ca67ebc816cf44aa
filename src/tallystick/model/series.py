"""Sums visits by hour to the days, weeks and months of a report."""

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from tallystick.model.period import date_of

Group = Literal["hour", "day", "week", "month"]

HOURS = 24
WEEK = 7


class Day(Struct, frozen=True, omit_defaults=True):
    """One date of a report. In JSON, weeks and months without visits are left out.

    Attributes:
        day: ``YYYY-MM-DD``.
        hourly: visits in each hour of the clock.
        weekly: on the first row and each seventh after it, the sum of this row and the next six; else 0.
        monthly: on the first row and on the first of a month, the sum of all rows until the next such row; else 0.
    """

    day: str
    hourly: list[int]
    daily: int
    weekly: int = 0
    monthly: int = 0


class Calendar:
    """The dates of a report; creates all series of the report.

    Args:
        days: the dates in order, in days since 1970. A date that the zone skipped may be missing.
    """

    def __init__(self, days: Sequence[int]) -> None:
        dates = [date_of(day) for day in days]
        self._names = [date.isoformat() for date in dates]
        self._hours = [HOURS * (day - days[0]) for day in days]
        self._weeks = range(0, len(days), WEEK)
        self._months = [row for row, date in enumerate(dates) if row == 0 or date.day == 1]

    def series(self, hours: Iterable[tuple[int, int]]) -> list[Day]:
        """One row for each date, including dates without visits.

        Args:
            hours: pairs of an hour, counted from midnight of the first date, and its visits.
        """
        if not self._names:
            return []
        visits = [0] * (self._hours[-1] + HOURS)
        for hour, count in hours:
            visits[hour] = count
        hourly = [visits[hour : hour + HOURS] for hour in self._hours]
        daily = [sum(row) for row in hourly]
        rows = zip(self._names, hourly, daily, _sums(daily, self._weeks), _sums(daily, self._months), strict=True)
        return [Day(*row) for row in rows]


def peak(series: Iterable[Day], group: Group) -> int:
    """The highest hour, day, week or month."""
    if group == "hour":
        return max((max(row.hourly) for row in series), default=0)
    if group == "day":
        return max((row.daily for row in series), default=0)
    return max((row.weekly if group == "week" else row.monthly for row in series), default=0)


def _sums(daily: Sequence[int], starts: Sequence[int]) -> list[int]:
    sums = [0] * len(daily)
    for start, following in zip(starts, [*starts[1:], len(daily)], strict=True):
        sums[start] = sum(daily[start:following])
    return sums
