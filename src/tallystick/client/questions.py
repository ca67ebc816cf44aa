"""Query parameters of statistics."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, TypedDict, cast

from tallystick.client.arguments import refused_if_empty
from tallystick.client.errors import InvalidArgument

Time: TypeAlias = dt.date | dt.datetime | str
Metric = Literal["visitors", "pageviews", "bounce_rate", "visit_duration"]
Group = Literal["hour", "day", "week", "month"]
StatsPage = Literal["browsers", "systems", "locations", "languages", "sizes", "campaigns", "toprefs"]


class Question(TypedDict, total=False):
    """A period, filters and metrics of a statistic. Filters that are left out, or are None, restrict nothing.

    ``start`` and ``end`` are dates or times; a date as ``end`` means its first hour. The default is the last week.
    ``include_paths`` are ids, or names with ``path_by_name``. The filters, ``timezone`` and ``metrics`` are extensions
    of Tallystick.
    """

    start: Time
    end: Time
    timezone: str
    include_paths: Sequence[int | str]
    path_by_name: bool
    path: str
    ref: str
    country: str
    browser: str
    system: str
    language: str
    size: Literal["phone", "tablet", "desktop", "desktophd", "unknown"]
    campaign: str
    event: bool
    metrics: Sequence[Metric]


def parameters(question: Question) -> dict[str, str]:
    """Encode a question as query parameters.

    Raises:
        InvalidArgument: a value is empty, which would restrict nothing; a path in ``include_paths`` has a comma or a
            blank, which separate paths; or a time is out of range.
    """
    asked = cast("Mapping[str, object]", question)
    for name, value in asked.items():
        refused_if_empty(name, value if isinstance(value, Sequence) else None)
    return {name: _text(name, value) for name, value in asked.items()}


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dt.datetime):
        return _moment(name, value)
    return _joined(name, value) if isinstance(value, list) else str(value)


def _moment(name: str, moment: dt.datetime) -> str:
    try:
        return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    except (OverflowError, ValueError):
        msg = f"{name} is out of range"
        raise InvalidArgument(msg) from None


def _joined(name: str, values: Sequence[object]) -> str:
    texts = [str(value) for value in values]
    if any("," in text or len(text.split()) != 1 for text in texts):
        msg = f"{name} has a text with a comma or a blank, which cannot be sent"
        raise InvalidArgument(msg)
    return ",".join(texts)
