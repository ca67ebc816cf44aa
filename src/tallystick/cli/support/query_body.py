"""Makes the body of ``POST /api/query`` of the options of a command."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from tallystick.errors import InputRefused
from tallystick.ledger.ledger import milliseconds
from tallystick.model.dimension_names import grouped_by, suggestion
from tallystick.model.filter_text import parse_filter
from tallystick.model.metrics import Metric
from tallystick.model.named_period import Today, period_between, period_named

COMPARISONS = {"previous": "previous_period", "year": "year_over_year"}
METRICS = (*(metric.value for metric in Metric), "conversion_rate", "group_conversion_rate")


def metrics_in(text: str) -> list[str]:
    """The metrics of an option, separated by commas.

    Raises:
        InputRefused: there is none of a name.
    """
    return [_metric(name, "--metrics") for name in _listed(text)]


def dimensions_in(text: str) -> list[str]:
    """The names on the wire of what an option groups by, separated by commas.

    Raises:
        InputRefused: there is none of a name.
    """
    return [_grouping(name, "--by") for name in _listed(text)]


def filters_in(texts: Sequence[str]) -> list[list[object]]:
    """Filters as people write them, divided where "and" joins them: a filter on goals has to stand alone.

    Raises:
        InputRefused: one is malformed; the message says where.
    """
    try:
        return [part for text in texts for part in _divided(parse_filter(text))]
    except ValueError as error:
        msg = f"--filter: {error}"
        raise InputRefused(msg) from error


def _divided(parsed: list[Any]) -> list[list[object]]:
    if parsed[0] != "and":
        return [parsed]
    return [each for part in parsed[1] for each in _divided(part)]


def period_in(text: str, option: str = "--period") -> str | list[str]:
    """A period by name, a day, or two days or moments with a comma between them.

    Raises:
        InputRefused: it is none of these.
    """
    now = Today(milliseconds() // 1000, UTC)
    first, _, last = text.partition(",")
    try:
        if first[:1].isdigit() and "-" in first:
            begin, end = first.strip(), last.strip() or first.strip()
            period_between(begin, end, now)
            return [begin, end]
        period_named(text, now)
    except ValueError as error:
        msg = (
            f"{option}: {error}. It accepts 7d, 6mo, day, 24h, month, year, all, 30m, realtime, a day (2026-01-31),"
            " or the first and the last one with a comma between them"
        )
        raise InputRefused(msg) from error
    return text


def comparison_in(text: str) -> str | list[str]:
    """The period to compare with.

    Raises:
        InputRefused: it is neither a name nor a pair of days.
    """
    if text in COMPARISONS:
        return COMPARISONS[text]
    if "-" not in text:
        msg = f"--compare accepts previous, year, or the first and the last day with a comma between them, not {text!r}"
        raise InputRefused(msg)
    return period_in(text, "--compare")


def order_in(text: str, metrics: Sequence[str]) -> list[list[str]]:
    """What rows are sorted by, separated by commas; descending with a dash in front.

    Raises:
        InputRefused: there is nothing of a name.
    """
    found = []
    for name in _listed(text):
        plain = name.removeprefix("-").strip()
        wire = plain.lower().replace(" ", "_").replace("-", "_")
        known = wire if wire in metrics else _grouping(plain, "--order")
        found.append([known, "desc" if name.startswith("-") else "asc"])
    return found


def included(compare: str | None, *, same_weekdays: bool) -> dict[str, Any]:
    """What an answer has beside its rows.

    Raises:
        InputRefused: the options do not fit together.
    """
    if compare is None:
        if same_weekdays:
            msg = "--same-weekdays needs --compare"
            raise InputRefused(msg)
        return {}
    return {"compare": comparison_in(compare), **({"compare_match_day_of_week": True} if same_weekdays else {})}


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _metric(name: str, option: str) -> str:
    wire = "_".join(name.lower().replace("_", " ").replace("-", " ").split())
    if wire in METRICS:
        return wire
    msg = f'{option}: there is no "{name}": {suggestion(wire, METRICS)}'
    raise InputRefused(msg)


def _grouping(name: str, option: str) -> str:
    try:
        return grouped_by(name)
    except ValueError as error:
        msg = f"{option}: {error}"
        raise InputRefused(msg) from error
