"""The history of a public counter: its sums in a period, and its milestones."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from msgspec import Struct

from tallystick.errors import InputRefused
from tallystick.ledger import Session
from tallystick.model.counter import Counter, alive
from tallystick.model.counter_history import PastHours, begin_of
from tallystick.model.counter_intervals import (
    INTERVALS,
    Interval,
    IntervalSum,
    KeptSince,
    finest_kept,
    interval_sums,
    kept_at,
)
from tallystick.model.key import Key, lane_of
from tallystick.model.named_period import Today, period_between, period_named, unit_for
from tallystick.model.period import HOUR_S, Period, date_of
from tallystick.services.zones import zone_named

DEFAULT_PERIOD = "all"
_TOO_SHORT = frozenset({"30m", "realtime"})
_SHORTEST_FIRST = {interval: place for place, interval in enumerate(INTERVALS)}
_KEPT_FOR: dict[Interval, Interval] = {"hour": "hour", "day": "day", "week": "day", "month": "month", "year": "month"}
"""What has to be kept for an interval."""


class HistoryRefused(InputRefused):
    """A part of a question about history is not valid; ``field`` names it."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class HistoryQuestion(Struct, frozen=True, kw_only=True):
    """What is asked of a counter's history, as text.

    Attributes:
        period: a name (``model.named_period``); None where ``first`` and ``last`` say it, or for the default.
        first, last: dates, or moments with their offsets; ``last`` alone may be left out, and is today then.
        interval: None for one that divides the period into a readable number of parts.
        timezone: an IANA name.
    """

    period: str | None = None
    first: str | None = None
    last: str | None = None
    interval: str | None = None
    timezone: str = "UTC"


class CounterHistory(Struct, frozen=True, kw_only=True):
    """The history of one counter.

    Attributes:
        sums: one for each interval of the period that has begun.
        begins: the hour in which the known history begins, in hours since 1970; None before the first change.
        milestones: value and time (Unix milliseconds) of each, the lowest first.
        now: when the question was asked, Unix milliseconds.
    """

    key: Key
    counter: Counter
    period: Period
    interval: Interval
    timezone: str
    sums: Sequence[IntervalSum]
    begins: int | None
    milestones: Sequence[tuple[int, int]]
    kept: KeptSince
    now: int


def counter_history(session: Session, key: Key, question: HistoryQuestion, now: int) -> CounterHistory | None:
    """The history of a counter; None if there is no such counter.

    Its cost depends on how many hours are kept of the counter: at most some 3,000 rows.

    Args:
        now: Unix milliseconds.

    Raises:
        HistoryRefused: a part of the question is not valid, or the interval is not kept for the whole period.
    """
    # Checked first, so that a question is refused alike whether there is a counter or not.
    zone = _zone(question.timezone)
    counter = alive(session.find([key]).get(key), now)
    place = {"lane": lane_of(key), **key._asdict()}
    past: PastHours = [] if counter is None else [*session.common.past_hours(session.connection, **place, since=0)]
    begins = None if counter is None else begin_of(past, counter)
    today = Today(now // 1000, zone, None if begins is None else begins * HOUR_S)
    period, kept = _period(question, today), kept_at(now)
    interval = _interval(question.interval, period, kept)
    if counter is None:
        return None
    milestones = session.common.milestones(session.connection, **place)
    return CounterHistory(
        key=key,
        counter=counter,
        period=period,
        interval=interval,
        timezone=question.timezone,
        sums=interval_sums(past, counter, period, interval, zone, now),
        begins=begins,
        milestones=[(value, at) for value, at in milestones],
        kept=kept,
        now=now,
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return zone_named(name)
    except InputRefused as error:
        raise HistoryRefused(str(error), "timezone") from error


def _period(question: HistoryQuestion, today: Today) -> Period:
    if question.first is not None:
        if question.period is not None:
            msg = "give either period, or from and to"
            raise HistoryRefused(msg, "period")
        try:
            return period_between(question.first, question.last or today.date.isoformat(), today)
        except (ValueError, OverflowError) as error:
            msg = (
                f"from and to are dates like 2026-03-10, or moments like 2026-03-10T08:00:00Z, from the earlier to the"
                f" later: {error}"
            )
            raise HistoryRefused(msg, "from") from error
    if question.last is not None:
        msg = "to needs from"
        raise HistoryRefused(msg, "from")
    name = question.period or DEFAULT_PERIOD
    try:
        if name in _TOO_SHORT:
            raise ValueError(name)  # noqa: TRY301  # refused like any other that has no meaning here
        return period_named(name, today)
    except (ValueError, OverflowError) as error:
        msg = (
            f"{name[:100]!r} is no period of a history: ask for day, 24h, month, year or all, for a number of days (7d)"
            " or months (6mo) before today, or give from and to"
        )
        raise HistoryRefused(msg, "period") from error


def _interval(name: str | None, period: Period, kept: KeptSince) -> Interval:
    finest = finest_kept(period, kept)
    if name is None:
        usual: Interval = unit_for(period).value  # type: ignore[assignment]  # hour, day, week or month
        return finest if _SHORTEST_FIRST[_KEPT_FOR[usual]] < _SHORTEST_FIRST[finest] else usual
    if name not in INTERVALS:
        msg = f"{name[:100]!r} is no interval: ask for {', '.join(INTERVALS[:-1])} or {INTERVALS[-1]}"
        raise HistoryRefused(msg, "interval")
    interval: Interval = name
    if _SHORTEST_FIRST[_KEPT_FOR[interval]] < _SHORTEST_FIRST[finest]:
        since = kept.hours_from if interval == "hour" else kept.days_from
        msg = (
            f"{interval}s are known from {date_of(since // 24)} on, and the period begins before: ask for a later one,"
            f" or for interval={finest}"
        )
        raise HistoryRefused(msg, "interval")
    return interval
