"""Queries of ``POST /api/query`` beside the questions that they mean, and the oracle's figures as they are sent."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from questions import oracle
from tallystick.model import dimensions as known
from tallystick.model.dimensions import Dimension
from tallystick.model.metrics import Metric
from tallystick.model.question import Question, TimeUnit

COLUMNS = (
    "id, site, path, session, first, event, bot, created, host, ref, ref_scheme, campaign, browser, browser_version,"
    " system, system_version, country, region, language, width, utm_source, utm_medium, utm_content, utm_term, source,"
    " channel, page, props, interactive, device"
)
SELECTED = COLUMNS.replace(" width,", " CAST(width AS UINTEGER),")
"""``COLUMNS`` of stored hits, whose widths are texts."""
PROPS: Mapping[str, list[str]] = {"plan": ["", "pro", "Free", 'a"b\\'], "a b": ["", "1", "ü"]}


class Known(NamedTuple):
    """A dimension on the wire.

    Attributes:
        blank: what is sent in place of no value.
        renamed: other texts that are sent in place of values.
    """

    dimension: Dimension
    blank: str = "(not set)"
    renamed: Mapping[str, str] = {}


DIMENSIONS: Mapping[str, Known] = {
    "event:page": Known(known.PAGE, ""),
    "event:name": Known(known.EVENT_NAME, "pageview"),
    "event:hostname": Known(known.HOST, "(none)"),
    **{f"event:props:{name}": Known(known.prop(name), "(none)") for name in PROPS},
    "event:next_page": Known(known.NEXT_PAGE, ""),
    "event:previous_page": Known(known.PREVIOUS_PAGE, ""),
    "visit:entry_page": Known(known.ENTRY_PAGE, ""),
    "visit:exit_page": Known(known.EXIT_PAGE, ""),
    "visit:entry_page_hostname": Known(known.ENTRY_HOST, ""),
    "visit:exit_page_hostname": Known(known.EXIT_HOST, ""),
    "visit:source": Known(known.SOURCE, "Direct / None"),
    "visit:channel": Known(known.CHANNEL),
    "visit:utm_source": Known(known.UTM_SOURCE),
    "visit:utm_medium": Known(known.UTM_MEDIUM),
    "visit:utm_campaign": Known(known.CAMPAIGN),
    "visit:utm_content": Known(known.UTM_CONTENT),
    "visit:utm_term": Known(known.UTM_TERM),
    "visit:country": Known(known.COUNTRY, ""),
    "visit:country_name": Known(known.COUNTRY, "", {"DE": "Germany", "US": "United States"}),
    "visit:region": Known(known.REGION, ""),
    "visit:language": Known(known.LANGUAGE, ""),
    "visit:device": Known(known.DEVICE),
    "visit:browser": Known(known.BROWSER),
    "visit:browser_version": Known(known.VERSION_OF_BROWSER),
    "visit:os": Known(known.SYSTEM, "(not set)", {"macOS": "Mac", "Linux": "GNU/Linux"}),
    "visit:os_version": Known(known.VERSION_OF_SYSTEM),
}
UNITS = {unit: f"time:{unit.value}" for unit in TimeUnit}


ROUNDED: Mapping[Metric, Callable[[float], float]] = {
    Metric.VIEWS_PER_VISIT: lambda figure: round(figure, 2),
    Metric.PERCENTAGE: lambda figure: round(figure, 1),
}


class Asked(NamedTuple):
    """A query as it is sent, and as the oracle takes it."""

    body: dict[str, Any]
    question: Question
    names: list[str]
    zone: ZoneInfo


def sent(asked: Asked, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Values of the oracle as they are sent."""
    found = []
    for name, grouping, value in zip(asked.names, asked.question.dimensions, values, strict=True):
        if isinstance(grouping, TimeUnit):
            found.append(time_sent(grouping, value, asked.question))
        else:
            each = DIMENSIONS[name]
            found.append(each.renamed.get(value, value) or each.blank)
    return tuple(found)


def time_sent(unit: TimeUnit, value: int, question: Question) -> str | int:
    if unit in {TimeUnit.WEEKDAY, TimeUnit.HOUR_OF_DAY}:
        return value
    if unit in {TimeUnit.MINUTE, TimeUnit.QUARTER_HOUR, TimeUnit.HOUR}:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S")
    if unit in {TimeUnit.WEEK, TimeUnit.SUNDAY_WEEK}:
        value = max(value, (question.period.first + question.period.offsets[0].offset) // 86_400)
    return datetime.fromtimestamp(value * 86_400, UTC).strftime("%Y-%m-%d")


def expected(asked: Asked, rows: Iterable[oracle.Row]) -> dict[tuple[Any, ...], tuple[float, ...]]:
    """The oracle's figures by the values of each group, as they are sent."""
    return {
        sent(asked, values): tuple(
            0 if figure is None else ROUNDED.get(metric, round)(figure)
            for metric, figure in zip(asked.question.metrics, figures, strict=True)
        )
        for values, figures in oracle.answer(rows, asked.question, asked.zone).items()
    }


def figures_in(answer: Mapping[str, Any]) -> dict[tuple[Any, ...], tuple[float, ...]]:
    """The figures of an answer, likewise."""
    return {tuple(row["dimensions"]): tuple(row["metrics"]) for row in answer["results"]}


def with_names(
    rows: Iterable[Sequence[Any]], paths: Mapping[int, str], campaigns: Mapping[int, str]
) -> list[dict[str, Any]]:
    """Rows of ``COLUMNS`` as the oracle takes them, with names in place of ids."""
    named = [dict(zip(re.split(r",\s*", COLUMNS), row, strict=True)) for row in rows]
    for row in named:
        row["path"], row["page"] = paths[row["path"]], paths.get(row["page"])
        row["campaign"] = campaigns.get(row["campaign"])
    return named
