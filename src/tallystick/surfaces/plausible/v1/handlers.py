"""Handlers of the older statistics (contract 5.2 to 5.6)."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from tallystick.model.dimensions import Dimension
from tallystick.model.named_period import OutsideOfCalendar, Today, dates, period_named
from tallystick.model.period import Period, date_of, day_of
from tallystick.model.question import AllOf, Comparison, Match, TimeUnit
from tallystick.model.site import Collect
from tallystick.services.analytics.imported import Answers
from tallystick.services.analytics.questions import labels
from tallystick.services.inquiries.asking import today_of
from tallystick.services.inquiries.bodies import check_meaning
from tallystick.services.inquiries.configured import Configured
from tallystick.services.inquiries.figures import change
from tallystick.services.inquiries.filters import as_json as quoted
from tallystick.services.inquiries.importing import Joining, days_with_imports, joining
from tallystick.services.inquiries.inquiry import Found, Inquiry, find, question_of
from tallystick.services.inquiries.names import GOAL, PROPERTY, TIME_NAMES, WireDimension, vocabulary
from tallystick.services.services import Services
from tallystick.surfaces.plausible.judging import StatsCall, as_json, known_to
from tallystick.surfaces.plausible.v1.parameters import check_metrics, filters_of, metrics_of, period_of, whole_number
from tallystick.web.answers import ApiResponse
from tallystick.web.refusals import ApiRefused

MOST_ROWS, USUAL_ROWS, MOST_PAGES = 1_000, 100, 1_000_000_000
INTERVALS: Mapping[str, TimeUnit] = {"day": TimeUnit.DAY, "date": TimeUnit.DAY, "month": TimeUnit.MONTH}
USUAL_INTERVALS: Mapping[str, TimeUnit] = {"day": TimeUnit.HOUR, "6mo": TimeUnit.MONTH, "12mo": TimeUnit.MONTH}
_WITH: Mapping[str, str] = {"visit:browser_version": "visit:browser", "visit:os_version": "visit:os"}
"""Breakdowns that show another dimension beside their own."""
_WITHOUT_BLANK = ("visit:utm_", "visit:country", "visit:region", "visit:city", "visit:entry_page", "visit:exit_page")
"""Breakdowns that leave out what has no value."""


async def aggregate(services: Services, call: StatsCall) -> ApiResponse:
    """Figures of a whole period."""
    today, inquiry, _ = await asyncio.to_thread(_inquiry, call, await known_to(services, call))
    compare = call.query.get("compare")
    if compare not in {None, "", "previous_period"}:
        msg = f"compare: {quoted(compare)} is not previous_period"
        raise ApiRefused(msg)
    before = _before(inquiry.period, today) if compare else None
    joined = await _joining(services, call, replace(inquiry, compare=None if before is None else Comparison(before)))
    now = (await find(joined.answers, inquiry)).lines[0].figures
    results: dict[str, dict[str, Any]] = {
        metric.name: {"value": figure} for metric, figure in zip(inquiry.metrics, now, strict=True)
    }
    if before is not None:
        earlier = await find(joined.answers, replace(inquiry, period=before))
        for metric, figure, other in zip(inquiry.metrics, now, earlier.lines[0].figures, strict=True):
            results[metric.name] |= {"comparison_value": other, "change": change(metric, figure, other)}
    return _answer(results, joined)


async def timeseries(services: Services, call: StatsCall) -> ApiResponse:
    """Figures by time, also of times without hits."""
    _, inquiry, name = await asyncio.to_thread(_inquiry, call, await known_to(services, call))
    interval = call.query.get("interval")
    if interval and interval not in INTERVALS:
        msg = f"interval: {quoted(interval)} is not one of day, month"
        raise ApiRefused(msg)
    unit = INTERVALS[interval] if interval else USUAL_INTERVALS.get(name, TimeUnit.DAY)
    inquiry = replace(_of_groups(inquiry), dimensions=(WireDimension(TIME_NAMES[unit], unit),))
    joined = await _joining(services, call, inquiry)
    found = await _all_lines(joined.answers, inquiry)
    empty: dict[str, Any] = {each.name: None if each.name == "visit_duration" else 0 for each in inquiry.metrics}
    rows = {str(line.values[0]): dict(zip(empty, line.figures, strict=True)) for line in found.lines}
    shown = labels(question_of(inquiry))
    return _answer([{"date": label, **rows.get(label, empty)} for label in shown], joined)


async def breakdown(services: Services, call: StatsCall) -> ApiResponse:
    """Figures by one dimension."""
    name = call.query.get("property", "")
    names = await asyncio.to_thread(vocabulary, extended=False)
    property_ = names.dimension(name)
    if property_ is None or name == "event:hostname" or not isinstance(property_.grouping, Dimension):
        msg = (
            f"property: {quoted(name)} is not a property that statistics can be divided by"
            if name
            else ("property is missing")
        )
        raise ApiRefused(msg)
    limit = whole_number(call.query, "limit", USUAL_ROWS, 1, MOST_ROWS)
    page = whole_number(call.query, "page", 1, 1, MOST_PAGES)
    shown = [property_, *([names.dimensions[_WITH[name]]] if name in _WITH else [])]
    _, inquiry, _ = await asyncio.to_thread(_inquiry, call, await known_to(services, call), breakdown=name)
    if name.startswith(_WITHOUT_BLANK):
        has_value = Match(dimension=shown[0].grouping, values=("",), negated=True)  # type: ignore[arg-type]
        condition = AllOf((*inquiry.filters.condition.parts, has_value))
        inquiry = replace(inquiry, filters=replace(inquiry.filters, condition=condition))
    # By goal and by property, rates are of all visitors, as Plausible's are.
    inquiry = inquiry if name == GOAL or name.startswith(PROPERTY) else _of_groups(inquiry)
    inquiry = replace(inquiry, dimensions=tuple(shown), limit=limit, offset=(page - 1) * limit)
    check_meaning(inquiry, extended=False)
    joined = await _joining(services, call, inquiry)
    found = await find(joined.answers, inquiry)
    keys = [*map(_key, shown), *(each.name for each in inquiry.metrics)]
    return _answer([dict(zip(keys, (*each.values, *each.figures), strict=True)) for each in found.lines], joined)


def _key(dimension: WireDimension) -> str:
    """The name of a dimension in rows: that of the property, or what stands behind the colon."""
    name = dimension.name
    return name.removeprefix(PROPERTY) if name.startswith(PROPERTY) else name.partition(":")[2]


async def realtime_visitors(services: Services, call: StatsCall) -> ApiResponse:
    """Visitors of the last five minutes, as a bare number."""
    inquiry = await asyncio.to_thread(_inquiry_now, call, await known_to(services, call))
    if not call.site.settings.collect & Collect.HITS:
        return as_json(0)  # its hits have the time at which their hour began
    found = await find(services.questions, inquiry)
    return as_json(found.lines[0].figures[0])


def _inquiry_now(call: StatsCall, known: Configured) -> Inquiry:
    period = period_named("realtime", today_of(call.sites, call.now))
    visitors = vocabulary(extended=False).metrics["visitors"]
    return Inquiry(sites=(call.site.id,), period=period, metrics=(visitors,), filters=filters_of(call, known))


def _inquiry(call: StatsCall, known: Configured, breakdown: str = "") -> tuple[Today, Inquiry, str]:
    """What all of them have in common, and the name of the period. Reads from disk at first."""
    today = today_of(call.sites, call.now)
    name, period = period_of(call, today)
    metrics = metrics_of(call)
    filters = filters_of(call, known)
    check_metrics(metrics, call.query.get("filters", ""), breakdown)
    inquiry = Inquiry(sites=(call.site.id,), period=period, metrics=metrics, filters=filters)
    if not breakdown:
        check_meaning(inquiry, extended=False)
    return today, inquiry, name


def _of_groups(inquiry: Inquiry) -> Inquiry:
    """With conversion rates of each row's own visitors, as series and breakdowns have them."""
    return replace(inquiry, metrics=tuple(replace(each, group=each.conversion) for each in inquiry.metrics))


def _before(period: Period, today: Today) -> Period:
    """As many days, just before."""
    first, last = (date_of(day_of(moment, today.zone)) for moment in (period.start, period.end))
    back = timedelta(days=(last - first).days + 1)
    try:
        return dates(first - back, last - back, today.zone)
    except (OverflowError, OutsideOfCalendar) as error:
        msg = f"compare: {OutsideOfCalendar()}"
        raise ApiRefused(msg) from error


async def _joining(services: Services, call: StatsCall, inquiry: Inquiry) -> Joining:
    """Who answers: with imports where they are wanted and can answer."""
    wanted = call.query.get("with_imported") == "true"
    days = await days_with_imports(services.questions, call.sites, wanted=wanted)
    return joining(services.questions, days, inquiry, wanted=wanted)


def _answer(results: object, joined: Joining) -> ApiResponse:
    return as_json({"results": results} | ({"warning": joined.warning} if joined.warning else {}))


async def _all_lines(answers: Answers, inquiry: Inquiry) -> Found:
    """All rows of a series, also where they are more than one page of an answer has."""
    found = await find(answers, inquiry)
    lines = found.lines
    while len(found.lines) == inquiry.limit:
        inquiry = replace(inquiry, offset=inquiry.offset + inquiry.limit)
        found = await find(answers, inquiry)
        lines = [*lines, *found.lines]
    return Found(lines, None, found.sessionless)
