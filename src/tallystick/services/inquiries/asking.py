"""Carries out the body of a query, and writes its answer (contract 2.5)."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

from tallystick.model.named_period import Today
from tallystick.model.period import Period
from tallystick.model.question import TimeUnit
from tallystick.model.site import Site
from tallystick.services.analytics.imported import ImportedDays
from tallystick.services.analytics.questions import NO_TIME, Questions, labels
from tallystick.services.inquiries.bodies import DecodedQuery, decode_query
from tallystick.services.inquiries.configured import Configured
from tallystick.services.inquiries.figures import changes
from tallystick.services.inquiries.importing import days_with_imports, joining, since_imports
from tallystick.services.inquiries.inquiry import AnswerLine, Found, Inquiry, find, is_moving, question_of
from tallystick.services.zones import zone_of_days

WITHOUT_SESSION = {
    "code": "hits_without_session",
    "warning": "Some hits have no session. Each first one on a path counts as a visitor, so the number is not exact.",
}


async def answered(  # noqa: PLR0913  # what is asked, by whom and when
    questions: Questions,
    sites: Sequence[Site],
    known: Configured,
    body: Mapping[str, Any],
    now: int,
    *,
    extended: bool,
    locked: int = 0,
    days: Sequence[ImportedDays] | None = None,
) -> dict[str, Any]:
    """The answer to a query.

    Args:
        sites: those of its ``site_id``; the zone is that of the first.
        known: their goals and segments.
        now: Unix milliseconds.
        extended: whether names and keys of ``/api/query`` are known.
        locked: see ``decode_query``.
        days: the sites' imported days that count, where they are known; else they are read if the query wants them.

    Raises:
        InputRefused: the query cannot be answered; the message is for the client.
        QuestionTooLong: it takes longer than it may.
        StoreUnavailable
    """
    if days is None:
        days = await days_with_imports(questions, sites, wanted=_wants_imports(body))
    query = await asyncio.to_thread(_decoded, sites, known, body, now, days, extended=extended, locked=locked)
    joined = joining(questions, days, query.inquiry, wanted=bool(query.include.get("imports")))
    found = await find(joined.answers, query.inquiry)
    site = body.get("site_id") or sites[0].address_name
    # Rows and labels may be many: not on the event loop.
    return await asyncio.to_thread(_written, query, site, found, joined.meta, now // 1000)


def _wants_imports(body: Mapping[str, Any]) -> bool:
    include = body.get("include")
    return isinstance(include, dict) and include.get("imports") is True


def _written(  # the parts of an answer
    query: DecodedQuery, site: object, found: Found, imports: Mapping[str, Any], now: int
) -> dict[str, Any]:
    """The answer as it is sent."""
    return {
        "results": _rows(query, found.lines),
        "meta": {**imports, **_meta(query, found.total_rows, now, sessionless=found.sessionless)},
        "query": _echo(query, site),
    }


def _decoded(  # noqa: PLR0913  # what is asked, by whom and when
    sites: Sequence[Site],
    known: Configured,
    body: Mapping[str, Any],
    now: int,
    days: Sequence[ImportedDays],
    *,
    extended: bool,
    locked: int,
) -> DecodedQuery:
    """The query of a body. Reads zones and names of countries from disk at first."""
    today = since_imports(today_of(sites, now), days)
    return decode_query(body, tuple(site.id for site in sites), known, today, extended=extended, locked=locked)


def today_of(sites: Sequence[Site], now: int) -> Today:
    """What periods by name refer to: the first site's zone, and the first hit of all. Reads from disk at first.

    Args:
        now: Unix milliseconds.
    """
    begun = [site.counting_since // 1000 for site in sites if site.counting_since is not None]
    return Today(now // 1000, zone_of_days(sites[0].user_defaults.timezone), min(begun, default=None))


def _rows(query: DecodedQuery, lines: Sequence[AnswerLine]) -> list[dict[str, Any]]:
    inquiry = query.inquiry
    if inquiry.compare is None:
        return [{"metrics": line.figures, "dimensions": line.values} for line in lines]
    moving = any(map(is_moving, inquiry.dimensions))
    rows: list[dict[str, Any]] = []
    for line in lines:
        assert line.compared_values is not None
        dimensions = _or_none(inquiry, line.values)
        comparison: dict[str, Any] = {"metrics": line.compared, "change": None}
        if line.compared is not None and None not in dimensions:
            comparison["change"] = changes(inquiry.metrics, line.figures, line.compared)
        if moving:
            comparison["dimensions"] = _or_none(inquiry, line.compared_values)
        rows.append({"metrics": line.figures, "dimensions": dimensions, "comparison": comparison})
    return rows


def _or_none(inquiry: Inquiry, values: Sequence[str | int]) -> list[str | int | None]:
    """Values as they are sent: None for times that a period does not have."""
    return [
        None if value == NO_TIME and isinstance(each.grouping, TimeUnit) else value
        for each, value in zip(inquiry.dimensions, values, strict=True)
    ]


def _meta(query: DecodedQuery, total_rows: int | None, now: int, *, sessionless: bool) -> dict[str, Any]:
    inquiry, meta = query.inquiry, dict[str, Any]()
    inexact = [each.name for each in inquiry.metrics if each.name in {"visitors", "visits"}]
    if sessionless and inexact:
        meta["metric_warnings"] = dict.fromkeys(inexact, WITHOUT_SESSION)
    if query.include.get("time_labels"):
        meta["time_labels"] = labels(question_of(inquiry), now if query.trimmed else None)
    if total_rows is not None:
        meta["total_rows"] = total_rows
    return meta


def _echo(query: DecodedQuery, site: object) -> dict[str, Any]:
    """The query as it was carried out."""
    inquiry = query.inquiry
    order = [[by.name, "desc" if descending else "asc"] for by, descending in inquiry.order]
    times = [[each.name, "asc"] for each in inquiry.dimensions if isinstance(each.grouping, TimeUnit)]
    compare = inquiry.compare
    return {
        "site_id": site,
        "metrics": [each.name for each in inquiry.metrics],
        "date_range": moments(inquiry.period, query.zone),
        **({} if compare is None else {"comparison_date_range": moments(compare.period, query.zone)}),
        "filters": query.filters,
        "dimensions": [each.name for each in inquiry.dimensions],
        "order_by": order or [*times, [inquiry.metrics[0].name, "desc"]],
        "include": query.include,
        "pagination": {"offset": inquiry.offset, "limit": inquiry.limit},
    }


def moments(period: Period, zone: tzinfo) -> list[str]:
    """The first and the last second of a period, with the zone's offset."""
    return [_moment(moment, zone) for moment in (period.first, period.after - 1)]


def _moment(seconds: int, zone: tzinfo) -> str:
    local = datetime.fromtimestamp(seconds, UTC).astimezone(zone)
    offset = (local.utcoffset() or timedelta()).total_seconds()
    if offset % 60:  # as of local mean times; RFC 3339 has no seconds of offsets, and clients refuse them
        local = local.astimezone(timezone(timedelta(minutes=round(offset / 60))))
    return local.isoformat()
