"""Questions about visits and hits, which ``POST /api/query`` of Tallystick answers; other servers do not have it."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict, Unpack

import httpx

from tallystick.client.arguments import refused_if_empty
from tallystick.client.calls import Call, Page, Repeat, answered, each, json_as
from tallystick.client.errors import InvalidArgument
from tallystick.client.query_answers import QueryAnswer, QueryRow, SentAnswer
from tallystick.client.query_filters import Filter, Grouping, Metric, wire_name

PATH = "/api/query"
ROWS = 1_000
"""Rows of one page, where pages are fetched one after the other."""

Moment: TypeAlias = dt.date | dt.datetime
Period: TypeAlias = str | tuple[Moment, Moment]
"""A name such as ``7d``, ``month`` or ``all``, or the first and the last day or moment, both included."""

_sent_in = json_as(SentAnswer)


class Asked(TypedDict, total=False):
    """What is asked besides metrics; all of it may be left out, or be None.

    ``site`` is a domain, a host or a code, or several of them, whose hits are taken together; without it the host in
    the client's URL chooses the site. ``filters`` must all pass. ``period`` is by default the last seven days, without
    today. ``compare`` names another period, and ``same_weekdays`` moves that one by whole weeks; ``compare_gone=False``
    leaves out rows that only that one has. ``order`` sorts by metrics and dimensions that are asked for. ``timezone``
    is that of the site unless given. ``bots`` asks about hits of bots in place of people's. ``imports`` adds imported
    figures where they can answer.
    """

    site: str | Sequence[str]
    dimensions: Sequence[Grouping]
    filters: Sequence[Filter]
    period: Period
    compare: Literal["previous_period", "year_over_year"] | tuple[Moment, Moment]
    same_weekdays: bool
    compare_gone: bool
    order: Sequence[tuple[Metric | Grouping, Literal["asc", "desc"]]]
    timezone: str
    bots: bool
    imports: bool


class QueryCalls:
    """Questions."""

    @answered
    def ask(
        self,
        metrics: Sequence[Metric],
        *,
        limit: int = 10_000,
        offset: int = 0,
        total_rows: bool = False,
        **asked: Unpack[Asked],
    ) -> Call[QueryAnswer]:
        """Get one page of an answer; without dimensions it has one row.

        Args:
            total_rows: whether to count the rows of all pages.
        """
        return page_of(body_of(metrics, asked), asked.get("dimensions", ()), limit, offset, total_rows=total_rows)

    @each
    def ask_rows(self, metrics: Sequence[Metric], **asked: Unpack[Asked]) -> Call[Page[QueryRow]]:
        """Yield every row of an answer, page by page; for some of its rows see ``ask``."""
        return rows_from(body_of(metrics, asked), asked.get("dimensions", ()), offset=0)


def body_of(metrics: Sequence[str], asked: Asked) -> dict[str, Any]:
    """Encode a question as the body of a query, without its page.

    Raises:
        InvalidArgument: a value is empty, a moment has no zone, or ``same_weekdays`` or ``compare_gone`` is given
            without ``compare``.
    """
    refused_if_empty("site", asked.get("site"))
    refused_if_empty("period", asked.get("period"))
    refused_if_empty("compare", asked.get("compare"))
    refused_if_empty("timezone", asked.get("timezone"))
    include: dict[str, Any] = {}
    if (compare := asked.get("compare")) is not None:
        include["compare"] = period_sent(compare)
    for name, key in (("same_weekdays", "compare_match_day_of_week"), ("compare_gone", "compare_gone")):
        if (value := asked.get(name)) is None or (name == "same_weekdays" and not value):
            continue
        if compare is None:
            msg = f"{name} applies to compare, which is left out"
            raise InvalidArgument(msg)
        include[key] = value
    if asked.get("imports"):
        include["imports"] = True
    body: dict[str, Any] = {
        "metrics": list(metrics),
        "date_range": period_sent(asked.get("period", "7d")),
        "dimensions": [wire_name(name) for name in asked.get("dimensions", ())],
        "filters": [each_.parts for each_ in asked.get("filters", ())],
        "order_by": [[name if name in metrics else wire_name(name), way] for name, way in asked.get("order", ())],
        "include": include,
    }
    if "site" in asked:
        body["site_id"] = asked["site"]
    return body | {name: asked[name] for name in ("timezone", "bots") if name in asked}


def period_sent(period: Period) -> str | list[str]:
    """Encode a period.

    Raises:
        InvalidArgument: a moment has no zone.
    """
    return period if isinstance(period, str) else _span(period)


def page_of(
    body: Mapping[str, Any], dimensions: Sequence[str], limit: int, offset: int, *, total_rows: bool = False
) -> Call[QueryAnswer]:
    """Get one page.

    Args:
        dimensions: the names that its rows are to have for the dimensions of ``body``.
    """
    include = {**body.get("include", {}), **({"total_rows": True} if total_rows else {})}
    sent = {**body, "include": include, "pagination": {"limit": limit, "offset": offset}}

    def read(response: httpx.Response) -> QueryAnswer:
        return _sent_in(response).named(list(body["metrics"]), list(dimensions))

    return Call(method="POST", path=PATH, body=sent, read=read, repeat=Repeat.SAFE)


def rows_from(body: Mapping[str, Any], dimensions: Sequence[str], *, offset: int) -> Call[Page[QueryRow]]:
    """Get the rows from ``offset`` on."""
    page = page_of(body, dimensions, ROWS, offset)

    def read(response: httpx.Response) -> Page[QueryRow]:
        rows = page.read(response).rows
        return Page(rows, rows_from(body, dimensions, offset=offset + ROWS) if len(rows) == ROWS else None)

    return Call(method="POST", path=PATH, body=page.body, read=read, repeat=Repeat.SAFE)


def _span(moments: tuple[Moment, Moment]) -> list[str]:
    if any(isinstance(moment, dt.datetime) and moment.utcoffset() is None for moment in moments):
        msg = "the moments of a period need a zone"
        raise InvalidArgument(msg)
    return [moment.isoformat() for moment in moments]
