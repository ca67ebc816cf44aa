"""``/stats``: what the hits of a site say (1.8 to 1.12)."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from tallystick.model.referrer import tidied
from tallystick.model.selection import SIZES, Dimension, Filters, Question
from tallystick.model.series import Group
from tallystick.services.analytics.reporting import Reporting
from tallystick.surfaces.goatcounter import stats_wire, wire
from tallystick.surfaces.goatcounter.calling import Answer, Call, Services
from tallystick.surfaces.goatcounter.decoding import number_in
from tallystick.surfaces.goatcounter.errors import ApiRefused, InvalidValues
from tallystick.surfaces.goatcounter.questions import (
    ALL_METRICS,
    SLICE,
    SOME_PATHS,
    ReportQuery,
    country_code,
    excluded_paths,
)
from tallystick.warehouse.duckdb.reports import Position, Slice

REFERRERS = "toprefs"
PAGES: Mapping[str, Dimension] = {
    "browsers": Dimension.BROWSER,
    "systems": Dimension.SYSTEM,
    "locations": Dimension.COUNTRY,
    "languages": Dimension.LANGUAGE,
    "sizes": Dimension.SIZE,
    "campaigns": Dimension.CAMPAIGN,
    REFERRERS: Dimension.REFERRER,
}
DETAILS: Mapping[str, Dimension] = {
    "browsers": Dimension.BROWSER_VERSION,
    "systems": Dimension.SYSTEM_VERSION,
    "locations": Dimension.REGION,
    "sizes": Dimension.WIDTH,
    "campaigns": Dimension.REFERRER,
    REFERRERS: Dimension.PATH,
}
"""What a row of each page is made of."""

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


async def total(services: Services, call: Call) -> Answer:
    """All visits."""
    question = await ReportQuery(call, SOME_PATHS).question(ALL_METRICS)
    found = await _reporting(services).total(question)
    return await _answer(stats_wire.total, found)


async def hits(services: Services, call: Call) -> Answer:
    """The most visited paths."""
    asked = ReportQuery(call, (*SOME_PATHS, "exclude_paths", "limit", "group", "daily", "cursor"))
    found = await _reporting(services).top_paths(
        await asked.question(),
        asked.limit(),
        after=_position(asked),
        without=excluded_paths(asked),
        group=_group(asked),
    )
    return await _answer(stats_wire.top_paths, found)


async def path_referrers(services: Services, call: Call) -> Answer:
    """The referrers of a path."""
    path = number_in(call.place, "path_id")
    asked = ReportQuery(call, SLICE)
    found = await _reporting(services).referrers_of_path(await asked.question(), path, asked.slice())
    return await _answer(stats_wire.referrers_of_path, found)


async def page(services: Services, call: Call) -> Answer:
    """Visits by browser, system, location, language, size, campaign or referrer."""
    name = call.place["page"]
    require_page(call.place)
    asked = ReportQuery(call, (*SOME_PATHS, *SLICE))
    question, wanted = await asked.question(), asked.slice()
    if name == REFERRERS:
        found = await _reporting(services).referrers(question, wanted, _own_referrers(call))
        return await _answer(stats_wire.referrers, found)
    dimension = PAGES[name]
    if dimension is Dimension.SIZE:
        wanted = Slice(len(SIZES))
    found = await _reporting(services).by_value(_of_whole_days(question), dimension, wanted)
    return await _answer(stats_wire.page, dimension, found)


async def page_details(services: Services, call: Call) -> Answer:
    """What one row of a page is made of."""
    name = call.place["page"]
    require_details(call.place)
    asked = ReportQuery(call, (*SOME_PATHS, *SLICE))
    question, wanted = await asked.question(), asked.slice()
    question = replace(question, filters=_narrowed(question.filters, name, call.place))
    dimension = DETAILS[name]
    if name != REFERRERS:
        question = _of_whole_days(question)
    if dimension is Dimension.REFERRER:
        found = await _reporting(services).referrers(question, wanted)
    else:
        found = await _reporting(services).by_value(question, dimension, wanted)
    return await _answer(stats_wire.details, dimension, found)


def require_page(place: Mapping[str, str]) -> None:
    """Refuse a page that there is not; said before the token is looked at.

    Raises:
        Invalid: with the ones there are.
    """
    _require_one_of(PAGES, "page", place)


def require_details(place: Mapping[str, str]) -> None:
    """Refuse a page without details.

    Raises:
        Invalid: with the ones there are.
    """
    _require_one_of(DETAILS, "page", place)


def _require_one_of(known: Mapping[str, object], name: str, place: Mapping[str, str]) -> None:
    if place[name] not in known:
        raise InvalidValues({name: [f"must be one of ‘{', '.join(known)}’"]})  # noqa: RUF001  # the contract's quotes


def _narrowed(filters: Filters, page: str, place: Mapping[str, str]) -> Filters:
    """The filters with the row's value in the place of what was asked of it."""
    id_ = place["id"]
    if page == "sizes":
        _require_one_of(SIZES, "id", place)
        return replace(filters, size=id_)
    if page == "campaigns":
        return replace(filters, campaign=number_in(place, "id"))
    if page == "locations":
        return replace(filters, country=country_code(id_))
    field = {"browsers": "browser", "systems": "system", REFERRERS: "ref"}[page]
    return replace(filters, **{field: id_})


def _of_whole_days(question: Question) -> Question:
    """Every page but the referrers counts by day (1.11)."""
    return replace(question, period=question.period.whole_days)


def _own_referrers(call: Call) -> str:
    """The site's own address in the form in which referrers are kept."""
    return tidied(call.site.link_domain)


def _group(asked: ReportQuery) -> Group:
    name = asked.text("group") or ("day" if asked.flag("daily") else "hour")
    if name not in GROUPS:
        msg = "invalid query parameters: field=group: must be one of hour, day, week, month"
        raise ApiRefused(msg)
    return GROUPS[name]


def _position(asked: ReportQuery) -> Position | None:
    text = asked.text("cursor")
    position = stats_wire.position(text) if text else None
    if text and position is None:
        msg = "invalid query parameters: field=cursor: is no cursor of this endpoint"
        raise ApiRefused(msg)
    return position


def _reporting(services: Services) -> Reporting:
    return Reporting(services.ledger, services.warehouse)


async def _answer(shape: Callable[..., dict[str, Any]], *found: object) -> Answer:
    """The answer in a shape; made on a thread, as it may be megabytes long and names are read from disk."""
    return Answer(200, await asyncio.to_thread(_encoded, shape, found))


def _encoded(shape: Callable[..., dict[str, Any]], found: tuple[object, ...]) -> bytes:
    return wire.json(shape(*found))
