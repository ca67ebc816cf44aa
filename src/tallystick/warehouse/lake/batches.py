"""Encodes hits as one batch of the journal: the columns of the embedded journal, and what the mover adds ids from.

A node does not know ids and sessions: the mover gives them. Until then a batch has, beside the columns, what sessions
are made of.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from tallystick.errors import StoreFailed
from tallystick.model.hit import Hit, Visitor
from tallystick.model.session import NO_SESSION
from tallystick.warehouse.duckdb import rows
from tallystick.warehouse.duckdb.rows import Content
from tallystick.warehouse.duckdb.sessions import Sessions
from tallystick.warehouse.types import NumberedHit

_UNPLACED = NumberedHit(id=0, session=NO_SESSION, first=False)

FORMAT = rows.FORM.format
"""Of the batches that this program writes; it reads all older ones."""


class _Visits(Struct, array_like=True):
    """What the sessions of a batch's hits are made of, beside their columns; a list each.

    Attributes:
        current, previous: the visitor's hashes; None for a hit without a session.
        first: whether a hit is a first visit; None to let the mover decide.
        created: Unix seconds, also of sites that keep no single hits.
        single: whether the site keeps single hits.
    """

    current: list[int | None]
    previous: list[int | None]
    first: list[bool | None]
    created: list[int]
    single: list[bool]


class _Packed(Struct, array_like=True):
    """The content of a batch.

    Attributes:
        columns: as in the embedded journal, with neither ids nor sessions.
    """

    columns: bytes
    visits: _Visits


class NodeBatch(NamedTuple):
    """A batch as it is stored.

    Attributes:
        hits: their number.
    """

    content: bytes
    format: int
    hits: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Packed).decode


def pack(hits: Sequence[Hit]) -> NodeBatch:
    """Encode hits.

    Raises:
        ValueError: the lake would refuse one of the values.
    """
    columns, _ = rows.FORM.pack(hits, [_UNPLACED] * len(hits), [], [])
    visitors = [hit.visitor for hit in hits]
    visits = _Visits(
        [visitor.current if visitor else None for visitor in visitors],
        [visitor.previous if visitor else None for visitor in visitors],
        [hit.first for hit in hits],
        [hit.created for hit in hits],
        [hit.single for hit in hits],
    )
    return NodeBatch(_encode(_Packed(columns, visits)), FORMAT, len(hits))


def placed(content: bytes, format_: int, last_id: int, sessions: Sessions) -> Content:
    """Decode a batch, and give its hits ids above ``last_id`` and sessions.

    Raises:
        StoreFailed: it is damaged.
    """
    try:
        packed = _decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"the journal holds a damaged batch: {error}"
        raise StoreFailed(msg) from error
    batch = rows.recovered(packed.columns, format_)
    hits: Any = batch.hits
    hits.id = list(range(last_id + 1, last_id + len(hits.id) + 1))
    places = [sessions.place(hit, id_) for hit, id_ in zip(_hits(batch, packed.visits), hits.id, strict=True)]
    single = packed.visits.single
    hits.session = [place[0] if kept else NO_SESSION for place, kept in zip(places, single, strict=True)]
    hits.first = [first for _, first in places]
    return batch


def _hits(batch: Content, visits: _Visits) -> list[Hit]:
    """The hits with the fields that sessions are made of."""
    of_hits = zip(
        batch.hits.site,
        batch.hits.path,
        batch.hits.bot,
        visits.current,
        visits.previous,
        visits.first,
        visits.created,
        visits.single,
        strict=True,
    )
    return [
        Hit(
            site=site,
            path=path,
            bot=bot,
            visitor=None if current is None or previous is None else Visitor(current, previous),
            first=first,
            created=created,
            single=single,
        )
        for site, path, bot, current, previous, first, created, single in of_hits
    ]
