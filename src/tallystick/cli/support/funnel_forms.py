"""Prints the steps of a funnel as a table, as CSV or as JSON."""

import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from tallystick.cli.support.aligned import print_aligned
from tallystick.cli.support.query_cells import duration, value_text
from tallystick.cli.support.query_forms import Form, span
from tallystick.client.funnel_answers import FunnelReport, FunnelReportStep, SentFunnel
from tallystick.model.csv_rows import csv_writer
from tallystick.services.exports.spreadsheet import safe

TITLES = ("Step", "Visits", "Of first", "Of previous", "Dropped", "Median time", "Average time")
COLUMNS = (
    *("step", "optional", "visits", "of_first", "of_previous", "dropped", "median_seconds", "average_seconds"),
    *("left_to", "left_to_visits"),
)
EXIT = "(exit)"


def print_funnel(form: Form, answer: Mapping[str, Any]) -> None:
    """Print an answer, and on standard error what has to be known about it.

    Args:
        answer: as ``POST /api/query/funnel`` sends it.
    """
    if form == "json":
        print(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
        return
    report = msgspec.convert(answer, SentFunnel).report()
    if form == "csv":
        _print_csv(report)
    else:
        _print_table(report)
    for warning in report.warnings:
        print(warning, file=sys.stderr)


def _print_table(report: FunnelReport) -> None:
    entered = "" if report.entered is None else f", {report.entered:g} % of them took the first step"
    print(f"{span(*report.period)}: {report.visits:,} visits{entered}")
    print()
    print_aligned(TITLES, [_cells(number, step) for number, step in enumerate(report.steps, 1)], range(1, len(TITLES)))
    for step in report.steps:
        if step.left_to is None or not step.dropped:
            continue
        rows = [(value_text("", each.page or each.event), f"{each.visits:,}") for each in step.left_to]
        print()
        print_aligned((f"After {value_text('', step.name)}", "Visits"), [*rows, (EXIT, f"{step.exits or 0:,}")], [1])


def _cells(number: int, step: FunnelReportStep) -> list[str]:
    name = f"{number}. {value_text('', step.name)}"
    return [
        f"{name} (optional)" if step.optional else name,
        f"{step.visits:,}",
        _percent(step.of_first),
        _percent(step.of_previous),
        f"{step.dropped:,}",
        _time(step.median_seconds),
        _time(step.average_seconds),
    ]


def _percent(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.1f} %"


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else duration(round(seconds))


def _print_csv(report: FunnelReport) -> None:
    """A line for each step; with what came next, a line for each of these behind it."""
    write = csv_writer(sys.stdout)
    with_left = any(step.left_to is not None for step in report.steps)
    write(COLUMNS if with_left else COLUMNS[:-2])
    for step in report.steps:
        line = [
            safe(step.name),
            str(step.optional).lower(),
            step.visits,
            step.of_first,
            step.of_previous,
            step.dropped,
            step.median_seconds,
            step.average_seconds,
        ]
        write([*line, "", ""] if with_left else line)
        gone = [(each.page or each.event, each.visits) for each in step.left_to or ()]
        if step.exits:
            gone.append((EXIT, step.exits))
        for name, visits in gone:
            write([safe(step.name), *[""] * 7, safe(name), visits])
