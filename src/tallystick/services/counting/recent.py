"""By how much a public counter changed lately, by hour or day of UTC."""

from collections.abc import Sequence

from msgspec import Struct

from tallystick.ledger import Session
from tallystick.model.counter import HOUR_MS, alive
from tallystick.model.counter_history import sums_of
from tallystick.model.key import Key, lane_of

HOURS_A_DAY = 24


class RecentSums(Struct, frozen=True):
    """A number and how it came about in its last days.

    Attributes:
        value: the number now.
        added: by how much it changed in the days.
        parts: by how much in each of the hours of a single day, those to come included, or in each of several days.
    """

    value: int
    added: int
    parts: Sequence[int]


def recent_sums(session: Session, key: Key, days: int, now: int) -> RecentSums | None:
    """The last days of a counter, today included; None if there is no such counter.

    Args:
        days: not more than hours are kept for.
        now: Unix milliseconds.
    """
    counter = alive(session.find([key]).get(key), now)
    if counter is None:
        return None
    first = first_hour(days, now)
    place = {"lane": lane_of(key), **key._asdict()}
    past = [*session.common.past_hours(session.connection, **place, since=first)]
    hours_a_part = 1 if days == 1 else HOURS_A_DAY
    parts = [0] * (days * HOURS_A_DAY // hours_a_part)
    for hour, amount in sums_of(past, counter):
        # Clocks of servers differ: what another one counted in the next hour belongs to the last part.
        if hour >= first:
            parts[min((hour - first) // hours_a_part, len(parts) - 1)] += amount
    return RecentSums(counter.value, sum(parts), parts)


def first_hour(days: int, now: int) -> int:
    """The hour in which the first of some days of UTC begins, the last of which is today; in hours since 1970."""
    today = now // HOUR_MS // HOURS_A_DAY
    return (today - days + 1) * HOURS_A_DAY
