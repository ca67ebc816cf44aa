"""Results of questions."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

Figure = int | float | None
Value = str | int


class QueryRow(Struct, frozen=True, kw_only=True):
    """One group of an answer, by the names that were asked for: ``row.values["source"]``, ``row.figures["visitors"]``.

    Attributes:
        values: of the dimensions; numbers for weekdays and hours of the day.
        figures: the metrics.
            None for a time that only the other period has.
        compared: the same metrics of the other period; None without a comparison, and where that period has no such
            time.
        change: from the other period to this one, in percent, and of rates in points; None where there is none, and
            where one of the periods has no such time.
        compared_values: of the dimensions in the other period, where a dimension of time makes them others; None for a
            time that it does not have.
    """

    values: Mapping[str, Value | None]
    figures: Mapping[str, Figure]
    compared: Mapping[str, Figure] | None = None
    change: Mapping[str, Figure] | None = None
    compared_values: Mapping[str, Value | None] | None = None


class QueryAnswer(Struct, frozen=True, kw_only=True):
    """The rows of one page.

    Attributes:
        period: the first and the last second that were asked for, with the offset of the zone.
        compared_period: the same of the other period; None without a comparison.
        total_rows: of all pages; None unless asked for.
        warnings: by metric, why a figure is not exact.
        imports_included: whether imported figures are part of the answer; None unless asked for.
        imports_skip_reason: why they are not.
    """

    rows: list[QueryRow]
    period: tuple[dt.datetime, dt.datetime]
    compared_period: tuple[dt.datetime, dt.datetime] | None = None
    total_rows: int | None = None
    warnings: Mapping[str, str] = {}
    imports_included: bool | None = None
    imports_skip_reason: str | None = None


class SentComparison(Struct, frozen=True):
    """The other period's part of a row, as it is sent."""

    metrics: list[Figure] | None
    change: list[Figure] | None
    dimensions: list[Value | None] | None = None


class SentRow(Struct, frozen=True):
    """A row as it is sent."""

    metrics: list[Figure]
    dimensions: list[Value | None] = []
    comparison: SentComparison | None = None


class SentWarning(Struct, frozen=True):
    """Why a metric is not exact, as it is sent."""

    warning: str = ""


class SentMeta(Struct, frozen=True):
    """What is sent about an answer as a whole."""

    total_rows: int | None = None
    metric_warnings: dict[str, SentWarning] = {}
    imports_included: bool | None = None
    imports_skip_reason: str | None = None


class SentQuery(Struct, frozen=True):
    """The query as the server understood it."""

    date_range: tuple[dt.datetime, dt.datetime]
    comparison_date_range: tuple[dt.datetime, dt.datetime] | None = None


class SentAnswer(Struct, frozen=True):
    """An answer as it is sent."""

    results: list[SentRow]
    query: SentQuery
    meta: SentMeta = SentMeta()

    def named(self, metrics: list[str], dimensions: list[str]) -> QueryAnswer:
        """The answer with the names that were asked for."""
        return QueryAnswer(
            rows=[_row(row, metrics, dimensions) for row in self.results],
            period=self.query.date_range,
            compared_period=self.query.comparison_date_range,
            total_rows=self.meta.total_rows,
            warnings={name: each.warning for name, each in self.meta.metric_warnings.items()},
            imports_included=self.meta.imports_included,
            imports_skip_reason=self.meta.imports_skip_reason,
        )


def _row(row: SentRow, metrics: list[str], dimensions: list[str]) -> QueryRow:
    named: dict[str, Any] = {}
    if (other := row.comparison) is not None:
        parts: list[tuple[str, list[str], list[Any] | None]] = [
            ("compared", metrics, other.metrics),
            ("change", metrics, other.change),
            ("compared_values", dimensions, other.dimensions),
        ]
        named = {part: _by_name(names, values) for part, names, values in parts if values is not None}
    return QueryRow(values=_by_name(dimensions, row.dimensions), figures=_by_name(metrics, row.metrics), **named)


def _by_name(names: list[str], values: list[Any]) -> dict[str, Any]:
    return dict(zip(names, values, strict=False))
