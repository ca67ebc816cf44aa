"""The lease of the lake: its holder is the mover, the only node that writes there.

Times are the database's, so that nodes' clocks need not agree. Each taking raises the epoch, and the lake refuses the
commit of another epoch: a node that was frozen while another took over can change nothing any more.
"""

from typing import NamedTuple

from tallystick.warehouse.lake.connecting import LakeConnection, queries, translated
from tallystick.warehouse.types import LakeStanding

LEASE_S = 8.0
"""How long the lease is valid without an extension: another node is the mover within ten seconds."""
EXTENDED_EVERY_S = 1.5


class Known(NamedTuple):
    """What a program knows; where there is anything newer, it leaves the lease to newer programs.

    Attributes:
        format: the newest format of batches that it reads.
        schema: the newest schema of the lake.
    """

    format: int
    schema: int


class LeaseState(NamedTuple):
    """The lease at one moment.

    Attributes:
        holder: the node; empty before the first one.
        valid: whether it has not ended.
        moves: the newest number of a move.
        schema: of the lake; 0 where no holder has noted it.
    """

    epoch: int
    holder: str
    valid: bool
    moves: int
    schema: int


class LeaseHeld(NamedTuple):
    """An extension that succeeded.

    Attributes:
        wanted_by: the node that asks for the lease; empty for none.
    """

    wanted_by: str


def take(opened: LakeConnection, node: str, known: Known, seconds: float = LEASE_S) -> int | None:
    """Take the lease if it has ended, and if this program knows everything that is there. Returns the new epoch."""
    with translated(opened):
        epoch = queries.take_lease(
            opened.connection, holder=node, length=round(seconds * 1000), format=known.format, schema=known.schema
        )
    return None if epoch is None else int(epoch)


def extend(opened: LakeConnection, epoch: int, seconds: float = LEASE_S) -> LeaseHeld | None:
    """Extend the lease; None if another node has taken it."""
    with translated(opened):
        row = queries.extend_lease(opened.connection, epoch=epoch, length=round(seconds * 1000))
    return None if row is None else LeaseHeld(row[0] or "")


def release(opened: LakeConnection, epoch: int) -> None:
    """End the lease, unless another node has taken it."""
    with translated(opened):
        queries.release_lease(opened.connection, epoch=epoch)


def ask_for(opened: LakeConnection, node: str, known: Known) -> bool:
    """Ask the holder for the lease, and wake it. Returns whether this program may have it; see ``take``."""
    with translated(opened):
        asked = queries.want_lease(opened.connection, node=node, format=known.format, schema=known.schema)
    return asked is not None


def standing(opened: LakeConnection, known: int) -> LakeStanding | None:
    """How the nodes do; None if none has started yet.

    Args:
        known: the newest schema of the lake that this program knows.
    """
    with translated(opened):
        there = opened.connection.execute("SELECT to_regclass('tallystick_hits.lease') IS NOT NULL").fetchone()
        if there != (True,):
            return None
        _, hits, age = queries.waiting(opened.connection)
    held = state(opened)
    return LakeStanding(held.holder if held.valid else "", int(hits), float(age or 0), held.schema, known)


def state(opened: LakeConnection) -> LeaseState:
    """The lease now."""
    with translated(opened):
        return LeaseState(*queries.lease(opened.connection))
