"""Query parameters of statistics."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias, TypedDict, cast

Time: TypeAlias = dt.date | dt.datetime | str
Metric = Literal["visitors", "pageviews", "bounce_rate", "visit_duration"]
Group = Literal["hour", "day", "week", "month"]
StatsPage = Literal["browsers", "systems", "locations", "languages", "sizes", "campaigns", "toprefs"]


class Question(TypedDict, total=False):
    """A period, filters and metrics of a statistic. Filters that are left out restrict nothing.

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
    """Encode a question as query parameters."""
    return {name: _text(value) for name, value in cast("Mapping[str, object]", question).items()}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, str | dt.date):
        return str(value)
    return ",".join(map(str, value)) if isinstance(value, Iterable) else str(value)
