"""What a batch adds to the history of its counters: hours that are over, and milestones."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from tallystick.model.counter import Counter
from tallystick.model.counter_history import FIRST_MILESTONE, milestones_between
from tallystick.model.key import Key


class PastHour(NamedTuple):
    """An hour in which a counter changed, and its value at the start; see ``Counter.hour``."""

    key: Key
    hour: int
    base: int


class ReachedMilestone(NamedTuple):
    """A power of ten that a counter has risen to; ``at`` in Unix milliseconds."""

    key: Key
    value: int
    at: int


class HistoryChanges(Struct):
    """What a batch changes in the history of counters.

    Attributes:
        forgotten: counters whose history ends: they were deleted, or had expired and were created again.
        moved: counters that were there, and whose ``hour`` is another one now.
    """

    forgotten: list[Key]
    hours: list[PastHour]
    milestones: list[ReachedMilestone]
    moved: Sequence[Key] = ()

    def __bool__(self) -> bool:
        return bool(self.forgotten or self.hours or self.milestones)


def history_of(
    changed: Mapping[Key, Counter | None], loaded: Mapping[Key, Counter], created: Collection[Key], now: int
) -> HistoryChanges:
    """Compare a batch's counters before and after.

    Args:
        created: keys for which the batch created a counter.
        now: of the batch, Unix milliseconds.
    """
    forgotten: list[Key] = []
    hours: list[PastHour] = []
    milestones: list[ReachedMilestone] = []
    moved: list[Key] = []
    for key, after in changed.items():
        before = loaded.get(key)
        if before is not None and (after is None or key in created):
            forgotten.append(key)
            before = None
        if after is None:
            continue
        if before is not None and before.hour != after.hour:
            moved.append(key)
            if before.hour and before.base != before.value:
                hours.append(PastHour(key, before.hour, before.base))
        start = after.base if before is None else before.value
        # All milestones are multiples of the first: most changes pass none, which two divisions tell.
        if after.value // FIRST_MILESTONE > start // FIRST_MILESTONE:
            milestones += [ReachedMilestone(key, value, now) for value in milestones_between(start, after.value)]
    return HistoryChanges(forgotten, hours, milestones, moved)
