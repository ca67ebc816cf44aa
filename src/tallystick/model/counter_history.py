"""The history of a counter: by hours of UTC, which are thinned out to days and to months with age.

``Counter.hour`` and ``Counter.base`` are the last hour in which it changed; earlier ones are kept as the same pair.
By how much a counter changed in an hour is the next hour's base less its own, or the value less the last base: so hours
can be left out without any sum going wrong, and the sums of all hours are what the value has changed by.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from tallystick.model.counter import Counter

MILESTONES = tuple(10**digits for digits in range(3, 19))
FIRST_MILESTONE = MILESTONES[0]

PastHours = Sequence[tuple[int, int]]
"""``hour`` and ``base`` of a counter's earlier hours, the oldest first."""


def sums_of(past: PastHours, counter: Counter) -> list[tuple[int, int]]:
    """The hours in which a counter changed, and by how much in each."""
    hours = [*past, (counter.hour, counter.base)] if counter.hour else []
    bases = [*(base for _, base in hours), counter.value]
    sums = [(hour, end - base) for (hour, _), (base, end) in zip(hours, pairwise(bases), strict=True)]
    return [(hour, added) for hour, added in sums if added]


def begin_of(past: PastHours, counter: Counter) -> int | None:
    """The hour in which a counter's known history begins; None if it has none yet."""
    return past[0][0] if past else counter.hour or None


def milestones_between(before: int, after: int) -> Sequence[int]:
    """The milestones that a value passes when it changes; none when it falls."""
    return MILESTONES[bisect_right(MILESTONES, before) : bisect_right(MILESTONES, after)]
