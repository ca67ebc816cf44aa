"""Prints an answer as a table, as CSV or as JSON."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from tallystick.cli.support.aligned import print_aligned
from tallystick.cli.support.query_access import decoded
from tallystick.cli.support.query_cells import (
    before_of,
    change_text,
    figure_text,
    title_of,
    title_of_dimension,
    value_text,
)
from tallystick.client.query_answers import SentAnswer, SentRow, Value
from tallystick.model.csv_rows import csv_writer
from tallystick.model.dimension_names import PROPERTY, name_of
from tallystick.services.exports.spreadsheet import safe

Form = Literal["table", "csv", "json"]
RETURNING = ("time:weekday", "time:hour_of_day")
Asked = Mapping[str, Any]


def print_answer(form: Form, asked: Asked, answer: Mapping[str, Any]) -> None:
    """Print an answer, and on standard error what has to be known about it.

    Args:
        asked: the body of the query.
        answer: as ``POST /api/query`` sends it.
    """
    if form == "json":
        print(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
        return
    sent = decoded(answer)
    _PRINTS[form](asked, sent)
    shown, total = len(sent.results), sent.meta.total_rows
    if total is not None and total > shown:
        print(f"{shown:,} of {total:,} rows; --limit and --offset show others", file=sys.stderr)
    for warning in dict.fromkeys(each.warning for each in sent.meta.metric_warnings.values()):
        print(warning, file=sys.stderr)


def _print_table(asked: Asked, sent: SentAnswer) -> None:
    dimensions, metrics = asked["dimensions"], asked["metrics"]
    compares = sent.query.comparison_date_range is not None
    print(_caption(sent))
    print()
    titles: list[str] = []
    for dimension in dimensions:
        titles += [title_of_dimension(dimension), *(("Compared with",) if compares and moves(dimension) else ())]
    numbers = len(titles)
    for metric in metrics:
        titles += [title_of(metric), *(("Before", "Change") if compares else ())]
    rows = [_cells(dimensions, metrics, row, compares=compares) for row in sent.results]
    print_aligned(titles, rows, range(numbers, len(titles)))


def _cells(dimensions: Sequence[str], metrics: Sequence[str], row: SentRow, *, compares: bool) -> list[str]:
    cells = [value_text(dimension, value) for dimension, value in _values(dimensions, row, compares=compares)]
    for place, metric in enumerate(metrics):
        cells.append(figure_text(metric, row.metrics[place]))
        if compares:
            before, change = before_of(row, place)
            cells += [figure_text(metric, before), change_text(metric, change, before)]
    return cells


def _values(dimensions: Sequence[str], row: SentRow, *, compares: bool) -> Iterator[tuple[str, Value | None]]:
    """The values of a row with their dimensions; behind a time that it is compared with."""
    others = row.comparison.dimensions if row.comparison else None
    for place, dimension in enumerate(dimensions):
        yield dimension, row.dimensions[place]
        if compares and moves(dimension):
            yield dimension, others[place] if others else None


def _caption(sent: SentAnswer) -> str:
    other = sent.query.comparison_date_range
    before = "" if other is None else f", compared with {span(*other)}"
    return f"{span(*sent.query.date_range)}{before}"


def span(first: datetime, last: datetime) -> str:
    """A period as people write it: its days, and its times unless these are whole days."""
    whole = (first.time().isoformat(), last.time().isoformat()) == ("00:00:00", "23:59:59")
    form = "%Y-%m-%d" if whole else "%Y-%m-%d %H:%M:%S"
    one, other = first.strftime(form), last.strftime(form)
    return one if one == other else f"{one} to {other}"


def _print_csv(asked: Asked, sent: SentAnswer) -> None:
    dimensions, metrics = asked["dimensions"], asked["metrics"]
    compares = sent.query.comparison_date_range is not None
    write = csv_writer(sys.stdout)
    titles: list[str] = []
    for dimension in dimensions:
        column = safe(_column(dimension))
        titles += [column, *((f"{column}_before",) if compares and moves(dimension) else ())]
    for metric in metrics:
        titles += [metric, *((f"{metric}_before", f"{metric}_change") if compares else ())]
    write(titles)
    for row in sent.results:
        cells: list[Any] = [
            safe(value) if isinstance(value, str) else value for _, value in _values(dimensions, row, compares=compares)
        ]
        for place in range(len(metrics)):
            cells.append(row.metrics[place])
            if compares:
                cells += before_of(row, place)
        write(cells)


def moves(dimension: str) -> bool:
    """Whether a dimension has other values in another period: a time that does not come again."""
    return dimension.startswith("time") and dimension not in RETURNING


def _column(dimension: str) -> str:
    """The name of a dimension in a CSV header. That of a property stays as it is."""
    name = name_of(dimension)
    return name if name.startswith(PROPERTY) else name.replace(" ", "_")


_PRINTS: Mapping[str, Callable[[Asked, SentAnswer], None]] = {"table": _print_table, "csv": _print_csv}
