"""Time units as SQL, of a column of Unix seconds, by the clocks of a period's zone."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tallystick.model.period import DAY_S, HOUR_S, Period
from tallystick.model.question import TimeUnit
from tallystick.warehouse.duckdb.selecting import offset

QUARTER_HOUR_S = 900
_CLOCK_S = {TimeUnit.MINUTE: 60, TimeUnit.QUARTER_HOUR: QUARTER_HOUR_S, TimeUnit.HOUR: HOUR_S}
_SHORTEST_S = {**_CLOCK_S, TimeUnit.HOUR_OF_DAY: HOUR_S}
_UNIX_STEPS_S = (HOUR_S, QUARTER_HOUR_S, 60, 1)
_THURSDAY, _FIRST_SUNDAY_DAYS = 3, 4
"""1970-01-01 was a Thursday: three days after a Monday, four after a Sunday."""


def bucket(unit: TimeUnit, column: str, period: Period, ahead: int | None = None) -> str:
    """The SQL of the value of a unit, an integer; see ``AnswerRow.values``.

    Args:
        ahead: the seconds by which the zone's clocks are ahead of UTC; without, those at the time in the column.
    """
    return _bucket_of_clock(unit, f"({column} + {offset(column, period) if ahead is None else ahead})")


def _bucket_of_clock(unit: TimeUnit, local: str) -> str:
    if unit in _CLOCK_S:
        return f"({local} // {_CLOCK_S[unit]} * {_CLOCK_S[unit]})"
    day = f"({local} // {DAY_S})"
    first = f"date_trunc('month', DATE '1970-01-01' + CAST({day} AS INTEGER))"
    values = {
        TimeUnit.DAY: day,
        TimeUnit.WEEK: f"({day} - ({day} + {_THURSDAY}) % 7)",
        TimeUnit.SUNDAY_WEEK: f"({day} - ({day} + {_FIRST_SUNDAY_DAYS}) % 7)",
        TimeUnit.MONTH: f"date_diff('day', DATE '1970-01-01', CAST({first} AS DATE))",
        TimeUnit.WEEKDAY: f"(({day} + {_THURSDAY}) % 7 + 1)",
        TimeUnit.HOUR_OF_DAY: f"({local} // {HOUR_S} % 24)",
    }
    return values[unit]


class Steps(NamedTuple):
    """Numbered times of equal length, each of which lies in one bucket of each of some units.

    Rows are grouped by them first: of steps there are few, and only they are converted to buckets. Days are numbered by
    the zone's clocks, because DuckDB groups by a few hundred small numbers without hashing them.

    Attributes:
        seconds: the length.
        local: whether they are steps of the zone's clocks and not of Unix time.
    """

    period: Period
    seconds: int
    local: bool

    def step(self, column: str, ahead: int | None = None) -> str:
        """The SQL of the number of a time's step.

        Args:
            ahead: as of ``bucket``.
        """
        here = offset(column, self.period) if ahead is None else ahead
        time = f"({column} + {here})" if self.local else column
        return f"({time} // {self.seconds})"

    def bucket(self, unit: TimeUnit, step: str) -> str:
        """The SQL of the value of a unit, from the number of a step."""
        time = f"({step} * {self.seconds})"
        return _bucket_of_clock(unit, time) if self.local else bucket(unit, time, self.period)


def unix_steps(units: Iterable[TimeUnit], period: Period) -> Steps:
    """The longest steps of Unix time of which each lies in one bucket of each unit."""
    shortest, offsets = shortest_s(units), period.offsets
    moments = [*(each.offset for each in offsets), *(each.end for each in offsets[:-1])]
    seconds = next(s for s in _UNIX_STEPS_S if s <= shortest and not any(moment % s for moment in moments))
    return Steps(period, seconds, local=False)


def steps_of(units: Sequence[TimeUnit], period: Period) -> Steps:
    """The longest steps of which each lies in one bucket of each unit."""
    return Steps(period, DAY_S, local=True) if shortest_s(units) == DAY_S else unix_steps(units, period)


def shortest_s(units: Iterable[TimeUnit]) -> int:
    """The seconds of the shortest bucket, between changes of the zone's offset."""
    return min(_SHORTEST_S.get(unit, DAY_S) for unit in units)
