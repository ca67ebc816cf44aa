"""The record of changes of shared counters: their history, and the outbox for live connections.

Every change has a number; they rise by one in the order of the commits. Every writer calls ``hold_changes`` first and
holds that lock until the commit, so no reader can see a number before the ones below it.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from tallystick.ledger import Session
from tallystick.model.change import ChangeKind

CHANGES = "counter change"
"""The sequence that numbers them."""

_encode = msgspec.json.Encoder().encode


class Recorded(Struct, frozen=True, array_like=True, gc=False):
    """A row of the record; see ``model.change.Change``. Fields stand in the order of the query.

    Attributes:
        counter: ``SharedCounter.id``.
        actor: account of the person; None for a change by the server.
        undoes: number of the change that this one undoes.
    """

    counter: int
    kind: ChangeKind
    actor: int | None
    at: int
    delta: int | None = None
    value: int | None = None
    version: int | None = None
    undoes: int | None = None


def hold_changes(session: Session) -> None:
    """Take the lock on shared counters until the transaction ends: the first statement of every writer.

    On PostgreSQL other servers wait here, and nowhere else. The transaction may change everything about counters: what
    the session keeps of them is forgotten.
    """
    session.kept.clear()
    hold_values(session)


def hold_values(session: Session) -> None:
    """Like ``hold_changes``, for a transaction that changes nothing but values."""
    if session.shared:  # else a writing transaction excludes all others
        session.take_numbers(CHANGES, 0)


def last_change(session: Session) -> int:
    """The number of the last change of any shared counter; 0 before the first."""
    return int(session.common.last_number(session.connection, name=CHANGES))


def record(session: Session, change: Recorded) -> int:
    """Record one change. Returns its number."""
    return record_all(session, [change])


def record_all(session: Session, changes: Sequence[Recorded]) -> int:
    """Record changes in their order, in two statements. Returns the number of the first."""
    first = session.take_numbers(CHANGES, len(changes))
    session.queries.add_changes(session.connection, first=first, rows=_encode(changes).decode())
    return first
