"""Results of questions about funnels."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class NextHit(Struct, frozen=True, kw_only=True):
    """What came next in visits that did not go on: a page or an event, the other one is empty."""

    page: str = ""
    event: str = ""
    visits: int


class FunnelReportStep(Struct, frozen=True, kw_only=True):
    """A step, and how many visits took it.

    Attributes:
        of_first: in percent of the visits that took the first step; None without any.
        of_previous: the same of the step before that is not optional; None for the first step.
        dropped: visits of which it is the last step taken; 0 for the last step.
        median_seconds, average_seconds: since the step taken before; None without any.
        left_to: the next hits of those that dropped, at most ten, the most frequent first; None unless asked for.
        exits: those that dropped and had no further hit; None unless asked for.
    """

    name: str
    optional: bool
    visits: int
    of_first: float | None
    of_previous: float | None
    dropped: int
    median_seconds: float | None
    average_seconds: float | None
    left_to: list[NextHit] | None = None
    exits: int | None = None


class FunnelReport(Struct, frozen=True, kw_only=True):
    """How many visits took each step.

    Attributes:
        visits: all under the filters.
        entered: those that took the first step, in percent of all; None without any.
        period: the first and the last second that were asked for, with the offset of the zone.
        warnings: why figures are not exact.
    """

    visits: int
    entered: float | None
    steps: list[FunnelReportStep]
    period: tuple[dt.datetime, dt.datetime]
    warnings: list[str] = []


class SentSteps(Struct, frozen=True):
    """The figures as they are sent."""

    visits: int
    entered: float | None
    steps: list[FunnelReportStep]


class SentFunnelWarning(Struct, frozen=True):
    """Why figures are not exact, as it is sent."""

    warning: str = ""


class SentFunnelMeta(Struct, frozen=True):
    """What is sent about an answer as a whole."""

    warnings: list[SentFunnelWarning] = []


class SentFunnelQuery(Struct, frozen=True):
    """The query as the server understood it."""

    date_range: tuple[dt.datetime, dt.datetime]
    funnel: Mapping[str, Any] = {}


class SentFunnel(Struct, frozen=True):
    """An answer as it is sent."""

    results: SentSteps
    query: SentFunnelQuery
    meta: SentFunnelMeta = SentFunnelMeta()

    def report(self) -> FunnelReport:
        """The answer."""
        return FunnelReport(
            visits=self.results.visits,
            entered=self.results.entered,
            steps=self.results.steps,
            period=self.query.date_range,
            warnings=[each.warning for each in self.meta.warnings],
        )
