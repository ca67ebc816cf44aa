"""Selections and dimensions as SQL: what the named queries of ``queries/reports.sql`` read from.

The text is made of constants and numbers; what people sent travels as parameters. A filter that nobody asked for is
not in the text: DuckDB does not see through ``$x IS NULL OR ...`` and would read the column for nothing.
"""

# ruff: noqa: S608  # see above: no text of a request is in the SQL

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tallystick.model.period import DAY_S, HOUR_S, Period
from tallystick.model.selection import SIZES, Dimension, Selection
from tallystick.warehouse.duckdb.store import WarehouseSession

_NOTHING: Mapping[str, Any] = MappingProxyType({})

_CONDITIONS = {
    "paths": "path IN (SELECT unnest(CAST($paths AS BIGINT[])))",
    "also_paths": "path IN (SELECT unnest(CAST($also_paths AS BIGINT[])))",
    "campaigns": "coalesce(campaign, 0) IN (SELECT unnest(CAST($campaigns AS BIGINT[])))",
    "ref": "lower(ref) = lower($ref)",
    "country": "country = $country",
    "browser": "lower(browser) = lower($browser)",
    "system": "lower(system) = lower($system)",
    "language": "language = $language",
    "event": "event = $event",
}
"""What a field of a ``Selection`` asks of a hit; its value is the parameter of the same name."""


class Cte(NamedTuple):
    """A part of a ``WITH`` clause and the parameters in it.

    Never materialized: then a query reads the columns that it names, and no others.
    """

    name: str
    select: str
    parameters: Mapping[str, Any] = _NOTHING

    def __str__(self) -> str:
        return f"{self.name} AS NOT MATERIALIZED ({self.select})"


class _Reading(NamedTuple):
    """How a dimension is read off hits.

    Attributes:
        columns: by which visits are counted first: they have few different values.
        value: made from them, once for each.
        listed: which of them there is anything to say about.
    """

    columns: str
    value: str
    listed: str = "true"


_SIZE = " ".join(
    f"WHEN width <= {widths.widest} THEN '{size}'" for size, widths in sorted(SIZES.items(), key=lambda size: size[1])
)
_READINGS = {
    Dimension.BROWSER: _Reading("browser", "browser"),
    Dimension.BROWSER_VERSION: _Reading("browser, browser_version", "trim(concat(browser, ' ', browser_version))"),
    Dimension.SYSTEM: _Reading("system", "system"),
    Dimension.SYSTEM_VERSION: _Reading("system, system_version", "trim(concat(system, ' ', system_version))"),
    Dimension.COUNTRY: _Reading("country", "country"),
    Dimension.REGION: _Reading("country, region", "if(region = '', '', concat(country, '-', region))"),
    Dimension.LANGUAGE: _Reading("language", "language"),
    Dimension.SIZE: _Reading("width", f"CASE {_SIZE} END"),
    Dimension.WIDTH: _Reading("width", "CAST(width AS VARCHAR)"),
    Dimension.CAMPAIGN: _Reading("campaign", "campaign", "campaign IS NOT NULL"),
    Dimension.PATH: _Reading("path", "path"),
    Dimension.REFERRER: _Reading("ref, ref_scheme", "lower(ref)"),
}


def run(session: WarehouseSession, query: str, *ctes: Cte, **parameters: Any) -> list[Any]:  # noqa: ANN401
    """All rows of a named query behind its CTEs."""
    text = f"WITH {', '.join(map(str, ctes))} {getattr(session.queries, query).sql}"
    for cte in ctes:
        parameters |= cte.parameters
    return session.connection.execute(text, parameters).fetchall()


def picked(selection: Selection, dimension: Dimension = Dimension.PATH) -> Cte:
    """The hits of a selection, with their ``hour`` and the ``value`` of a dimension."""
    bounds, parameters = _bounds(selection)
    conditions, more = _conditions(selection)
    columns = f"*, {_hour(selection.period)} AS hour, {_READINGS[dimension].value} AS value"
    return Cte(
        "picked", f"SELECT {columns} FROM hit WHERE {' AND '.join([bounds, *conditions])}", {**parameters, **more}
    )


def marked(selection: Selection) -> Cte:
    """All hits of a selection's site and period; those of the selection are ``wanted``."""
    bounds, parameters = _bounds(selection)
    conditions, more = _conditions(selection)
    wanted = " AND ".join(conditions) or "true"
    return Cte("picked", f"SELECT *, {wanted} AS wanted FROM hit WHERE {bounds}", {**parameters, **more})


def counted(dimension: Dimension) -> Cte:
    """Visits among ``picked``, by the ``value`` of a dimension."""
    columns, value, listed = _READINGS[dimension]
    groups = (
        f"SELECT {columns}, count(*) AS visits, min(created) AS seen FROM picked"
        f" WHERE first AND {listed} GROUP BY {columns}"
    )
    return Cte("counted", f"SELECT *, {value} AS value FROM ({groups})")


def _bounds(selection: Selection) -> tuple[str, dict[str, Any]]:
    period = selection.period
    condition = "site = $site AND created >= $since AND created < $until AND bot = 0"
    return condition, {"site": selection.site, "since": period.first, "until": period.after}


def _conditions(selection: Selection) -> tuple[list[str], dict[str, Any]]:
    asked = {field: value for field in _CONDITIONS if (value := getattr(selection, field)) is not None}
    conditions = [_CONDITIONS[field] for field in asked]
    if selection.widths is not None:
        conditions.append(f"width BETWEEN {selection.widths.narrowest} AND {selection.widths.widest}")
    return conditions, asked


def _hour(period: Period) -> str:
    """The hour that the zone's clocks show, counted from midnight of the period's first date: never negative."""
    *early, last = period.offsets
    midnight = DAY_S * (period.days or (0,))[0]
    cases = " ".join(f"WHEN created < {segment.end} THEN {segment.offset - midnight}" for segment in early)
    shift = f"CASE {cases} ELSE {last.offset - midnight} END" if early else f"{last.offset - midnight}"
    return f"(created + {shift}) // {HOUR_S}"
