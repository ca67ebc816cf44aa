"""Milestones that the admins of a shared counter chose, beside the powers of ten.

Each has the number of the first change that reached it and was not undone. It is noted by the transaction of that
change, so nothing is searched for when a counter is shown. A new milestone looks for it once, in the counter's changes.
Functions of ``(session, ...)``.
"""

from collections.abc import Sequence

from msgspec import Struct

from tallystick.errors import SharingReason, SharingRefused
from tallystick.ledger import Session
from tallystick.model.shared_counter import SharedCounter
from tallystick.model.sharing import in_range

OWN_MILESTONES_AT_MOST = 20


class OwnMilestone(Struct, frozen=True):
    """A milestone of a counter.

    Attributes:
        at: when the value first rose to it, Unix milliseconds; that of the creation if the counter began there or
            beyond; None if it was never reached.
    """

    value: int
    at: int | None


def own_milestones(session: Session, counter: SharedCounter) -> list[OwnMilestone]:
    """The milestones of a counter, the lowest first."""
    rows = list(session.common.own_milestones(session.connection, counter=counter.id))
    if not rows:
        return []
    begun = session.common.first_value(session.connection, counter=counter.id)
    return [OwnMilestone(value, counter.created if begun is not None and value <= begun else at) for value, at in rows]


def check_milestones(counter: SharedCounter, values: Sequence[int]) -> None:
    """Check the milestones that a counter is to have.

    Raises:
        SharingRefused: INVALID_DATA or OUT_OF_RANGE.
    """
    if values and counter.type != "UpDown":
        raise SharingRefused(SharingReason.INVALID_DATA, f"a {counter.type} counter has no milestones of its own")
    if len(set(values)) > OWN_MILESTONES_AT_MOST:
        raise SharingRefused(
            SharingReason.INVALID_DATA, f"a counter has at most {OWN_MILESTONES_AT_MOST} milestones of its own"
        )
    if not all(map(in_range, values)):
        raise SharingRefused(SharingReason.OUT_OF_RANGE, "values must fit into 64 bits")


def set_milestones(session: Session, counter: SharedCounter, values: Sequence[int]) -> None:
    """Give a counter milestones in place of those that it has; see ``check_milestones``."""
    common, connection = session.common, session.connection
    stored = {value for value, _ in common.own_milestones(connection, counter=counter.id)}
    for value in sorted(stored - set(values)):
        common.remove_own_milestone(connection, counter=counter.id, value=value)
    for value in sorted(set(values) - stored):
        common.add_own_milestone(connection, counter=counter.id, value=value)


def note_reached(session: Session, counter: int, before: int, after: int, number: int) -> None:
    """Note that a change has reached the milestones above ``before`` and up to ``after``, unless others did earlier.

    Args:
        number: of the change, which is recorded already.
    """
    if after > before:
        session.common.reach_own_milestones(
            session.connection, counter=counter, before=before, after=after, number=number
        )


def note_undone(session: Session, counter: int, number: int) -> None:
    """Look for the first change that reached the milestones that an undone one had reached.

    Args:
        number: of the change that was undone; that it was is recorded already.
    """
    common, connection = session.common, session.connection
    rows = list(common.own_milestones_of_change(connection, counter=counter, number=number))
    for (value,) in rows:
        common.remove_own_milestone(connection, counter=counter, value=value)
        common.add_own_milestone(connection, counter=counter, value=value)
