"""The history of a public counter as its page shows it."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from tallystick.model.counter_history import MILESTONES
from tallystick.model.counter_intervals import Interval, begin_text
from tallystick.model.period import HOUR_S
from tallystick.model.question import TimeUnit
from tallystick.services.counting.history import CounterHistory
from tallystick.surfaces.dashboard.charts.time_chart import Bucket, TimeChart, time_chart
from tallystick.surfaces.dashboard.charts.words import NumberWords
from tallystick.surfaces.dashboard.support.data import moment_text
from tallystick.surfaces.dashboard.support.language import N_, Language

DEFAULT_PERIOD = "all"
PERIODS = {"24h": N_("24 hours"), "month": N_("This month"), "year": N_("This year"), DEFAULT_PERIOD: N_("All time")}
UNITS: Mapping[Interval, TimeUnit] = {
    "hour": TimeUnit.HOUR,
    "day": TimeUnit.DAY,
    "week": TimeUnit.WEEK,
    "month": TimeUnit.MONTH,
}
"""Of the intervals that a period has when none is asked for."""


class ShownHistory(Struct, frozen=True, kw_only=True):
    """What the page shows of a history.

    Attributes:
        chart: None where nothing changed in the period.
        begins: when the known history begins, Unix milliseconds; None before the first change.
        reached: milestones, with the time (Unix milliseconds) of each.
        next_milestone: None beyond 64 bits.
    """

    period: str
    interval: Interval
    chart: TimeChart | None
    begins: int | None
    reached: Sequence[tuple[int, int]]
    next_milestone: int | None


def shown_history(language: Language, history: CounterHistory, period: str) -> ShownHistory:
    """A history with its chart. Takes milliseconds: not on the event loop.

    Args:
        period: one of ``PERIODS``, of which the history is.
    """
    beyond = max([history.counter.value, *(value for value, _ in history.milestones)])
    return ShownHistory(
        period=period,
        interval=history.interval,
        chart=_chart(language, history),
        begins=hour_begin(history.begins),
        reached=history.milestones,
        next_milestone=next((each for each in MILESTONES if each > beyond), None),
    )


def history_members(history: CounterHistory) -> dict[str, Any]:
    """A history as JSON."""
    return {
        "begins": moment_text(hour_begin(history.begins)),
        "interval": history.interval,
        "timezone": history.timezone,
        "history": [
            {"begin": begin_text(each.begin, history.interval), "added": each.added, "value": each.end_value}
            for each in history.sums
        ],
        "milestones": [{"value": value, "reached": moment_text(at)} for value, at in history.milestones],
    }


def hour_begin(hour: int | None) -> int | None:
    """When an hour began, in Unix milliseconds; None without one.

    Args:
        hour: since 1970.
    """
    return hour * HOUR_S * 1000 if hour else None


def _chart(language: Language, history: CounterHistory) -> TimeChart | None:
    sums = history.sums
    if not any(each.added for each in sums):
        return None
    buckets = [
        # All periods of the page end now or later, so the last interval is not over.
        Bucket(start=each.begin, value=each.added, unfinished=place == len(sums))
        for place, each in enumerate(sums, start=1)
    ]
    words = NumberWords(language=language, title=language.gettext(N_("Change of the value")), good_is_up=None)
    return time_chart(buckets, UNITS[history.interval], words)
