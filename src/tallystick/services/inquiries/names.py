"""The names of metrics and dimensions on the wire (contract 3), and what they stand for.

``PLAUSIBLE`` has the names of Plausible's API, ``ALL`` those of ``/api/query`` besides.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from msgspec import Struct

from tallystick.model.dimensions import (
    BOT,
    BROWSER,
    CAMPAIGN,
    CHANNEL,
    COUNTRY,
    DEVICE,
    ENTRY_HOST,
    ENTRY_PAGE,
    EVENT_NAME,
    EXIT_HOST,
    EXIT_PAGE,
    HOST,
    LANGUAGE,
    NEXT_PAGE,
    PAGE,
    PREVIOUS_PAGE,
    REFERRING_PAGE,
    REGION,
    SIZE,
    SOURCE,
    SYSTEM,
    UTM_CONTENT,
    UTM_MEDIUM,
    UTM_SOURCE,
    UTM_TERM,
    VERSION_OF_BROWSER,
    VERSION_OF_SYSTEM,
    Dimension,
    prop,
)
from tallystick.model.metrics import Metric
from tallystick.model.props import MAX_PROP_NAME
from tallystick.model.question import TimeUnit
from tallystick.model.shown_values import with_shown_values
from tallystick.services.analytics.display_names import country_by_name

GOAL = "event:goal"
TIME = "time"
PROPERTY = "event:props:"
"""Before the name of a property."""

CITY = Dimension(name="city", columns=(), shown=(("", "0"),))
"""Cities are not known: every hit has none."""
CITY_NAME = Dimension(name="city_name", columns=())


class WireMetric(Struct, frozen=True):
    """A metric on the wire.

    Attributes:
        metric: what is computed; for a conversion rate ``VISITORS``.
        digits: behind the point.
        conversion: whether it is the visitors who reached a goal in percent of all; ``group`` divides by those of the
            row's group.
    """

    name: str
    metric: Metric
    digits: int = 0
    conversion: bool = False
    group: bool = False


class WireDimension(Struct, frozen=True):
    """A dimension on the wire.

    Attributes:
        grouping: None for ``time``, whose unit follows from the period.
    """

    name: str
    grouping: Dimension | TimeUnit | None


class Vocabulary(Struct, frozen=True):
    """The names that an endpoint knows."""

    metrics: Mapping[str, WireMetric]
    dimensions: Mapping[str, WireDimension]
    extended: bool

    def dimension(self, name: object) -> WireDimension | None:
        """The dimension of a name, among them properties; None without one."""
        if not isinstance(name, str):
            return None
        if not name.startswith(PROPERTY):
            return self.dimensions.get(name)
        key = name.removeprefix(PROPERTY)
        return WireDimension(name, prop(key)) if 0 < len(key.encode()) <= MAX_PROP_NAME else None

    def metric(self, name: object) -> WireMetric | None:
        """The metric of a name; None without one."""
        return self.metrics.get(name) if isinstance(name, str) else None


_METRICS = (
    WireMetric("visitors", Metric.VISITORS),
    WireMetric("visits", Metric.VISITS),
    WireMetric("pageviews", Metric.PAGEVIEWS),
    WireMetric("events", Metric.EVENTS),
    WireMetric("views_per_visit", Metric.VIEWS_PER_VISIT, 2),
    WireMetric("bounce_rate", Metric.BOUNCE_RATE),
    WireMetric("visit_duration", Metric.VISIT_DURATION),
    WireMetric("percentage", Metric.PERCENTAGE, 1),
    WireMetric("conversion_rate", Metric.VISITORS, 2, conversion=True),
    WireMetric("group_conversion_rate", Metric.VISITORS, 2, conversion=True, group=True),
)
_OWN_METRICS = (WireMetric("count", Metric.COUNT), WireMetric("exit_rate", Metric.EXIT_RATE))

_DIMENSIONS: Mapping[str, Dimension | TimeUnit | None] = {
    "event:name": EVENT_NAME,
    "event:page": PAGE,
    "event:hostname": with_shown_values(HOST),
    GOAL: EVENT_NAME,
    "visit:source": with_shown_values(SOURCE),
    "visit:channel": with_shown_values(CHANNEL),
    "visit:referrer": with_shown_values(REFERRING_PAGE),
    "visit:utm_source": with_shown_values(UTM_SOURCE),
    "visit:utm_medium": with_shown_values(UTM_MEDIUM),
    "visit:utm_campaign": with_shown_values(CAMPAIGN),
    "visit:utm_content": with_shown_values(UTM_CONTENT),
    "visit:utm_term": with_shown_values(UTM_TERM),
    "visit:entry_page": ENTRY_PAGE,
    "visit:exit_page": EXIT_PAGE,
    "visit:entry_page_hostname": ENTRY_HOST,
    "visit:exit_page_hostname": EXIT_HOST,
    "visit:device": with_shown_values(DEVICE),
    "visit:browser": with_shown_values(BROWSER),
    "visit:browser_version": with_shown_values(VERSION_OF_BROWSER),
    "visit:os": with_shown_values(SYSTEM),
    "visit:os_version": with_shown_values(VERSION_OF_SYSTEM),
    "visit:country": COUNTRY,
    "visit:region": REGION,
    "visit:region_name": REGION,
    "visit:city": CITY,
    "visit:city_name": CITY_NAME,
    TIME: None,
    "time:hour": TimeUnit.HOUR,
    "time:day": TimeUnit.DAY,
    "time:week": TimeUnit.WEEK,
    "time:month": TimeUnit.MONTH,
}
_OWN_DIMENSIONS: Mapping[str, Dimension | TimeUnit] = {
    "event:next_page": NEXT_PAGE,
    "event:previous_page": PREVIOUS_PAGE,
    "event:bot": BOT,
    "visit:language": LANGUAGE,
    "visit:size": SIZE,
    "time:minute": TimeUnit.MINUTE,
    "time:quarter_hour": TimeUnit.QUARTER_HOUR,
    "time:sunday_week": TimeUnit.SUNDAY_WEEK,
    "time:weekday": TimeUnit.WEEKDAY,
    "time:hour_of_day": TimeUnit.HOUR_OF_DAY,
}


@cache
def vocabulary(*, extended: bool) -> Vocabulary:
    """The names of Plausible's API, or those of ``/api/query``. Reads the names of countries from disk at first."""
    metrics = (*_METRICS, *(_OWN_METRICS if extended else ()))
    dimensions = {**_DIMENSIONS, "visit:country_name": country_by_name(), **(_OWN_DIMENSIONS if extended else {})}
    return Vocabulary(
        metrics=MappingProxyType({each.name: each for each in metrics}),
        dimensions=MappingProxyType({name: WireDimension(name, each) for name, each in dimensions.items()}),
        extended=extended,
    )


TIME_NAMES = {unit: f"time:{unit.value}" for unit in TimeUnit}
