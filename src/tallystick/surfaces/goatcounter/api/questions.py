"""Query parameters of the statistics: the contract's (1.8 to 1.12), and our filters beyond it."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import UTC, tzinfo

from tallystick.errors import InputRefused
from tallystick.model.dimensions import PATH, Dimension, ValueKind, filters
from tallystick.model.metrics import Metric
from tallystick.model.period import DAY_S, LONGEST_DAYS, Period, midnight, period, usual_end, usual_start
from tallystick.model.selection import REPORT_METRICS, Filter, ReportRequest
from tallystick.services.analytics.reporting import Slice
from tallystick.services.zones import zone_named
from tallystick.surfaces.goatcounter.api.calling import SiteCall
from tallystick.surfaces.goatcounter.wire.decoding import Parameters
from tallystick.web.refusals import ApiRefused

USUAL_LIMIT = 20
LARGEST_LIMIT = 100
FARTHEST_OFFSET = 1_000_000_000
LONGEST_ID = 18

PERIOD = ("start", "end", "timezone")
SOME_PATHS = ("include_paths", "path_by_name")
SLICE = ("limit", "offset")
ROW_METRICS = frozenset({Metric.VISITORS, Metric.PAGEVIEWS})
ALL_METRICS = REPORT_METRICS

_DATE = len("2006-01-02")


class ReportQuery(Parameters):
    """The parameters of one statistics endpoint.

    Args:
        names: parameters of this endpoint besides the period.
        filtered: whether it has filters and metrics.
    """

    def __init__(self, call: SiteCall, names: Collection[str], *, filtered: bool = True) -> None:
        self._filters = filters() if filtered else {}
        super().__init__(call.query, [*PERIOD, *names, *(("metrics", *self._filters) if filtered else ())])
        self._call = call

    async def question(self, metrics: Collection[Metric] = ROW_METRICS) -> ReportRequest:
        """The site, period, filters and metrics of the report.

        Args:
            metrics: those of this endpoint.

        Raises:
            ApiRefused: a value is not valid.
        """
        paths = self.paths("include_paths", by_name=self.flag("path_by_name"))
        return ReportRequest(
            site=self._call.site.id,
            period=await self.period(),
            filters=(*(() if paths is None else [Filter(PATH, paths)]), *self._given_filters()),
            metrics=self._metrics(metrics),
        )

    def slice(self) -> Slice:
        """The rows to return."""
        return Slice(self.limit(), min(max(self.integer("offset", 0), 0), FARTHEST_OFFSET))

    def limit(self, largest: int = LARGEST_LIMIT) -> int:
        """The greatest number of rows to return."""
        return min(max(self.integer("limit", USUAL_LIMIT), 1), largest)

    def paths(self, name: str, *, by_name: bool) -> tuple[int | str, ...] | None:
        """A list of ids or names of paths; None when it was not sent.

        Raises:
            ApiRefused: an id is not a number.
        """
        words = self.words(name)
        if not words:
            return None
        return tuple(words) if by_name else tuple(_number(name, word) for word in words)

    async def period(self) -> Period:
        """The period of the report.

        Raises:
            ApiRefused: there is no such zone, or the period is too long.
        """
        start, end = self.time("start"), self.time("end")
        if not self.text("timezone"):
            return self._period_in(UTC, start, end)
        # The first use of a zone reads it from a file and searches it for changes of its offset.
        return await asyncio.to_thread(self._period_in, None, start, end)

    def _period_in(self, zone: tzinfo | None, start: int | None, end: int | None) -> Period:
        zone, now = zone or self._zone(), self._call.now // 1000
        begin = usual_start(now, zone) if start is None else self._moment("start", start, zone)
        until = usual_end(now, zone) if end is None else self._moment("end", end, zone)
        if until - begin >= LONGEST_DAYS * DAY_S:
            msg = f"invalid query parameters: field=start: the period is longer than {LONGEST_DAYS} days"
            raise ApiRefused(msg)
        return period(begin, until, zone)

    def _zone(self) -> tzinfo:
        try:
            return zone_named(self.text("timezone"))
        except InputRefused as error:
            msg = f"invalid query parameters: field=timezone: {error}"
            raise ApiRefused(msg) from error

    def _moment(self, name: str, moment: int, zone: tzinfo) -> int:
        """Unix seconds; a date is its midnight in the zone, a time carries its own offset."""
        return midnight(moment // DAY_S, zone) if len(self.text(name).strip()) == _DATE else moment

    def _given_filters(self) -> list[Filter]:
        return [
            Filter(dimension, (self._value(name, dimension),))
            for name, dimension in self._filters.items()
            if self.text(name)
        ]

    def _value(self, name: str, dimension: Dimension) -> str | bool:
        if dimension.kind is ValueKind.FLAG:
            return self.flag(name)
        value = self.text(name)
        ranges = [range_.name for range_ in dimension.ranges]
        if ranges and value not in ranges:
            msg = f"invalid query parameters: field={name}: must be one of {', '.join(ranges)}"
            raise ApiRefused(msg)
        return value

    def _metrics(self, available: Collection[Metric]) -> frozenset[Metric]:
        names = {metric.value: metric for metric in Metric if metric in available}
        words = self.words("metrics")
        if any(word not in names for word in words):
            msg = f"invalid query parameters: field=metrics: must be some of {', '.join(names)}"
            raise ApiRefused(msg)
        return frozenset(names[word] for word in words)


def excluded_paths(query: ReportQuery) -> Sequence[int | str]:
    """Ids of paths; with ``path_by_name`` also names: for the next page, clients send the ids of the rows they have."""
    name, by_name = "exclude_paths", query.flag("path_by_name")
    return [word if by_name and not _is_id(word) else _number(name, word) for word in query.words(name)]


def _number(name: str, word: str) -> int:
    if not _is_id(word):
        msg = f"invalid number in {name}: {word[:100]}"
        raise ApiRefused(msg)
    return int(word)


def _is_id(word: str) -> bool:
    return word.isascii() and word.removeprefix("-").isdigit() and len(word) <= LONGEST_ID
