"""Selections and dimensions as SQL: the CTEs in front of the named queries of ``queries/reports.sql``.

All text is from this file and numbers; what people sent travels as parameters. A filter that is not asked for is not
in the text: DuckDB does not see through ``$x IS NULL OR ...`` and would look at the column for nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tallystick.model.period import DAY_S, HOUR_S, Period
from tallystick.model.selection import SIZES, Dimension, Selection
from tallystick.warehouse.store import WarehouseSession

_CONDITIONS = {
    "paths": "path IN (SELECT unnest(CAST($paths AS BIGINT[])))",
    "also_paths": "path IN (SELECT unnest(CAST($also_paths AS BIGINT[])))",
    "campaigns": "coalesce(campaign, 0) IN (SELECT unnest(CAST($campaigns AS BIGINT[])))",
    "ref": "lower(ref) = lower($ref)",
    "country": "country = $country",
    "browser": "lower(browser) = lower($browser)",
    "system": "lower(system) = lower($system)",
    "language": "language = $language",
    "widths": "width BETWEEN $widths[1] AND $widths[2]",
    "event": "event = $event",
}
"""What each field of a ``Selection`` asks of a hit; its value is the parameter of the same name."""


class _Value(NamedTuple):
    """How a dimension is read off a hit.

    Attributes:
        columns: what visits are counted by first: there are few of each.
        value: made from them, once a group.
    """

    columns: str
    value: str


_SIZE = " ".join(f"WHEN width <= {widths.widest} THEN '{size}'" for size, widths in sorted(SIZES.items(), key=lambda item: item[1]))
_VALUES = {
    Dimension.BROWSER: _Value("browser", "browser"),
    Dimension.BROWSER_VERSION: _Value("browser, browser_version", "trim(concat(browser, ' ', browser_version))"),
    Dimension.SYSTEM: _Value("system", "system"),
    Dimension.SYSTEM_VERSION: _Value("system, system_version", "trim(concat(system, ' ', system_version))"),
    Dimension.COUNTRY: _Value("country", "country"),
    Dimension.REGION: _Value("country, region", "if(region = '', '', concat(country, '-', region))"),
    Dimension.LANGUAGE: _Value("language", "language"),
    Dimension.SIZE: _Value("width", f"CASE {_SIZE} END"),
    Dimension.WIDTH: _Value("width", "width"),
    Dimension.CAMPAIGN: _Value("campaign", "campaign"),
    Dimension.PATH: _Value("path", "path"),
}
_REFERRER = _Value("ref, ref_scheme, min(created) AS seen", "*")


def rows(session: WarehouseSession, query: str, selection: Selection, *extra: str, **parameters: Any) -> list[Any]:
    """The rows of a named query over the hits of a selection.

    Args:
        extra: more CTEs behind ``picked``.
        parameters: of the query.
    """
    where, values = _asked(selection)
    return _run(session, query, [_picked(selection.period, where), *extra], {**values, **parameters})


def counted(dimension: Dimension | None) -> str:
    """The CTE of visits by a dimension's columns; None are referrers."""
    return f""


def _asked(selection: Selection) -> tuple[str, dict[str, Any]]:
    ...
