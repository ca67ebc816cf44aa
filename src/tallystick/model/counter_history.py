"""The history of a counter: by hours of UTC, which are thinned out to days and to months with age.

``Counter.hour`` and ``Counter.base`` are the last hour in which it changed; earlier ones are kept as the same pair.
By how much a counter changed in an hour is the next hour's base less its own, or the value less the last base: so hours
can be left out without any sum going wrong, and the sums of all hours are what the value has changed by.
"""

from bisect import bisect_right
from collections.abc import Sequence

MILESTONES = tuple(10**digits for digits in range(3, 19))
FIRST_MILESTONE = MILESTONES[0]


def milestones_between(before: int, after: int) -> Sequence[int]:
    """The milestones that a value passes when it changes; none when it falls."""
    return MILESTONES[bisect_right(MILESTONES, before) : bisect_right(MILESTONES, after)]
