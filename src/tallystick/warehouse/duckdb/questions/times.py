"""Visitors by time, without reading the hits of most visits.

A visit that is shorter than the unit of time lies in the bucket of its first hit and in that of its last one, and in no
other. Only of longer visits the hits are read.
"""

# ruff: noqa: S608  # the text consists of constants, numbers and names of parameters

from collections.abc import Mapping

from tallystick.model.dimensions import Dimension
from tallystick.model.period import Period
from tallystick.model.question import Grouping, TimeUnit
from tallystick.warehouse.duckdb.questions.buckets import (
    QUARTER_HOUR_S,
    are_of_quarters,
    bucket,
    quarter_of,
    shortest_s,
)


def step_of(column: str, units: list[TimeUnit], period: Period) -> str:
    """The SQL of a time that is in the same buckets as a column, and of which there are fewer."""
    return quarter_of(column) if are_of_quarters(units, period) else column


def buckets_at(groupings: Mapping[str, Grouping], period: Period) -> list[str]:
    """The SQL of values, from rows that have dimensions under their names and times as ``moment``."""
    return [name if isinstance(each, Dimension) else bucket(each, "moment", period) for name, each in groupings.items()]


def visitors_at(  # what a plan knows
    groupings: Mapping[str, Grouping], period: Period, *, values: Mapping[str, str], visits: str, key: str
) -> str:
    """The SELECT of ``visitors``, those ``alone`` without a session, by dimensions and times ``moment``.

    Args:
        groupings: dimensions of visits, and at least one unit of time.
        values: the SQL of the dimensions' values.
        visits: what follows FROM: visits that pass, with a condition at the end.
        key: columns that tell visits apart.
    """
    units = [each for each in groupings.values() if isinstance(each, TimeUnit)]
    names = "".join(f", {name}" for name in values)
    computed = "".join(f", {value} AS {name}" for name, value in values.items())
    ends = (
        f"SELECT {step_of('started', units, period)} AS opened_at, {step_of('ended', units, period)} AS closed_at"
        f"{computed}, count(*) FILTER (visitor) AS visitors, count(*) FILTER (alone) AS alone"
        f" FROM {visits} GROUP BY opened_at, closed_at{names}"
    )
    short = _is_short(units, period)
    apart = " OR ".join(f"{bucket(unit, 'opened_at', period)} <> {bucket(unit, 'closed_at', period)}" for unit in units)
    longer = " UNION ALL ".join(
        f"SELECT {key}{computed} FROM {visits} AND NOT alone AND {each}" for each in _are_longer(units, period)
    )
    of_longer = (
        f"SELECT {step_of('min(created)', units, period)} AS moment"
        f"{''.join(f', any_value(longer.{name}) AS {name}' for name in values)}"
        f" FROM (SELECT site, session, created FROM hits WHERE session <> 0) AS hits JOIN longer USING ({key})"
        f" GROUP BY {key}, {', '.join(bucket(unit, 'created', period) for unit in units)}"
    )
    # Materialized, so that DuckDB builds the join's table of these few visits and not of all hits.
    return (
        f"WITH ends AS MATERIALIZED ({ends}), longer AS MATERIALIZED ({longer})"
        f" SELECT opened_at AS moment{names}, visitors, alone FROM ends WHERE {short}"
        f" UNION ALL SELECT closed_at AS moment{names}, visitors, 0 AS alone FROM ends WHERE {short} AND ({apart})"
        f" UNION ALL SELECT moment{names}, count(*) AS visitors, 0 AS alone FROM ({of_longer}) GROUP BY moment{names}"
    )


def _is_short(units: list[TimeUnit], period: Period) -> str:
    """The SQL of whether a time from ``opened_at`` to ``closed_at`` lies in the buckets of these two.

    Judged of groups of visits, of which there are few.
    """
    changes = [f"NOT (opened_at < {change} AND closed_at >= {change})" for change in _changes(period)]
    return " AND ".join([f"closed_at - opened_at <= {shortest_s(units)}", *changes])


def _are_longer(units: list[TimeUnit], period: Period) -> list[str]:
    """The SQL of conditions, of which one is true of each visit that is not short.

    They are cheap: one comparison tells most visits apart, and of the times around a change of the zone's offset
    DuckDB reads only these.
    """
    shortest = shortest_s(units)
    long = f"{step_of('ended', units, period)} - {step_of('started', units, period)} > {shortest}"
    changes = _changes(period)
    return [
        f"ended - started > {shortest - QUARTER_HOUR_S} AND {long}",
        *(
            f"started >= {before} AND started < {change} AND ended >= {change} AND NOT ({long})"
            for before, change in zip([period.first, *changes], changes, strict=False)
        ),
    ]


def _changes(period: Period) -> list[int]:
    """The times at which the zone's offset changes."""
    return [segment.end for segment in period.offsets[:-1]]
