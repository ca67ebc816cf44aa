"""Which batches are moved, in PostgreSQL: a move is a numbered list of batches.

The order of a move: it is numbered here, its hits and its number are committed in the lake, its batches are removed
here. So each batch is moved once: the number in the lake shows which moves it has.
"""

from collections.abc import Sequence
from typing import NamedTuple

from tallystick.errors import StoreBusy
from tallystick.warehouse.lake.connecting import LakeConnection, queries, translated

BATCHES_AT_ONCE = 2_000


class LeaseLost(StoreBusy):
    """Another node has become the mover; a later attempt asks it for the lease."""

    def __init__(self) -> None:
        super().__init__("another server changes stored hits now")


class StoredBatch(NamedTuple):
    """A batch that is not in the lake."""

    seq: int
    content: bytes
    format: int
    hits: int


def newest_batch(opened: LakeConnection) -> int | None:
    """The greatest ``seq`` of a batch that is not in the lake; None if all are."""
    with translated(opened):
        newest = queries.newest_batch(opened.connection)
    return None if newest is None else int(newest)


def next_batches(opened: LakeConnection, through: int, max_hits: int) -> list[StoredBatch]:
    """The oldest batches up to ``through`` with at most so many hits, and at least one; empty if there is none."""
    with translated(opened):
        rows = queries.next_batches(opened.connection, through=through, max_batches=BATCHES_AT_ONCE, max_hits=max_hits)
        return [StoredBatch(seq, bytes(content), format_, hits) for seq, content, format_, hits in rows]


def begin(opened: LakeConnection, epoch: int, batches: Sequence[StoredBatch]) -> int:
    """Number the move of batches.

    Raises:
        LeaseLost
    """
    with translated(opened):
        number = queries.begin_move(opened.connection, epoch=epoch, seqs=[batch.seq for batch in batches])
    if number is None:
        raise LeaseLost
    return int(number)


def end(opened: LakeConnection, epoch: int, number: int) -> None:
    """Remove the batches of moves up to a number, which the lake has."""
    with translated(opened):
        queries.end_moves(opened.connection, epoch=epoch, number=number)


def recover(opened: LakeConnection, epoch: int, number: int) -> None:
    """Finish the moves that the lake has, and forget the others, whose batches are moved again.

    Args:
        number: of the newest move in the lake.

    Raises:
        LeaseLost
    """
    with opened.transaction():
        if queries.skip_moves(opened.connection, epoch=epoch, number=number) is None:
            raise LeaseLost
        queries.end_moves(opened.connection, epoch=epoch, number=number)
        queries.undo_moves(opened.connection, epoch=epoch, number=number)
