"""Parameters of the older statistics (contract 5.1)."""

from calendar import monthrange
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

from tallystick.model.metrics import BY_VISIT
from tallystick.model.named_period import OutsideOfCalendar, Today, dates, days_before, months_back, period_between
from tallystick.model.period import Period
from tallystick.services.inquiries.configured import Configured
from tallystick.services.inquiries.filters import DecodedFilters, as_json
from tallystick.services.inquiries.goal_names import GoalNames
from tallystick.services.inquiries.names import PROPERTY, WireMetric, vocabulary
from tallystick.surfaces.plausible.judging import StatsCall
from tallystick.surfaces.plausible.v1.filters import decode_filters
from tallystick.web.refusals import ApiRefused

PERIODS = ("day", "7d", "30d", "month", "6mo", "12mo", "custom")
USUAL_PERIOD = "30d"
METRICS = (
    "visitors",
    "visits",
    "pageviews",
    "views_per_visit",
    "bounce_rate",
    "visit_duration",
    "events",
    "conversion_rate",
)
_DAYS = MappingProxyType({"7d": 7, "30d": 30})
_MONTHS = MappingProxyType({"6mo": 6, "12mo": 12})


def period_of(call: StatsCall, today: Today) -> tuple[str, Period]:
    """The period and its name.

    Raises:
        ApiRefused
    """
    name = call.query.get("period") or USUAL_PERIOD
    if name not in PERIODS:
        msg = f"period: {as_json(name)} is not one of {', '.join(PERIODS)}"
        raise ApiRefused(msg)
    text = call.query.get("date", "")
    if name == "custom":
        return name, _custom(text, today)
    day = _day(text) if text else today.date
    try:
        return name, _named(name, day, today)
    except OutsideOfCalendar as error:
        msg = f"date: {error}"
        raise ApiRefused(msg) from error


def _named(name: str, day: date, today: Today) -> Period:
    if name in _DAYS:
        return days_before(day, _DAYS[name], today.zone)
    if name == "day":
        return dates(day, day, today.zone)
    first = day.replace(day=1)
    last = day.replace(day=monthrange(day.year, day.month)[1])
    return dates(months_back(first, _MONTHS.get(name, 1) - 1), last, today.zone)


def _custom(text: str, today: Today) -> Period:
    first, _, last = text.partition(",")
    try:
        days = _day(first.strip()), _day(last.strip())
    except ApiRefused as error:
        msg = "date: a custom period takes two dates, for example 2026-03-01,2026-03-10"
        raise ApiRefused(msg) from error
    try:
        return period_between(days[0].isoformat(), days[1].isoformat(), today)
    except ValueError as error:
        msg = f"date: {error}"
        raise ApiRefused(msg) from error


def _day(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.isoformat() != text:
        msg = f"date: {as_json(text)} is not a date such as 2026-03-10"
        raise ApiRefused(msg)
    return found


def metrics_of(call: StatsCall) -> tuple[WireMetric, ...]:
    """The metrics that are asked for.

    Raises:
        ApiRefused
    """
    names = [name.strip() for name in (call.query.get("metrics") or "visitors").split(",")]
    for name in names:
        if name not in METRICS:
            msg = f"metrics: {as_json(name)} is not one of {', '.join(METRICS)}"
            raise ApiRefused(msg)
    if len(set(names)) < len(names):
        msg = "metrics: a metric stands twice"
        raise ApiRefused(msg)
    known = vocabulary(extended=False).metrics
    return tuple(known[name] for name in names)


def filters_of(call: StatsCall, known: Configured) -> DecodedFilters:
    """The filters.

    Raises:
        ApiRefused
    """
    return decode_filters(call.query.get("filters", ""), GoalNames([call.site.id], known.goals))


def check_metrics(metrics: tuple[WireMetric, ...], filters: str, breakdown: str = "") -> None:
    """Refuse metrics of visits where hits are chosen by their names.

    Raises:
        ApiRefused
    """
    of_visits = next((each.name for each in metrics if each.metric in BY_VISIT), None)
    chosen = [breakdown, *(part.strip() for part in filters.split(";"))]
    if of_visits and any(part.startswith(("event:name", "event:goal", PROPERTY)) for part in chosen):
        msg = f"the metric {of_visits} is of visits, and cannot be used with event:name, event:goal or {PROPERTY}*"
        raise ApiRefused(msg)
    if breakdown and any(each.name == "views_per_visit" for each in metrics):
        msg = "the metric views_per_visit cannot be used in a breakdown"
        raise ApiRefused(msg)


def whole_number(query: Mapping[str, str], name: str, usual: int, least: int, most: int) -> int:
    """A number among the parameters.

    Raises:
        ApiRefused: it is not one, or out of range.
    """
    text = query.get(name, "")
    if not text:
        return usual
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most):
        msg = f"{name}: {as_json(text)} is not a number from {least} to {most}"
        raise ApiRefused(msg)
    return int(text)
