"""Which unit of time of a chart is compared with which of the other period. Pure.

The rule is that of the comparison: with the period before, and with any other one, dates are as far apart as the first
ones; with the year before they are the same dates, so 29 February has no partner. Hours and minutes are those that
clocks show: an hour that one of the days does not have has no partner either. Weeks are whole weeks apart and months
whole months, as near to that as there are.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from tallystick.model.question import TimeUnit
from tallystick.surfaces.dashboard.analytics.periods import weekday

DAYS_OF_MONTH = 30.436875
"""On average."""
WEEKS = frozenset({TimeUnit.WEEK, TimeUnit.SUNDAY_WEEK})
_WEEK = timedelta(days=7)
_YEAR_OF_WEEKS = 52 * _WEEK


class Pairing(Struct, frozen=True):
    """How a period lies to the one that it is compared with.

    Attributes:
        apart: from the first local time of the other period to that of this one.
        same_dates: whether dates of the year before are meant, whatever lies between.
    """

    apart: timedelta
    same_dates: bool = False

    def partners(self, unit: TimeUnit, labels: Sequence[str], others: Sequence[str]) -> list[int | None]:
        """For each unit its partner's place among the others; None for one that has none.

        Args:
            labels, others: the units of both periods as answers have them, such as ``2026-03-10 14:00:00``.
        """
        places = {_begin(unit, label): place for place, label in enumerate(others)}
        found = (self._partner(unit, _begin(unit, label)) for label in labels)
        return [None if begin is None else places.get(begin) for begin in found]

    def _partner(self, unit: TimeUnit, begin: datetime) -> datetime | None:
        """Where the partner of a unit begins; None where the calendar has no such date."""
        try:
            if unit in WEEKS:
                return begin - (_YEAR_OF_WEEKS if self.same_dates else round(self.apart / _WEEK) * _WEEK)
            if unit is TimeUnit.MONTH:
                months = 12 if self.same_dates else round(self.apart / timedelta(days=DAYS_OF_MONTH))
                number = begin.year * 12 + begin.month - 1 - months
                return begin.replace(year=number // 12, month=number % 12 + 1)
            return begin.replace(year=begin.year - 1) if self.same_dates else begin - self.apart
        except (ValueError, OverflowError):
            return None


def _begin(unit: TimeUnit, label: str) -> datetime:
    """Where a unit begins; of weeks and months, the first of which a period may cut, where the whole one does."""
    begin = datetime.fromisoformat(label)
    if unit in WEEKS:
        return begin - timedelta(days=weekday(begin, sunday_first=unit is TimeUnit.SUNDAY_WEEK))
    return begin.replace(day=1) if unit is TimeUnit.MONTH else begin
