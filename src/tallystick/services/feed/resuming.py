"""The changes that a client missed between two live connections. Functions of ``(session, ...)``; times in ms."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from tallystick.ledger import Session
from tallystick.model.change import Change, state_event
from tallystick.model.shared_counter import SharedCounter
from tallystick.services.feed.change_feed import (
    Farewell,
    arrival,
    change_of,
    change_rows,
    deletion,
    states_of,
)
from tallystick.services.sharing.changes import last_change
from tallystick.services.sharing.sweeping import FAREWELLS_KEPT_MS

REPLAYED_AT_MOST = 1_000
"""The most changes that are sent one by one; for more, the newest state of each changed counter is sent."""
RESUMABLE_MS = FAREWELLS_KEPT_MS - 86_400_000
"""How far back a connection can resume: a day less than the sweep keeps farewells, so that none is missing."""

_encode = msgspec.json.Encoder().encode
_Numbered = tuple[int, Change]


class Resumed(Struct, frozen=True):
    """The changes that were missed.

    Attributes:
        recovered: whether they are complete; if not, the client has to read its counters again.
        position: the number of the last change that is included.
        changes: in the order of the commits.
    """

    recovered: bool
    position: int
    changes: Sequence[Change] = ()


class Missed(Struct, frozen=True, gc=False):
    """A counter with missed changes.

    Attributes:
        since: the number of the change with which the person became a member.
        newest, at: the number of its last change, and when it was.
        amount: how many changes were missed, counted up to ``REPLAYED_AT_MOST`` + 1.
    """

    counter: int
    since: int
    newest: int
    at: int
    amount: int


def missed_changes(session: Session, account: int, offset: int, now: int) -> Resumed:
    """Changes after an offset, of the counters that a person has now and of those that the person has lost.

    Costs two index look-ups for each counter of the person, and the rows that are sent. Of a counter that changed a
    million times, a thousand index entries are read, and no row.
    """
    position = last_change(session)
    if offset == position:
        return Resumed(recovered=True, position=position)
    if not 0 <= offset < position or not _has_all_farewells(session, offset, now - RESUMABLE_MS):
        return Resumed(recovered=False, position=position)
    farewells = _farewells(session, account, offset)
    if len(farewells) > REPLAYED_AT_MOST:
        return Resumed(recovered=False, position=position)
    missed = _missed(session, account, offset)
    states = states_of(session, [each.counter for each in missed])
    few = sum(each.amount for each in missed) + len(farewells) <= REPLAYED_AT_MOST
    changes = (_one_by_one if few else _newest)(session, offset, missed, states)
    everything = sorted([*changes, *((each.number, deletion(each)) for each in farewells)], key=_number)
    return Resumed(recovered=True, position=position, changes=[change for _, change in everything])


def _has_all_farewells(session: Session, offset: int, oldest: int) -> bool:
    """Whether all farewells after a change are still there: the change, or the one right after it, is young enough."""
    times = (
        session.common.time_up_to(session.connection, number=offset),
        session.common.time_of(session.connection, number=offset + 1),
    )
    return any(at is not None and at >= oldest for at in times)


def _farewells(session: Session, account: int, offset: int) -> list[Farewell]:
    rows = session.queries.farewells_of(
        session.connection, account=account, after=offset, max_rows=REPLAYED_AT_MOST + 1
    )
    return [Farewell(*row) for row in rows]


def _missed(session: Session, account: int, offset: int) -> list[Missed]:
    rows = session.queries.missed_of(session.connection, account=account, number=offset, at_most=REPLAYED_AT_MOST + 1)
    return [Missed(*row) for row in rows if row[-1]]


def _one_by_one(
    session: Session, offset: int, missed: Sequence[Missed], states: Mapping[int, SharedCounter]
) -> Iterable[_Numbered]:
    since = {each.counter: each.since for each in missed}
    for row in change_rows(_changes_of(session, missed, offset)):
        state, joined = states[row.counter], since[row.counter]
        if row.kind == "members" and row.number == joined:
            yield row.number, arrival(row, state)
        if row.number >= joined:
            yield row.number, change_of(row, state)


def _changes_of(session: Session, missed: Sequence[Missed], offset: int) -> Iterable[Sequence[Any]]:
    rows: Iterable[Sequence[Any]] = session.queries.changes_of(
        session.connection, counters=_ids(missed), number=offset, at_most=REPLAYED_AT_MOST
    )
    return rows


def _newest(
    session: Session, offset: int, missed: Sequence[Missed], states: Mapping[int, SharedCounter]
) -> Iterable[_Numbered]:
    """The state of each counter, and its members where they may have changed."""
    counted = [each for each in missed if each.amount <= REPLAYED_AT_MOST]
    rows = session.queries.members_changed(
        session.connection, counters=_ids(counted), number=offset, at_most=REPLAYED_AT_MOST
    )
    quiet = {each.counter for each in counted} - {int(row[0]) for row in rows}
    for each in missed:
        state = states[each.counter]
        if each.counter in quiet:
            yield each.newest, state_event(state, each.newest, each.at)
        else:
            # Two changes for one commit: a client that receives only the first resumes from the number before.
            yield each.newest, state_event(state, each.newest - 1, each.at)
            yield each.newest, Change(number=each.newest, counter=state.uid, kind="members", at=each.at)


def _ids(missed: Iterable[Missed]) -> str:
    return _encode([each.counter for each in missed]).decode()


def _number(numbered: _Numbered) -> int:
    return numbered[0]
