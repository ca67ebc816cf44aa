"""The history of a counter in the intervals of a period: hours, days, weeks, months or years of a zone."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Literal, NamedTuple

from msgspec import Struct

from tallystick.model.counter import Counter
from tallystick.model.counter_history import PastHours, begin_of, sums_of
from tallystick.model.named_period import months_back
from tallystick.model.period import DAY_S, HOUR_S, Period

HOURS_KEPT_DAYS = 90
DAYS_KEPT_MONTHS = 36

Interval = Literal["hour", "day", "week", "month", "year"]
INTERVALS: tuple[Interval, ...] = ("hour", "day", "week", "month", "year")

_HOURS_A_DAY = DAY_S // HOUR_S


class KeptSince(NamedTuple):
    """From when on history is kept in detail; before both, by months. Hours of UTC since 1970, each at midnight.

    Attributes:
        hours_from: from here on, hours are kept.
        days_from: from here on until ``hours_from``, days are kept.
    """

    hours_from: int
    days_from: int


class IntervalSum(Struct, frozen=True):
    """By how much a counter changed in a part of a period.

    Attributes:
        begin: the local time of its begin, without an offset.
        end_value: the counter's value at its end; None before its history begins.
    """

    begin: datetime
    added: int
    end_value: int | None


def kept_at(now: int) -> KeptSince:
    """What is kept at a time, in Unix milliseconds."""
    today = datetime.fromtimestamp(now / 1000, UTC).date()
    days_from = months_back(today.replace(day=1), DAYS_KEPT_MONTHS)
    return KeptSince(_hour_of(today - timedelta(days=HOURS_KEPT_DAYS)), _hour_of(days_from))


def interval_sums(  # noqa: PLR0913, PLR0917  # the counter, the question and the time
    past: PastHours, counter: Counter, asked: Period, interval: Interval, zone: tzinfo, now: int
) -> list[IntervalSum]:
    """By how much a counter changed in each part of a period that has begun, also where it did not change.

    An hour belongs to the interval in which it begins, where the zone's hours begin at other minutes. What is kept by
    the day or month of UTC belongs to the same date, or the month's first, in every zone.

    Args:
        now: Unix milliseconds.
    """
    kept, start_of = kept_at(now), _STARTS[interval]
    begins, last = (_local(moment, zone) for moment in (asked.start, min(asked.end, now // 1000)))
    sums = sums_of(past, counter)
    value = counter.value - sum(amount for _, amount in sums)
    added: dict[datetime, int] = {}
    for hour, amount in sums:
        moment = _labelled(hour, kept, zone)
        if _precedes(hour, moment, asked, begins, kept):
            value += amount
        elif _is_within(hour, moment, asked, last, kept):
            start = start_of(moment)
            added[start] = added.get(start, 0) + amount
    known = begin_of(past, counter)
    known_from = None if known is None else start_of(_labelled(known, kept, zone))
    return list(_filled(added, value, known_from, _starts(start_of(begins), last, interval, zone)))


def begin_text(begin: datetime, interval: Interval) -> str:
    """The begin of an interval as data has it: the date, of an hour with the time."""
    return begin.isoformat(timespec="minutes") if interval == "hour" else begin.date().isoformat()


def finest_kept(asked: Period, kept: KeptSince) -> Interval:
    """The shortest interval that is kept for the whole of a period."""
    begin = asked.start // HOUR_S
    if begin >= kept.hours_from:
        return "hour"
    return "day" if begin >= kept.days_from else "month"


def _filled(
    added: Mapping[datetime, int], value: int, known_from: datetime | None, starts: Iterator[datetime]
) -> Iterator[IntervalSum]:
    for start in starts:
        amount = added.get(start, 0)
        value += amount
        yield IntervalSum(start, amount, None if known_from is None or start < known_from else value)


def _labelled(hour: int, kept: KeptSince, zone: tzinfo) -> datetime:
    """The local time that an hour counts at, without an offset."""
    moment = datetime.fromtimestamp(hour * HOUR_S, UTC)
    if hour >= kept.hours_from:
        return moment.astimezone(zone).replace(tzinfo=None)
    day = moment.replace(hour=0, tzinfo=None)
    return day if hour >= kept.days_from else day.replace(day=1)


def _precedes(hour: int, moment: datetime, asked: Period, begins: datetime, kept: KeptSince) -> bool:
    if hour >= kept.hours_from:
        return hour * HOUR_S < asked.start
    return moment.date() < begins.date()


def _is_within(hour: int, moment: datetime, asked: Period, last: datetime, kept: KeptSince) -> bool:
    if hour >= kept.hours_from:
        return hour * HOUR_S <= asked.end
    return moment.date() <= last.date()


def _starts(first: datetime, last: datetime, interval: Interval, zone: tzinfo) -> Iterator[datetime]:
    start = first
    while start <= last:
        # Clocks that go forward skip an hour.
        if interval != "hour" or _local(int(start.replace(tzinfo=zone).timestamp()), zone) == start:
            yield start
        start = _NEXT[interval](start)


def _local(moment: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(moment, UTC).astimezone(zone).replace(tzinfo=None)


def _hour_of(day: date) -> int:
    return (day - date(1970, 1, 1)).days * _HOURS_A_DAY


def _hour_start(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _day_start(moment: datetime) -> datetime:
    return _hour_start(moment).replace(hour=0)


def _week_start(moment: datetime) -> datetime:
    return _day_start(moment) - timedelta(days=moment.weekday())


def _month_start(moment: datetime) -> datetime:
    return _day_start(moment).replace(day=1)


def _year_start(moment: datetime) -> datetime:
    return _month_start(moment).replace(month=1)


_STARTS: Mapping[Interval, Callable[[datetime], datetime]] = {
    "hour": _hour_start,
    "day": _day_start,
    "week": _week_start,
    "month": _month_start,
    "year": _year_start,
}
_NEXT: Mapping[Interval, Callable[[datetime], datetime]] = {
    "hour": lambda start: start + timedelta(hours=1),
    "day": lambda start: start + timedelta(days=1),
    "week": lambda start: start + timedelta(days=7),
    "month": lambda start: _month_start(start + timedelta(days=31)),
    "year": lambda start: _year_start(start + timedelta(days=366)),
}
