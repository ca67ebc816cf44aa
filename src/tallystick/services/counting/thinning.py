"""Thins out the history of public counters: old hours to one row a day, old days to one a month.

Only rows are deleted that no sum needs (``model.counter_history``), so a step may be repeated or cut short, and several
servers may do the same. How far each lane has come is stored when the lane is done.
"""

import msgspec
from msgspec import Struct

from tallystick.ledger import Ledger, Session
from tallystick.model.counter_intervals import KeptSince, kept_at
from tallystick.model.key import LANES, Key, is_public

COUNTERS_AT_ONCE = 500
"""In one transaction: with a day's hours of each, 12,000 rows."""
STEPS_AT_ONCE = 10

_FIRST, _BEYOND = Key("", ""), Key("~", "")
_NEXT = " "
"""Less than every legal character: a name with it behind is greater than the name, and than nothing else."""

_UNTOUCHED = KeptSince(0, 0)

_encode = msgspec.json.Encoder().encode


class WalkPlace(Struct, frozen=True):
    """Where a walk goes on: in a lane, with the counter of this name or the next one."""

    lane: int
    start: Key


class HistoryThinning:
    """Walks through all counters, lane by lane, once a day; used from one event loop."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._place = WalkPlace(0, _FIRST)
        self._done: KeptSince | None = None
        """For which bounds all lanes are done."""

    async def work(self) -> None:
        """Some steps of the walk, each in a transaction of its own; does nothing when all is done for today."""
        for _ in range(STEPS_AT_ONCE):
            if self._done == kept_at(self._ledger.clock()):
                return
            await self._step()

    async def _step(self) -> None:
        kept = kept_at(self._ledger.clock())
        following = await self._ledger.write(thin_out, self._place, kept)
        if following.lane == LANES:
            following, self._done = WalkPlace(0, _FIRST), kept
        self._place = following


def thin_out(session: Session, place: WalkPlace, kept: KeptSince) -> WalkPlace:
    """Thin out the history of the next counters of a lane. Returns where to go on."""
    connection, lane = session.connection, place.lane
    through = _through(session, lane)
    if through.hours_from >= kept.hours_from and through.days_from >= kept.days_from:
        return WalkPlace(lane + 1, _FIRST)
    page = session.between(lane, place.start, _BEYOND, COUNTERS_AT_ONCE)
    keys = _encode([key._asdict() for key, _ in page if is_public(key)]).decode()
    session.queries.keep_days(connection, lane=lane, keys=keys, since=through.hours_from, until=kept.hours_from)
    if through.days_from < kept.days_from:
        session.queries.keep_months(connection, lane=lane, keys=keys, since=through.days_from, until=kept.days_from)
    if len(page) == COUNTERS_AT_ONCE:
        last = page[-1][0]
        return WalkPlace(lane, Key(last.namespace, last.key + _NEXT))
    session.common.note_thinned(connection, lane=lane, days=kept.hours_from, months=kept.days_from)
    return WalkPlace(lane + 1, _FIRST)


def _through(session: Session, lane: int) -> KeptSince:
    row = session.common.thinned_through(session.connection, lane=lane)
    return _UNTOUCHED if row is None else KeptSince(*row)
