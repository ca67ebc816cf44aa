"""Which unit of time of a period is compared with which of another period. Pure.

The rule is that of the comparison: with the period before, and with any other one, dates are as far apart as the first
ones; with the year before they are the same dates, so 29 February has no partner where 28 February is asked for too.
Hours and minutes are those that clocks show: an hour that one of the days does not have has no partner either. Weeks
are whole weeks apart and months whole months, as near to that as there are.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from msgspec import Struct

from tallystick.model.period import DAY_S, HOUR_S, Period, date_of, weekday
from tallystick.model.question import CLOCK_UNITS, TimeUnit

DAYS_OF_MONTH = 30.436875
"""On average."""
WEEKS = frozenset({TimeUnit.WEEK, TimeUnit.SUNDAY_WEEK})
_WEEK = timedelta(days=7)
_YEAR_OF_WEEKS = 52 * _WEEK
_SECONDS = {TimeUnit.MINUTE: 60, TimeUnit.QUARTER_HOUR: 900, TimeUnit.HOUR: HOUR_S}


class Pairing(Struct, frozen=True):
    """How a period lies to the one that it is compared with.

    Attributes:
        asked, other: the periods.
        same_dates: whether dates of the year before are meant, whatever lies between.
    """

    asked: Period
    other: Period
    same_dates: bool = False

    def partners(self, unit: TimeUnit, labels: Sequence[str], others: Sequence[str]) -> list[int | None]:
        """For each unit its partner's place among the others; None for one that has none.

        Args:
            labels, others: the units of both periods as answers have them, such as ``2026-03-10 14:00:00``.
        """
        apart = self._apart(unit)
        places = {_begin(unit, label): place for place, label in enumerate(others)}
        found = (self._partner(unit, _begin(unit, label), apart) for label in labels)
        return [None if begin is None else places.get(begin) for begin in found]

    def _apart(self, unit: TimeUnit) -> timedelta:
        """From the first unit of the other period to that of this one; of dates, whole days."""
        by_dates = unit not in CLOCK_UNITS or (self.asked.begins_with_day and self.other.begins_with_day)
        step = DAY_S if by_dates else _SECONDS[unit]  # whole days: one may begin at 1 o'clock
        here, there = (_local(each) // step * step for each in (self.asked, self.other))
        return timedelta(seconds=here - there)

    def _partner(self, unit: TimeUnit, begin: datetime, apart: timedelta) -> datetime | None:
        """Where the partner of a unit begins; None where the calendar has no such date."""
        try:
            if unit in WEEKS:
                return begin - (_YEAR_OF_WEEKS if self.same_dates else round(apart / _WEEK) * _WEEK)
            if unit is TimeUnit.MONTH:
                months = 12 if self.same_dates else round(apart / timedelta(days=DAYS_OF_MONTH))
                number = begin.year * 12 + begin.month - 1 - months
                return begin.replace(year=number // 12, month=number % 12 + 1)
            if not self.same_dates:
                return begin - apart
            if begin.date() == self._leap_day:
                begin -= timedelta(days=1)
            return begin.replace(year=begin.year - 1)
        except (ValueError, OverflowError):
            return None

    @property
    def _leap_day(self) -> date | None:
        """The 29 February that a period begins with: its partner is the 28th, with which nothing else is compared."""
        first = date_of(_local(self.asked) // DAY_S)
        return first if (first.month, first.day) == (2, 29) else None


def _local(period: Period) -> int:
    """What clocks show at the beginning of a period, as seconds since 1970."""
    return period.first + period.offsets[0].offset


def _begin(unit: TimeUnit, label: str) -> datetime:
    """Where a unit begins; of weeks and months, the first of which a period may cut, where the whole one does."""
    begin = datetime.fromisoformat(label)
    if unit in WEEKS:
        return begin - timedelta(days=weekday(begin, sunday_first=unit is TimeUnit.SUNDAY_WEEK))
    return begin.replace(day=1) if unit is TimeUnit.MONTH else begin
