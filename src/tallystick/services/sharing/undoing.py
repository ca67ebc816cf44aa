"""Selects the change that an undo reverts."""

from tallystick.errors import SharingReason, SharingRefused
from tallystick.ledger import Session
from tallystick.model.counter import INT64_MAX
from tallystick.model.shared_counter import Role
from tallystick.model.sharing import may

LOOKED_AT = 1_000
"""How many of a counter's last changes are searched for the person's newest one."""


def change_to_undo(
    session: Session, counter: int, account: int, role: Role | None, offset: int | None
) -> tuple[int, int]:
    """The number and the delta of the change. One statement, for a range of an index.

    Args:
        offset: the number of the change; None for the person's newest change.

    Raises:
        SharingRefused: NOTHING_TO_UNDO; FORBIDDEN for another person's change, except for admins.
    """
    if offset is None:
        row = session.common.newest_own_change(
            session.connection, counter=counter, account=account, looked_at=LOOKED_AT
        )
        if row is None:
            raise SharingRefused(SharingReason.NOTHING_TO_UNDO, "there is no change of yours to take back")
        return int(row[0]), int(row[1])
    return offset, _delta_of(session, counter, account, role, offset)


def _delta_of(session: Session, counter: int, account: int, role: Role | None, offset: int) -> int:
    row = None
    if 0 < offset <= INT64_MAX:
        row = session.common.change_to_undo(session.connection, counter=counter, number=offset)
    if row is None:
        raise SharingRefused(SharingReason.NOTHING_TO_UNDO, f"change {offset} is none that can be taken back")
    actor, delta = row
    if actor != account and not may(role, "admin"):
        raise SharingRefused(SharingReason.FORBIDDEN, "only admins take back what others did")
    return int(delta)
