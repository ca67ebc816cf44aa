"""Time units as SQL, of a column of Unix seconds, by the clocks of a period's zone."""

from collections.abc import Iterable

from tallystick.model.period import DAY_S, HOUR_S, Period
from tallystick.model.question import TimeUnit
from tallystick.warehouse.duckdb.selecting import offset

QUARTER_HOUR_S = 900
_CLOCK_S = {TimeUnit.MINUTE: 60, TimeUnit.QUARTER_HOUR: QUARTER_HOUR_S, TimeUnit.HOUR: HOUR_S}
_THURSDAY, _FIRST_SUNDAY_DAYS = 3, 4
"""1970-01-01 was a Thursday: three days after a Monday, four after a Sunday."""


def bucket(unit: TimeUnit, column: str, period: Period) -> str:
    """The SQL of the value of a unit, an integer; see ``AnswerRow.values``."""
    local = f"({column} + {offset(column, period)})"
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


def quarter_of(column: str) -> str:
    """The SQL of the beginning of a quarter hour, Unix seconds."""
    return f"{column} // {QUARTER_HOUR_S} * {QUARTER_HOUR_S}"


def are_of_quarters(units: Iterable[TimeUnit], period: Period) -> bool:
    """Whether all times of a quarter hour, by Unix time, lie in one bucket of each unit."""
    offsets = period.offsets
    return TimeUnit.MINUTE not in units and not any(
        each.offset % QUARTER_HOUR_S or (each is not offsets[-1] and each.end % QUARTER_HOUR_S) for each in offsets
    )


def in_one_bucket(units: list[TimeUnit], begin: str, end: str, period: Period) -> str:
    """The SQL of whether a time from one column to another lies in one bucket of each unit."""
    whole = {_whole(unit) for unit in units}
    equal = [f"{bucket(unit, begin, period)} = {bucket(unit, end, period)}" for unit in TimeUnit if unit in whole]
    # Between two changes of the zone's offset its clocks only go forward.
    whole_sql = " AND ".join([*equal, f"{offset(begin, period)} = {offset(end, period)}"])
    if not are_of_quarters(units, period):
        return whole_sql
    # Judged first, because it is cheap and true of most visits.
    return f"({begin} // {QUARTER_HOUR_S} = {end} // {QUARTER_HOUR_S} OR ({whole_sql}))"


def shortest_s(units: Iterable[TimeUnit]) -> int:
    """The seconds of the shortest bucket, between changes of the zone's offset."""
    return min(_CLOCK_S.get(_whole(unit), DAY_S) for unit in units)


def _whole(unit: TimeUnit) -> TimeUnit:
    """The unit that comes once, in place of one that returns each week or day."""
    return {TimeUnit.WEEKDAY: TimeUnit.DAY, TimeUnit.HOUR_OF_DAY: TimeUnit.HOUR}.get(unit, unit)
