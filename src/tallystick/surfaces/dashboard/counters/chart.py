"""What the charts of a shared counter are drawn from."""

from collections import Counter as Tally
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tallystick.model.question import TimeUnit
from tallystick.surfaces.dashboard.charts.time_chart import Bucket, TimeChart, time_chart
from tallystick.surfaces.dashboard.charts.words import NumberWords
from tallystick.surfaces.dashboard.support.language import N_, Language

CHANGES_AT_MOST = 10_000
"""The newest changes that a chart is drawn from."""

_BY_HOUR, _BY_DAY = timedelta(days=3), timedelta(days=120)


def changes_chart(language: Language, deltas: Sequence[tuple[int, int]], zone: ZoneInfo, now: int) -> TimeChart | None:
    """By how much a counter changed in each hour, day or month, whichever fits; None for a single one.

    Args:
        deltas: time (Unix milliseconds) and change, newest first, at most ``CHANGES_AT_MOST``.
        now: Unix milliseconds.
    """
    if not deltas:
        return None
    present, oldest = _local(now, zone), _local(deltas[-1][0], zone)
    unit = _unit(present - oldest)
    sums: Tally[datetime] = Tally()
    for at, delta in deltas:
        sums[_start(_local(at, zone), unit)] += delta
    starts = list(_starts(_start(oldest, unit), max(present, _local(deltas[0][0], zone)), unit))
    if len(deltas) >= CHANGES_AT_MOST and len(starts) > 1:
        del starts[0]  # some of its changes were not read
    if len(starts) == 1:
        return None
    buckets = [Bucket(start=start, value=sums[start], unfinished=start == starts[-1]) for start in starts]
    words = NumberWords(language=language, title=language.gettext(N_("Change of the value")), good_is_up=None)
    return time_chart(buckets, unit, words)


def _local(milliseconds: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, zone).replace(tzinfo=None)


def _unit(span: timedelta) -> TimeUnit:
    if span < _BY_HOUR:
        return TimeUnit.HOUR
    return TimeUnit.DAY if span < _BY_DAY else TimeUnit.MONTH


def _start(at: datetime, unit: TimeUnit) -> datetime:
    hour = at.replace(minute=0, second=0, microsecond=0)
    if unit is TimeUnit.HOUR:
        return hour
    return hour.replace(hour=0) if unit is TimeUnit.DAY else hour.replace(hour=0, day=1)


def _starts(first: datetime, last: datetime, unit: TimeUnit) -> Iterator[datetime]:
    start = first
    while start <= last:
        yield start
        if unit is TimeUnit.HOUR:
            start += timedelta(hours=1)
        else:
            start = _start(start + timedelta(days=1 if unit is TimeUnit.DAY else 31), unit)
