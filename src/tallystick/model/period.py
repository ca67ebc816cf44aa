"""Periods of reports, in a time zone with its changes of offset.

Times are Unix seconds. The smallest part of a report is a *piece*: an hour of the zone's clock, or the part of one
between two changes of the zone's offset. A hit belongs to a period if its piece begins within it, so that adjacent
periods (one ends a second before the next begins) never share or lose a hit, in any zone.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from msgspec import Struct

HOUR_S = 3_600
DAY_S = 86_400
LONGEST_DAYS = 50_000
"""More than a century. Callers refuse longer periods before creating one: its segments are searched day by day."""
DAYS_BEFORE_TODAY = 7
"""Where the default period begins; with today it has eight days."""

EARLIEST = -62_135_596_800 + 2 * DAY_S
"""The third day of the year 1, so that a zone's offset stays within the range of ``datetime``."""
LATEST = 253_402_300_800 - 2 * DAY_S

_EPOCH = date(1970, 1, 1).toordinal()
_ZERO = timedelta()
# Changes of offset are searched a day at a time: in the time zone database any two are at least 167 hours apart.
_STEP_S = DAY_S
_CHUNK_S = 512 * DAY_S
_CHUNKS_REMEMBERED = 8_192


class OffsetTime(NamedTuple):
    """A time ``[begin, end)`` in which a zone's clocks are ``offset`` seconds ahead of UTC."""

    begin: int
    end: int
    offset: int

    def day_of(self, moment: int) -> int:
        """The local date, in days since 1970."""
        return (moment + self.offset) // DAY_S

    def piece_of(self, moment: int) -> int:
        """The beginning of the piece that contains a moment of this segment."""
        hour = (moment + self.offset) // HOUR_S * HOUR_S
        return max(self.begin, hour - self.offset)

    def piece_after(self, moment: int) -> int:
        """The beginning of the next piece."""
        hour = (moment + self.offset) // HOUR_S * HOUR_S
        return min(self.end, hour + HOUR_S - self.offset)


class Period(Struct, frozen=True):
    """All pieces that begin from ``start`` to ``end``, both included; created by ``period``.

    Attributes:
        first: the first second of hits that belong to the period.
        after: the first second of hits after the period.
        segments: the zone's segments from before ``start`` until after ``after``.
    """

    start: int
    end: int
    first: int
    after: int
    segments: tuple[OffsetTime, ...]

    @property
    def days(self) -> tuple[int, ...]:
        """The local dates of the period, in days since 1970, without dates that the zone skipped."""
        return tuple(_days(self.segments, self.start, self.after))

    @property
    def most_days(self) -> int:
        """An upper bound of the number of days, without computing them."""
        return max(0, self.after - self.start) // DAY_S + 2

    @property
    def begins_with_day(self) -> bool:
        """Whether nothing of the first date was before the period."""
        return self.first == _midnight(self.segments, _date_reached(self.segments, self.first))

    @property
    def whole_days(self) -> "Period":
        """The period extended to whole dates: from the first second of the first date to the last of the last."""
        if self.after <= self.start:
            return self
        first = _midnight(self.segments, _date_reached(self.segments, self.start))
        after = _midnight(self.segments, _date_reached(self.segments, self.end) + 1)
        return Period(first, after - 1, first, after, self.segments)

    @property
    def offsets(self) -> tuple[OffsetTime, ...]:
        """The segments that contain hits of the period; at least one."""
        overlapping = tuple(each for each in self.segments if each.begin < self.after and each.end > self.first)
        return overlapping or self.segments[:1]


def period(start: int, end: int, zone: tzinfo) -> Period:
    """The period from ``start`` to ``end``; empty if ``end`` is before ``start``.

    Times outside the years 1 to 9999 are moved to their ends.
    """
    start, end = _within(start), _within(end)
    # Days before and after, so that the cut end of a segment is not taken for a change of the zone's offset.
    cut = segments(zone, start - 3 * DAY_S, max(start, end) + 3 * DAY_S)
    if end < start:
        return Period(start, start - 1, start, start, cut)
    at_start = _at(cut, start)
    first = start if at_start.piece_of(start) == start else at_start.piece_after(start)
    return Period(start, end, first, _at(cut, end).piece_after(end), cut)


def exact_period(start: int, end: int, zone: tzinfo) -> Period:
    """The period from one moment to another, both included, to the second: not made of whole pieces."""
    whole = period(start, end, zone)
    return Period(whole.start, whole.end, whole.start, whole.end + 1, whole.segments)


def usual_start(now: int, zone: tzinfo) -> int:
    """The default start: midnight seven days ago."""
    return midnight(day_of(now, zone) - DAYS_BEFORE_TODAY, zone)


def usual_end(now: int, zone: tzinfo) -> int:
    """The default end: the last second of today."""
    return midnight(day_of(now, zone) + 1, zone) - 1


def day_of(moment: int, zone: tzinfo) -> int:
    """The local date, in days since 1970."""
    moment = _within(moment)
    return (moment + _offset(zone, moment)) // DAY_S


def midnight(day: int, zone: tzinfo) -> int:
    """The first second of a local date; of the next date if the zone skipped it."""
    around = _within(day * DAY_S)
    return _midnight(segments(zone, around - 3 * DAY_S, around + 3 * DAY_S), day)


def date_of(day: int) -> date:
    """The calendar date of a number of days since 1970."""
    return date.fromordinal(_EPOCH + day)


def weekday(day: date, *, sunday_first: bool) -> int:
    """How many days of its week are before a day."""
    return day.isoweekday() % 7 if sunday_first else day.weekday()


def segments(zone: tzinfo, begin: int, end: int) -> tuple[OffsetTime, ...]:
    """The zone's offsets from ``begin`` to ``end``, in order and without gaps."""
    begin, end = max(begin, EARLIEST), min(end, LATEST)
    changes = [change for change in _changes_between(zone, begin, end) if begin < change < end]
    edges = [begin, *changes, end]
    return tuple(OffsetTime(edge, following, _offset(zone, edge)) for edge, following in pairwise(edges))


def _changes_between(zone: tzinfo, begin: int, end: int) -> Iterator[int]:
    if isinstance(zone, timezone):  # of a fixed offset, like UTC
        return
    for chunk in range(begin // _CHUNK_S, end // _CHUNK_S + 1):
        yield from _changes(zone, chunk)


@lru_cache(_CHUNKS_REMEMBERED)
def _changes(zone: tzinfo, chunk: int) -> tuple[int, ...]:
    """The changes of offset in a chunk of time, each as the first second of the new offset."""
    begin = max(chunk * _CHUNK_S, EARLIEST)
    end = min((chunk + 1) * _CHUNK_S, LATEST)
    edges = [*range(begin, end, _STEP_S), end]
    offsets = [(edge, _offset(zone, edge)) for edge in edges]
    return tuple(
        _change(zone, edge, following, offset)
        for (edge, offset), (following, later) in pairwise(offsets)
        if offset != later
    )


def _change(zone: tzinfo, before: int, after: int, old: int) -> int:
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(zone, middle) == old:
            before = middle
        else:
            after = middle
    return after


def _offset(zone: tzinfo, moment: int) -> int:
    """Seconds by which the zone's clocks are ahead of UTC."""
    return int((datetime.fromtimestamp(moment, UTC).astimezone(zone).utcoffset() or _ZERO).total_seconds())


def _at(cut: tuple[OffsetTime, ...], moment: int) -> OffsetTime:
    """The segment that contains a moment."""
    return cut[max(0, bisect_right(cut, moment, key=_begin) - 1)]


def _begin(segment: OffsetTime) -> int:
    return segment.begin


def _midnight(cut: Iterable[OffsetTime], day: int) -> int:
    """The first second of a date. If clocks go back over midnight, they show a date twice; the first time counts."""
    first = 0
    for begin, end, offset in cut:
        first = max(begin, day * DAY_S - offset)
        if first < end:
            break
    return first


def _date_reached(cut: Iterable[OffsetTime], moment: int) -> int:
    """The latest date that clocks have shown until a moment; unlike the current date it never goes back."""
    return max(each.day_of(min(moment, each.end - 1)) for each in cut if each.begin <= moment)


def _days(cut: Iterable[OffsetTime], begin: int, end: int) -> list[int]:
    days: set[int] = set()
    for segment in cut:
        from_, to = max(segment.begin, begin), min(segment.end, end)
        if from_ < to:
            days.update(range(segment.day_of(from_), segment.day_of(to - 1) + 1))
    return sorted(days)


def _within(moment: int) -> int:
    return min(max(moment, EARLIEST), LATEST)
