"""Which hits a report is about, and which figures it has."""

from msgspec import Struct

from tallystick.model.dimensions import Dimension
from tallystick.model.metrics import Metric
from tallystick.model.period import Period

REPORT_METRICS = frozenset({Metric.VISITORS, Metric.PAGEVIEWS, Metric.BOUNCE_RATE, Metric.VISIT_DURATION})
"""Figures that a report can have besides visits; computed only when requested, because they cost more.

Here ``BOUNCE_RATE`` is the share of sessions with one hit.
"""


class Filter(Struct, frozen=True):
    """A filter as people write it: only hits with one of some values.

    Attributes:
        values: text; of an ID also ids, of a FLAG booleans. ``dimensions.UNKNOWN`` is for hits without a value.
            Without values no hit passes.
    """

    dimension: Dimension
    values: tuple[str | int, ...]


class ReportRequest(Struct, frozen=True, kw_only=True):
    """What a report of GoatCounter's is about, in names.

    Attributes:
        filters: all of them have to hold.
        metrics: figures besides visits.
    """

    site: int
    period: Period
    filters: tuple[Filter, ...] = ()
    metrics: frozenset[Metric] = frozenset()


class Condition(Struct, frozen=True):
    """A filter as the warehouse compares it: only hits with one of some values.

    Attributes:
        values: as columns hold them: names have become ids, a hit without a value has ``""`` or 0. Of a RANGE they
            are the ranges' names.
    """

    dimension: Dimension
    values: tuple[str | int, ...]


class Selection(Struct, frozen=True, kw_only=True):
    """The hits that a report is about, in ids; only people's hits are counted.

    Attributes:
        conditions: all of them have to hold.
        metrics: figures besides visits.
    """

    site: int
    period: Period
    conditions: tuple[Condition, ...] = ()
    metrics: frozenset[Metric] = frozenset()
