"""Reads the body of a query (contract of Plausible's API, 2.2 and 2.3)."""

from collections.abc import Callable, Collection, Mapping
from datetime import tzinfo
from typing import Any

from msgspec import Struct

from tallystick.errors import InputRefused
from tallystick.model.metrics import BY_VISIT, Metric
from tallystick.model.named_period import (
    Earlier,
    OutsideOfCalendar,
    Today,
    custom_comparison,
    earlier,
    period_between,
    period_named,
    unit_for,
)
from tallystick.model.period import Period
from tallystick.model.question import MOST_ROWS, Comparison, TimeUnit
from tallystick.services.inquiries.configured import Configured
from tallystick.services.inquiries.filters import DecodedFilters, FilterDecoder, as_json
from tallystick.services.inquiries.goal_names import GoalNames
from tallystick.services.inquiries.inquiry import Inquiry
from tallystick.services.inquiries.names import (
    GOAL,
    TIME,
    TIME_NAMES,
    Vocabulary,
    WireDimension,
    WireMetric,
    vocabulary,
)
from tallystick.services.zones import zone_named

REQUIRED = ("metrics", "date_range")
INCLUDED = ("imports", "time_labels", "total_rows", "trim_relative_date_range")
COMPARED = ("compare", "compare_match_day_of_week", "compare_gone")
NOT_PUBLIC = frozenset({"realtime", "30m"})
TRIMMED = frozenset({"day", "month", "year"})
"""Periods that may end after now."""
MOST_FAULTS = 20
MOST_OFFSET = 2**63 - 1


class DecodedQuery(Struct, frozen=True, kw_only=True):
    """A query as it is carried out.

    Attributes:
        filters: as they were sent.
        include: what is included beside the rows.
        trimmed: whether labels of time end now.
    """

    inquiry: Inquiry
    zone: tzinfo
    filters: list[Any]
    include: Mapping[str, Any]
    trimmed: bool

    @property
    def time(self) -> TimeUnit | None:
        """The dimension of time, if there is one."""
        units = (each.grouping for each in self.inquiry.dimensions if isinstance(each.grouping, TimeUnit))
        return next(units, None)


def decode_query(  # noqa: PLR0913  # what is asked, by whom and when
    body: Mapping[str, Any],
    sites: tuple[int, ...],
    known: Configured,
    today: Today,
    *,
    extended: bool,
    locked: int = 0,
) -> DecodedQuery:
    """The query that a body asks for.

    Args:
        sites: those of its ``site_id``.
        known: their goals and segments.
        extended: whether names and keys of ``/api/query`` are known.
        locked: how many of the first filters always hold: visitors who do not pass them are no part of a rate.

    Raises:
        InputRefused: all faults of form, one a line, or else the first one of meaning.
    """
    return _BodyDecoder(body, sites, known, today, vocabulary(extended=extended)).decode(locked)


class _BodyDecoder:
    """Collects the faults of a body."""

    def __init__(
        self, body: Mapping[str, Any], sites: tuple[int, ...], known: Configured, today: Today, names: Vocabulary
    ) -> None:
        self._body, self._sites, self._known, self._names = body, sites, known, names
        self._faults: list[str] = []
        self._today = today

    def decode(self, locked: int) -> DecodedQuery:
        known = {"site_id", *REQUIRED, "dimensions", "filters", "order_by", "include", "pagination"}
        known |= {"timezone", "bots"} if self._names.extended else set()
        for key in self._body:
            if key not in known:
                self._fault(f"#: The key {as_json(key)} is not known; there are {', '.join(sorted(known))}")
        for key in REQUIRED:
            if key not in self._body:
                self._fault(f"#: The key {key} is missing")
        self._today = self._zoned()
        metrics = self._listed("metrics", "metric", self._names.metric)
        dimensions = self._listed("dimensions", "dimension", self._names.dimension)
        period = self._period()
        goals = GoalNames(self._sites, self._known.goals)
        decoder = FilterDecoder(self._names, goals, self._known.segments, self._fault)
        raw_filters = self._value("filters", list, [])
        decoded = self._later(lambda: decoder.decode(raw_filters, locked))
        order = self._order()
        include = self._include()
        limit, offset = self._pagination()
        bots = self._value("bots", bool, default=False)
        if self._faults or period is None:
            raise InputRefused("\n".join(self._faults[:MOST_FAULTS]))
        filters = decoded()
        dimensions = [_with_unit(each, period) for each in dimensions]
        inquiry = Inquiry(
            sites=self._sites,
            period=period,
            metrics=tuple(metrics),
            dimensions=tuple(dimensions),
            filters=filters,
            order=tuple(self._ordered(each, metrics, dimensions) for each in order),
            limit=limit,
            offset=offset,
            total_rows=bool(include.get("total_rows")),
            compare=self._compare(include, period),
            bots=bots,
        )
        query = DecodedQuery(
            inquiry=inquiry,
            zone=self._today.zone,
            filters=raw_filters,
            include=include,
            trimmed=bool(include.get("trim_relative_date_range")) and self._named(TRIMMED),
        )
        check_meaning(inquiry, extended=self._names.extended)
        if include.get("time_labels") and query.time is None:
            msg = "include.time_labels needs a dimension of time"
            raise InputRefused(msg)
        return query

    def _later(self, decode: Callable[[], DecodedFilters]) -> Callable[[], DecodedFilters]:
        """Decode now, so that faults of form are found, and raise a fault of meaning after those of other keys."""
        try:
            found = decode()
        except InputRefused as error:
            refusal = error

            def refuse() -> DecodedFilters:
                raise refusal

            return refuse
        return lambda: found

    def _fault(self, text: str) -> None:
        self._faults.append(text)

    def _value(self, key: str, kind: type, default: Any) -> Any:  # noqa: ANN401  # of the kind
        value = self._body.get(key, default)
        if type(value) is not kind:
            names = {list: "a list", dict: "an object", str: "a text", bool: "true or false"}
            self._fault(f"#/{key}: {as_json(value)} is not {names[kind]}")
            return default
        return value

    def _zoned(self) -> Today:
        if "timezone" not in self._body:
            return self._today
        name = self._value("timezone", str, None)
        if name is None:
            return self._today
        try:
            zone = zone_named(name)
        except InputRefused as error:
            self._fault(f"#/timezone: {error}")
            return self._today
        return Today(self._today.now, zone, self._today.begun)

    def _listed(self, key: str, what: str, named: Callable[[object], Any]) -> list[Any]:
        """The metrics, or the dimensions."""
        found: list[Any] = []
        for number, name in enumerate(self._value(key, list, [])):
            known = named(name)
            if known is None:
                self._fault(f"#/{key}/{number}: Invalid {what} {as_json(name)}")
            elif known in found:
                self._fault(f"#/{key}/{number}: The {what} {as_json(name)} stands twice")
            else:
                found.append(known)
        if key == "metrics" and self._body.get("metrics") == []:
            self._fault("#/metrics: At least one metric is needed")
        return found

    def _period(self) -> Period | None:
        value = self._body.get("date_range")
        if value is None and "date_range" not in self._body:
            return None
        reason = ""
        try:
            match value:
                case str() if self._names.extended or value not in NOT_PUBLIC:
                    return period_named(value, self._today)
                case [str(first), str(last)]:
                    return period_between(first, last, self._today)
        except ValueError as error:
            # Plausible gives no reason.
            reason = f": {error}" if self._names.extended or isinstance(error, OutsideOfCalendar) else ""
        self._fault(f"#/date_range: Invalid date range {as_json(value)}{reason}")
        return None

    def _named(self, names: Collection[str]) -> bool:
        value = self._body["date_range"]
        return isinstance(value, str) and value in names  # a pair is a list, which has no hash

    def _order(self) -> list[tuple[str, bool]]:
        """Names and whether they descend."""
        found: list[tuple[str, bool]] = []
        for number, each in enumerate(self._value("order_by", list, [])):
            match each:
                case [name, "asc" | "desc" as direction]:
                    if not (self._names.metric(name) or self._names.dimension(name)):
                        self._fault(f"#/order_by/{number}/0: Invalid value in order_by {as_json(name)}")
                        continue
                    found.append((name, direction == "desc"))
                case [_, direction]:
                    self._fault(f"#/order_by/{number}/1: Invalid value in order_by {as_json(direction)}")
                case _:
                    self._fault(f"#/order_by/{number}: {as_json(each)} is not a name and asc or desc")
        return found

    def _ordered(
        self, order: tuple[str, bool], metrics: list[WireMetric], dimensions: list[WireDimension]
    ) -> tuple[WireMetric | WireDimension, bool]:
        name, descending = order
        asked = (*self._body["metrics"], *self._body.get("dimensions", []))
        by_name: dict[str, WireMetric | WireDimension] = dict(zip(asked, (*metrics, *dimensions), strict=True))
        if name not in by_name:
            msg = f"order_by: {as_json(name)} is not among the metrics and dimensions of the query"
            raise InputRefused(msg)
        return by_name[name], descending

    def _include(self) -> Mapping[str, Any]:
        include = self._value("include", dict, {})
        known = (*INCLUDED, *(COMPARED if self._names.extended else ()))
        for key, value in include.items():
            if key not in known:
                self._fault(f"#/include: The key {as_json(key)} is not known; there are {', '.join(known)}")
            elif key == "compare" and not value and value is not None:
                self._fault(f"#/include/compare: {as_json(value)} is not a period")
            elif key != "compare" and type(value) is not bool:
                self._fault(f"#/include/{key}: {as_json(value)} is not true or false")
        return {key: value for key, value in include.items() if value or key == "compare_gone"}

    def _pagination(self) -> tuple[int, int]:
        pagination = self._value("pagination", dict, {})
        for key in pagination:
            if key not in {"limit", "offset"}:
                self._fault(f"#/pagination: The key {as_json(key)} is not known; there are limit, offset")
        limit, offset = pagination.get("limit", MOST_ROWS), pagination.get("offset", 0)
        if type(limit) is not int or not 1 <= limit <= MOST_ROWS:
            self._fault(f"#/pagination/limit: {as_json(limit)} is not a number from 1 to {MOST_ROWS:,}")
        if type(offset) is not int or not 0 <= offset <= MOST_OFFSET:
            self._fault(f"#/pagination/offset: {as_json(offset)} is not a number from 0 to {MOST_OFFSET:,}")
        return limit, offset

    def _compare(self, include: Mapping[str, Any], period: Period) -> Comparison | None:
        value, same_weekdays = include.get("compare"), bool(include.get("compare_match_day_of_week"))
        if value is None:
            return None
        gone = include.get("compare_gone", True)
        names = [each.value for each in Earlier]
        try:
            match value:
                case str() if value in names:
                    compare = Earlier(value)
                    other = earlier(period, compare, self._today, same_weekdays=same_weekdays)
                    return Comparison(other, compare is Earlier.YEAR_OVER_YEAR and not same_weekdays, gone)
                case [str(first), str(last)]:
                    other = period_between(first, last, self._today)
                    other = custom_comparison(period, other, self._today, same_weekdays=same_weekdays)
                    return Comparison(other, gone=gone)
        except ValueError as error:
            msg = f"#/include/compare: {as_json(value)} cannot be compared with: {error}"
            raise InputRefused(msg) from error
        msg = f"#/include/compare: {as_json(value)} is not one of {', '.join(names)}, or two dates"
        raise InputRefused(msg)


def check_meaning(inquiry: Inquiry, *, extended: bool) -> None:
    """Refuse metrics and dimensions that do not go together (contract 3.1).

    Raises:
        InputRefused
    """
    names = {each.name for each in inquiry.dimensions}
    metrics = {each.name for each in inquiry.metrics}
    of_events = {name for name in names if name.startswith("event:")}
    of_visits = [each.name for each in inquiry.metrics if each.metric in BY_VISIT]
    if of_visits and of_events and not ("event:page" in of_events and of_events <= {"event:page", "event:hostname"}):
        msg = f"the metric {of_visits[0]} is of visits, and cannot be divided by {min(of_events)}"
        raise InputRefused(msg)
    conversions = [each.name for each in inquiry.metrics if each.conversion]
    if conversions and inquiry.filters.goals is None and GOAL not in names:
        msg = f"the metric {conversions[0]} needs a filter on {GOAL}, or the dimension {GOAL}"
        raise InputRefused(msg)
    if extended:
        return
    if "views_per_visit" in metrics and (
        inquiry.filters.on_pages or any(not each.startswith("time") for each in names)
    ):
        msg = "the metric views_per_visit takes no dimensions but time, and no filter on event:page"
        raise InputRefused(msg)
    ends = {name for name in names if name.startswith(("visit:entry_page", "visit:exit_page"))}
    of_hits = metrics & {Metric.PAGEVIEWS.value, Metric.EVENTS.value}
    if ends and of_hits:
        msg = f"the metric {min(of_hits)} is of events, and cannot be divided by {min(ends)}"
        raise InputRefused(msg)


def _with_unit(dimension: WireDimension, period: Period) -> WireDimension:
    if dimension.name != TIME:
        return dimension
    unit = unit_for(period)
    return WireDimension(TIME_NAMES[unit], unit)
