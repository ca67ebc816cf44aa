"""``/stats``: reports on the hits of a site (1.8 to 1.12)."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any

from msgspec.structs import replace

from tallystick.model.dimensions import REFERRER, Dimension, ValueKind, pages
from tallystick.model.referrer import tidied
from tallystick.model.selection import Filter, ReportRequest
from tallystick.model.series import Group
from tallystick.services.analytics.reporting import Position, Reporting, Slice
from tallystick.services.services import Services
from tallystick.surfaces.goatcounter import wire
from tallystick.surfaces.goatcounter.api.calling import SiteCall
from tallystick.surfaces.goatcounter.api.questions import ALL_METRICS, SLICE, SOME_PATHS, ReportQuery, excluded_paths
from tallystick.surfaces.goatcounter.errors import InvalidValues
from tallystick.surfaces.goatcounter.wire import stats as stats_wire
from tallystick.surfaces.goatcounter.wire.decoding import number_in
from tallystick.web.answers import ApiResponse
from tallystick.web.refusals import ApiRefused

GROUPS: Mapping[str, Group] = {
    "0": "hour",
    "1": "day",
    "2": "week",
    "3": "month",
    "hour": "hour",
    "day": "day",
    "week": "week",
    "month": "month",
}


async def total(services: Services, call: SiteCall) -> ApiResponse:
    """The number of visits in all."""
    question = await ReportQuery(call, SOME_PATHS).question(ALL_METRICS)
    return await _answer(stats_wire.total, await _reporting(services).total(question))


async def hits(services: Services, call: SiteCall) -> ApiResponse:
    """The most visited paths."""
    query = ReportQuery(call, (*SOME_PATHS, "exclude_paths", "limit", "group", "daily", "cursor"))
    top = await _reporting(services).top_paths(
        await query.question(),
        query.limit(),
        after=_position(query),
        without=excluded_paths(query),
        group=_group(query),
    )
    return await _answer(stats_wire.top_paths, top)


async def path_referrers(services: Services, call: SiteCall) -> ApiResponse:
    """The referrers of a path."""
    path = number_in(call.place, "path_id")
    query = ReportQuery(call, SLICE)
    rows = await _reporting(services).referrers_of_path(await query.question(), path, query.slice())
    return await _answer(stats_wire.referrers_of_path, rows)


async def page(services: Services, call: SiteCall) -> ApiResponse:
    """Visits by the values of a dimension."""
    require_page(call.place)
    dimension = pages()[call.place["page"]]
    query = ReportQuery(call, (*SOME_PATHS, *SLICE))
    question, slice_ = await query.question(), query.slice()
    if dimension is REFERRER:
        rows = await _reporting(services).referrers(question, slice_, _own_referrers(call))
    else:
        every_range = Slice(len(dimension.ranges)) if dimension.ranges else None
        rows = await _reporting(services).by_value(_of_whole_days(question), dimension, every_range or slice_)
    return await _answer(stats_wire.page, dimension, rows)


async def page_details(services: Services, call: SiteCall) -> ApiResponse:
    """Visits of one row of a page, by the values of another dimension."""
    require_details(call.place)
    dimension, details = _with_details()[call.place["page"]]
    query = ReportQuery(call, (*SOME_PATHS, *SLICE))
    question, slice_ = await query.question(), query.slice()
    question = _narrowed(question, dimension, call.place)
    if dimension is not REFERRER:
        question = _of_whole_days(question)
    if details is REFERRER:
        rows = await _reporting(services).referrers(question, slice_)
    else:
        rows = await _reporting(services).by_value(question, details, slice_)
    return await _answer(stats_wire.details, details, rows)


def require_page(place: Mapping[str, str]) -> None:
    """Refuse a page that does not exist; called before the token is checked.

    Raises:
        InvalidValues: lists the pages.
    """
    _require_one_of(pages(), "page", place)


def require_details(place: Mapping[str, str]) -> None:
    """Refuse a page without details; called before the token is checked.

    Raises:
        InvalidValues: lists the pages with details.
    """
    _require_one_of(_with_details(), "page", place)


def _with_details() -> dict[str, tuple[Dimension, Dimension]]:
    """The pages whose rows have details: the page's dimension and that of the details."""
    return {
        page: (dimension, dimension.details) for page, dimension in pages().items() if dimension.details is not None
    }


def _require_one_of(names: Collection[str], name: str, place: Mapping[str, str]) -> None:
    if place[name] not in names:
        raise InvalidValues({name: [f"must be one of ‘{', '.join(names)}’"]})  # noqa: RUF001  # the contract's quotes


def _narrowed(question: ReportRequest, dimension: Dimension, place: Mapping[str, str]) -> ReportRequest:
    """The question for one row of a page; the row replaces a filter by the same dimension."""
    others = [filter_ for filter_ in question.filters if filter_.dimension is not dimension]
    return replace(question, filters=(*others, Filter(dimension, (_row_id(dimension, place),))))


def _row_id(dimension: Dimension, place: Mapping[str, str]) -> str | int:
    if dimension.kind is ValueKind.ID:
        return number_in(place, "id")
    if dimension.ranges:
        _require_one_of([range_.name for range_ in dimension.ranges], "id", place)
    return place["id"]


def _of_whole_days(question: ReportRequest) -> ReportRequest:
    """Every page but the referrers counts by day (1.11)."""
    return replace(question, period=question.period.whole_days)


def _own_referrers(call: SiteCall) -> str:
    """The site's own address in the form in which referrers are stored."""
    return tidied(call.site.link_domain)


def _group(query: ReportQuery) -> Group:
    name = query.text("group") or ("day" if query.flag("daily") else "hour")
    if name not in GROUPS:
        msg = "invalid query parameters: field=group: must be one of hour, day, week, month"
        raise ApiRefused(msg)
    return GROUPS[name]


def _position(query: ReportQuery) -> Position | None:
    text = query.text("cursor")
    position = stats_wire.position(text) if text else None
    if text and position is None:
        msg = "invalid query parameters: field=cursor: is no cursor of this endpoint"
        raise ApiRefused(msg)
    return position


def _reporting(services: Services) -> Reporting:
    return Reporting(services.ledger, services.warehouse)


async def _answer(shape: Callable[..., dict[str, Any]], *report: object) -> ApiResponse:
    """Encode a report on a thread: it may be megabytes long, and names are read from disk."""
    return ApiResponse(200, await asyncio.to_thread(_encoded, shape, report))


def _encoded(shape: Callable[..., dict[str, Any]], report: tuple[object, ...]) -> bytes:
    return wire.json(shape(*report))
