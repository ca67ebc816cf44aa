"""Selections and dimensions as SQL, for the named queries of ``queries/reports.sql``.

The text consists of constants and numbers; values of a request are parameters. Only the conditions of a selection are
in the text: DuckDB does not optimize ``$x IS NULL OR ...`` and would read the column in vain.
"""

# ruff: noqa: S608  # see above: no text of a request is in the SQL

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tallystick.model.dimensions import PATH, Dimension, ValueKind
from tallystick.model.period import DAY_S, HOUR_S, Period
from tallystick.model.selection import Condition, Selection
from tallystick.warehouse.duckdb.queried import QuerySession

_NO_PARAMETERS: Mapping[str, Any] = MappingProxyType({})


class Cte(NamedTuple):
    """A part of a ``WITH`` clause and the parameters in it.

    Never materialized, so that a query reads only the columns that it names.
    """

    name: str
    select: str
    parameters: Mapping[str, Any] = _NO_PARAMETERS

    def __str__(self) -> str:
        return f"{self.name} AS NOT MATERIALIZED ({self.select})"


def _column(dimension: Dimension) -> str:
    return dimension.columns[0]


def _range_of(dimension: Dimension) -> str:
    (column, *other), ranges = dimension.columns, sorted(dimension.ranges, key=lambda range_: range_.highest)
    column = f"CAST({column} AS UINTEGER)"  # a text in hits
    names = [other[0] if other and not range_.name else f"'{range_.name}'" for range_ in ranges]
    cases = " ".join(
        f"WHEN {column} <= {range_.highest} THEN {name}" for range_, name in zip(ranges, names, strict=True)
    )
    return f"CASE {cases} END"


def _name_and_version(dimension: Dimension) -> str:
    name, version = dimension.columns
    return f"trim(concat({name}, ' ', {version}))"


def _code_and_part(dimension: Dimension) -> str:
    code, part = dimension.columns
    return f"if({part} = '', '', concat({code}, '-', {part}))"


def _referring_page(dimension: Dimension) -> str:
    referrer, scheme = dimension.columns
    without_www = f"if(starts_with({referrer}, 'www.'), {referrer}[5:], {referrer})"
    return f"CASE {scheme} WHEN 'h' THEN {without_www} WHEN 'g' THEN {referrer} ELSE '' END"


VALUES: Mapping[ValueKind, Callable[[Dimension], str]] = {
    ValueKind.TEXT: _column,
    ValueKind.FOLDED: lambda dimension: f"lower({_column(dimension)})",
    ValueKind.CODE: _column,
    ValueKind.FLAG: _column,
    ValueKind.ID: _column,
    ValueKind.NUMBER: lambda dimension: f"CAST({_column(dimension)} AS VARCHAR)",
    ValueKind.RANGE: _range_of,
    ValueKind.VERSION: _name_and_version,
    ValueKind.PART: _code_and_part,
    ValueKind.REFERRING: _referring_page,
}
"""The SQL of a hit's value, from its columns."""

_CASELESS = frozenset({ValueKind.TEXT, ValueKind.FOLDED})


def run(session: QuerySession, query: str, *ctes: Cte, **parameters: Any) -> list[Any]:  # noqa: ANN401
    """Run a named query with CTEs in front of it. Returns all rows."""
    text = f"WITH {', '.join(map(str, ctes))} {getattr(session.queries, query).sql}"
    for cte in ctes:
        parameters |= cte.parameters
    return session.run(text, parameters).fetchall()


def picked(selection: Selection, dimension: Dimension = PATH) -> Cte:
    """The hits of a selection, with their ``hour`` and the ``value`` of a dimension."""
    bounds, parameters = _bounds(selection)
    conditions, values = _conditions(selection)
    columns = f"*, {_hour(selection.period)} AS hour, {VALUES[dimension.kind](dimension)} AS value"
    select = f"SELECT {columns} FROM hit WHERE {' AND '.join([bounds, *conditions])}"
    return Cte("picked", select, parameters | values)


def counted(dimension: Dimension) -> Cte:
    """Visits among ``picked``, by the ``value`` of a dimension.

    They are grouped by its columns first, which have few different values, so that each value is computed once.
    """
    columns = ", ".join(dimension.columns)
    listed = f"{_column(dimension)} IS NOT NULL" if dimension.optional else "true"
    groups = (
        f"SELECT {columns}, count(*) AS visits, min(created) AS seen FROM picked"
        f" WHERE first AND {listed} GROUP BY {columns}"
    )
    return Cte("counted", f"SELECT *, {VALUES[dimension.kind](dimension)} AS value FROM ({groups})")


def _bounds(selection: Selection) -> tuple[str, dict[str, Any]]:
    period = selection.period
    condition = "site = $site AND created >= $since AND created < $until AND bot = 0"
    return condition, {"site": selection.site, "since": period.first, "until": period.after}


def _conditions(selection: Selection) -> tuple[list[str], dict[str, Any]]:
    """The text of a selection's conditions, and their parameters."""
    texts: list[str] = []
    parameters: dict[str, Any] = {}
    for number, condition in enumerate(selection.conditions):
        text, values = _condition(condition, f"{condition.dimension.name}_{number}")
        texts.append(text)
        parameters |= values
    return texts, parameters


def _condition(condition: Condition, name: str) -> tuple[str, dict[str, Any]]:
    """The text of a condition, and its parameters, whose names begin with ``name``."""
    dimension, values = condition.dimension, condition.values
    if dimension.kind is ValueKind.ID:
        column = f"coalesce({_column(dimension)}, 0)" if dimension.optional else _column(dimension)
        return f"{column} IN (SELECT unnest(CAST(${name} AS BIGINT[])))", {name: list(values)}
    if dimension.kind is ValueKind.RANGE:
        ranges = [range_ for range_ in dimension.ranges if range_.name in values]
        column = f"CAST({_column(dimension)} AS UINTEGER)"
        return _any(f"{column} BETWEEN {range_.lowest} AND {range_.highest}" for range_ in ranges), {}
    value, parameters = (
        VALUES[dimension.kind](dimension),
        {f"{name}_{index}": each for index, each in enumerate(values)},
    )
    if dimension.kind in _CASELESS:
        return _any(f"lower({_column(dimension)}) = lower(${parameter})" for parameter in parameters), parameters
    return _any(f"{value} = ${parameter}" for parameter in parameters), parameters


def _any(conditions: Iterable[str]) -> str:
    """The disjunction of conditions."""
    listed = list(conditions)
    return listed[0] if len(listed) == 1 else f"({' OR '.join(listed) or 'false'})"


def _hour(period: Period) -> str:
    """The hour in the local time of the zone, counted from midnight of the period's first date; never negative."""
    midnight = DAY_S * (period.days or (0,))[0]
    return f"(created + {offset('created', period)} - {midnight}) // {HOUR_S}"


def offset(column: str, period: Period) -> str:
    """The SQL of the seconds by which the zone's clocks are ahead of UTC, at the time in a column."""
    *early, last = period.offsets
    cases = " ".join(f"WHEN {column} < {segment.end} THEN {segment.offset}" for segment in early)
    return f"CASE {cases} ELSE {last.offset} END" if early else f"{last.offset}"
