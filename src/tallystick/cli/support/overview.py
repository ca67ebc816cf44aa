"""The overview that ``tallystick stats`` shows: some periods, and where visitors came from and went to."""

from collections.abc import Mapping, Sequence
from typing import Any

from tallystick.cli.support.aligned import print_aligned
from tallystick.cli.support.query_access import answers_to, decoded
from tallystick.cli.support.query_cells import before_of, change_text, figure_text, title_of, value_text
from tallystick.client.query_answers import SentAnswer
from tallystick.settings import AnalyticsSettings

PERIODS = {"day": "Today", "7d": "7 days", "28d": "28 days"}
METRICS = ["visitors", "visits", "pageviews", "views_per_visit", "bounce_rate", "visit_duration"]
GOAL = "event:goal"
LISTS = {"event:page": "Top pages", "visit:source": "Top sources", GOAL: "Goals"}
LONGEST = "28d"
CAPTION = "Today until now is compared with yesterday until then, the days before today with as many before them."


def print_overview(site: str | None, settings: AnalyticsSettings, limit: int) -> None:
    """Print the overview of a site: periods, pages and sources, and goals if there are any.

    Args:
        site: see ``answers_to``.
        limit: at most this many pages, sources and goals.
    """
    bodies = [*map(_of_period, PERIODS), *(_of_list(dimension, limit) for dimension in LISTS)]
    answers = [decoded(answer) for answer in answers_to(site, None, settings, bodies)]
    _print_periods(answers[: len(PERIODS)])
    for (dimension, title), answer in zip(LISTS.items(), answers[len(PERIODS) :], strict=True):
        if answer.results or dimension != GOAL:
            _print_list(dimension, title, answer)


def _print_list(dimension: str, title: str, answer: SentAnswer) -> None:
    metrics = _metrics_of_list(dimension)
    rows = [
        (value_text(dimension, row.dimensions[0]), *map(figure_text, metrics, row.metrics)) for row in answer.results
    ]
    print()
    titles = (f"{title}, {PERIODS[LONGEST]}", *map(title_of, metrics))
    print_aligned(titles, rows, range(1, len(titles)))


def _metrics_of_list(dimension: str) -> list[str]:
    return ["visitors", "conversion_rate"] if dimension == GOAL else ["visitors"]


def _of_period(period: str) -> Mapping[str, Any]:
    return {"metrics": METRICS, "date_range": period, "include": {"compare": "previous_period"}}


def _of_list(dimension: str, limit: int) -> Mapping[str, Any]:
    return {
        "metrics": _metrics_of_list(dimension),
        "dimensions": [dimension],
        "date_range": LONGEST,
        "pagination": {"limit": limit, "offset": 0},
    }


def _print_periods(answers: Sequence[SentAnswer]) -> None:
    titles = ["", *(title for name in PERIODS.values() for title in (name, "Change"))]
    rows = []
    for place, metric in enumerate(METRICS):
        cells = [title_of(metric)]
        for answer in answers:
            (row,) = answer.results
            before, change = before_of(row, place)
            cells += [figure_text(metric, row.metrics[place]), change_text(metric, change, before)]
        rows.append(cells)
    print(CAPTION)
    print()
    print_aligned(titles, rows, range(1, len(titles)))
