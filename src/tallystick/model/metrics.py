"""The metrics of questions and reports, each with its definition. API pages show the definitions."""

from enum import Enum
from types import MappingProxyType


class Metric(Enum):
    """A figure of the hits and visits that a question is about; ``DEFINITIONS`` says what each counts."""

    VISITORS = "visitors"
    VISITS = "visits"
    PAGEVIEWS = "pageviews"
    EVENTS = "events"
    COUNT = "count"
    VIEWS_PER_VISIT = "views_per_visit"
    BOUNCE_RATE = "bounce_rate"
    VISIT_DURATION = "visit_duration"
    PERCENTAGE = "percentage"
    EXIT_RATE = "exit_rate"


BY_VISIT = frozenset({Metric.VIEWS_PER_VISIT, Metric.BOUNCE_RATE, Metric.VISIT_DURATION})
"""Metrics of whole visits: they look at all hits of a visit in the period, also at those that do not pass a filter."""

DEFINITIONS = MappingProxyType(
    {
        Metric.VISITORS: "Visitors. A visitor is recognized until eight hours have passed without a hit, and not "
        "afterwards: who returns on the next day is a new visitor. A hit without a session counts as a visitor if it "
        "is the first on its path.",
        Metric.VISITS: "Visits. A visit ends when eight hours have passed without a hit, so visits and visitors are "
        "the same number.",
        Metric.PAGEVIEWS: "Pageviews: all hits that are no events, repeated ones included.",
        Metric.EVENTS: "Events and pageviews together: all hits.",
        Metric.COUNT: "GoatCounter's count: for each page and event, the visits that had it, summed up. A visit of "
        "three pages counts three times.",
        Metric.VIEWS_PER_VISIT: "Pageviews of visits, divided by the number of visits. Hits without a session are left "
        "out.",
        Metric.BOUNCE_RATE: "Visits with at most one pageview and no event, in percent of all visits; events that are "
        "not interactive do not matter. With a filter on pages, only visits that began on such a page. Hits without a "
        "session are left out.",
        Metric.VISIT_DURATION: "Seconds from the first hit of a visit to its last, on average; visits with one hit "
        "have 0 seconds. Hits without a session are left out.",
        Metric.PERCENTAGE: "Visitors of the row, in percent of all visitors that pass the filters.",
        Metric.EXIT_RATE: "Pageviews that were the last of their visit, in percent of the pageviews. Hits without a "
        "session are left out.",
    }
)
"""What each metric counts, in a sentence or three. Visits are those of the period: hits outside of it play no part."""
