"""How hits become rows: a batch goes to DuckDB as one JSON parameter of columns, which it takes fastest."""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from duckdb import DuckDBPyConnection as Connection
from msgspec import Struct

from tallystick.model.hit import HOUR_S, Bot, Hit, is_bot
from tallystick.model.session import NO_SESSION


class Stored(NamedTuple):
    """What the warehouse gave a hit.

    Attributes:
        id: consecutive in the order of commits; never given twice.
        session: 0 when the hit has none.
        first: whether it is its session's first hit on the path.
    """

    id: int
    session: int
    first: bool


class KeptRequest(Struct, frozen=True):
    """An answered request, so that its repetition is answered alike and stores nothing.

    Attributes:
        key: who asked, and the key they gave.
        fingerprint: of what they sent.
        answer: what they got.
        created: Unix seconds.
    """

    key: str
    fingerprint: str
    answer: str
    created: int


Column = Callable[[Sequence[Hit], Sequence[Stored]], list[Any]]


def _of_hit(name: str) -> Column:
    read = attrgetter(name)
    return lambda hits, _: list(map(read, hits))


def _of_stored(name: str) -> Column:
    read = attrgetter(name)
    return lambda _, stored: list(map(read, stored))


def _bots(hits: Sequence[Hit], _: Sequence[Stored]) -> list[int]:
    return [hit.bot if is_bot(hit.bot) else int(Bot.KNOWN_NOT) for hit in hits]


def _sessions(hits: Sequence[Hit], stored: Sequence[Stored]) -> list[int]:
    return [given.session if hit.single else NO_SESSION for hit, given in zip(hits, stored, strict=True)]


def _times(hits: Sequence[Hit], _: Sequence[Stored]) -> list[int]:
    return [hit.created if hit.single else hit.created - hit.created % HOUR_S for hit in hits]


COLUMNS: dict[str, tuple[str, Column]] = {
    "id": ("BIGINT", _of_stored("id")),
    "site": ("INTEGER", _of_hit("site")),
    "path": ("INTEGER", _of_hit("path")),
    "session": ("UBIGINT", _sessions),
    "first": ("BOOLEAN", _of_stored("first")),
    "event": ("BOOLEAN", _of_hit("event")),
    "bot": ("UTINYINT", _bots),
    "ref": ("VARCHAR", _of_hit("ref")),
    "ref_scheme": ("VARCHAR", _of_hit("ref_scheme")),
    "campaign": ("INTEGER", _of_hit("campaign")),
    "browser": ("VARCHAR", _of_hit("browser")),
    "browser_version": ("VARCHAR", _of_hit("browser_version")),
    "system": ("VARCHAR", _of_hit("system")),
    "system_version": ("VARCHAR", _of_hit("system_version")),
    "country": ("VARCHAR", _of_hit("country")),
    "region": ("VARCHAR", _of_hit("region")),
    "language": ("VARCHAR", _of_hit("language")),
    "width": ("UINTEGER", _of_hit("width")),
    "created": ("BIGINT", _times),
}
"""The table's columns in order: their types, and where their values come from."""


SHAPES = {
    "hit": {name: kind for name, (kind, _) in COLUMNS.items()},
    "renamed_visitor": {"key": "UBIGINT", "session": "UBIGINT", "created": "BIGINT"},
    "request": dict.fromkeys(KeptRequest.__struct_fields__, "VARCHAR") | {"created": "BIGINT"},
}
_encode = msgspec.json.Encoder().encode


def prepare(connection: Connection) -> None:
    """Have the statements ready on a writing connection: planning one costs twice what carrying it out does."""
    for table, shape in SHAPES.items():
        json = ", ".join(f'"{name}": ["{kind}"]' for name, kind in shape.items())
        columns = ", ".join(f"unnest(r.{name})" for name in shape)
        rows = f"SELECT {columns} FROM (SELECT from_json($1::VARCHAR, '{{{json}}}') r)"  # noqa: S608  # all ours
        connection.execute(f"PREPARE insert_{table} AS INSERT INTO {table} {rows}")


def insert_hits(connection: Connection, hits: Sequence[Hit], stored: Sequence[Stored]) -> None:
    """Add hits."""
    _insert(connection, "hit", {name: column(hits, stored) for name, (_, column) in COLUMNS.items()})


def insert_renamed(connection: Connection, renamed: Sequence[tuple[int, int, int]]) -> None:
    """Keep under which new keys living sessions are found: (key, session, Unix seconds)."""
    if renamed:
        _insert(
            connection, "renamed_visitor", dict(zip(SHAPES["renamed_visitor"], zip(*renamed, strict=True), strict=True))
        )


def insert_requests(connection: Connection, requests: Sequence[KeptRequest]) -> None:
    """Keep answers."""
    if requests:
        _insert(connection, "request", {name: [getattr(kept, name) for kept in requests] for name in SHAPES["request"]})


def _insert(connection: Connection, table: str, columns: Mapping[str, Sequence[object]]) -> None:
    # EXECUTE takes no bound parameters, only literals; what JSON leaves to escape in one is the quote.
    literal = _encode(columns).decode().replace("'", "''")
    connection.execute(f"EXECUTE insert_{table}('{literal}')")
