"""How hits become rows: columns in the journal, and one JSON document of columns to DuckDB, which it takes fastest."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import attrgetter
from types import GenericAlias
from typing import Annotated, Any

import msgspec
from duckdb import DuckDBPyConnection as Connection
from msgspec import Meta, Struct
from msgspec.structs import astuple

from tallystick.errors import StoreFailed
from tallystick.model.hit import HOUR_S, Bot, Hit, is_bot
from tallystick.model.product import Named, known_browser, known_system
from tallystick.model.session import NO_SESSION
from tallystick.warehouse.types import KeptRequest, NewestIds, Stored

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


FORMAT = 1
"""How a batch is encoded in the journal: MessagePack of ``Content``, hits as lists in the order of ``COLUMNS``.

Whoever changes ``COLUMNS`` or ``Content`` takes the next number and teaches ``unpacked`` the one before: a newer
program finds batches of an older one in the journal, and must not take one column for another.
"""

SHAPES = {
    "hit": {name: kind for name, (kind, _) in COLUMNS.items()},
    "renamed_visitor": {"key": "UBIGINT", "session": "UBIGINT", "created": "BIGINT"},
    "request": dict.fromkeys(KeptRequest.__struct_fields__, "VARCHAR") | {"created": "BIGINT"},
}

_ACCEPTED: dict[str, Any] = {
    "BIGINT": Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)],
    "INTEGER": Annotated[int, Meta(ge=-(1 << 31), le=(1 << 31) - 1)],
    "UBIGINT": int,
    "UINTEGER": Annotated[int, Meta(ge=0, le=(1 << 32) - 1)],
    "UTINYINT": Annotated[int, Meta(ge=0, le=255)],
    "BOOLEAN": bool,
    "VARCHAR": str,
}
"""What DuckDB takes for each type: nothing that it would refuse may be acknowledged before it has it."""

_MAY_BE_NULL = frozenset({"campaign"})


def _accepted(name: str, kind: str) -> tuple[str, Any]:
    accepted = _ACCEPTED[kind] | None if name in _MAY_BE_NULL else _ACCEPTED[kind]
    return name, GenericAlias(list, accepted)


Columns: Any = msgspec.defstruct(
    "Columns", [_accepted(name, kind) for name, (kind, _) in COLUMNS.items()], array_like=True
)


class Content(Struct, array_like=True):
    """What one commit of the journal holds.

    Attributes:
        hits: by column, as in ``COLUMNS``.
        renamed: visitor's new key, session, Unix seconds.
    """

    hits: Columns
    renamed: list[tuple[int, int, int]] = []
    requests: list[KeptRequest] = []


_encode = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Content).decode


def packed(
    hits: Sequence[Hit],
    stored: Sequence[Stored],
    renamed: Sequence[tuple[int, int, int]],
    requests: Sequence[KeptRequest],
) -> tuple[bytes, Content]:
    """A batch as the journal keeps it, and as it is read back from there.

    Raises:
        ValueError: DuckDB would refuse one of the values.
    """
    columns = [column(hits, stored) for _, column in COLUMNS.values()]
    content = _pack((columns, renamed, requests))
    return content, unpacked(content)


def unpacked(content: bytes, format_: int = FORMAT) -> Content:
    """What the journal kept.

    Raises:
        StoreFailed: it is damaged, or of a format that this program does not know.
    """
    if format_ != FORMAT:
        msg = (
            f"the journal holds hits in format {format_}, this program knows format {FORMAT}: start a newer Tallystick"
        )
        raise StoreFailed(msg)
    try:
        return _unpack(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"the journal holds a damaged batch: {error}"
        raise StoreFailed(msg) from error


def newest(content: Content) -> NewestIds:
    """The newest ids that hits refer to."""
    hits = content.hits
    campaigns = [campaign for campaign in hits.campaign if campaign is not None]
    return NewestIds(max(hits.site, default=0), max(hits.path, default=0), max(campaigns, default=0))


def recovered(content: bytes, format_: int = FORMAT) -> Content:
    """What a journal kept that an older program may have written: its names become those of the closed list.

    Raises:
        StoreFailed: it is damaged, or of a format that this program does not know.
    """
    found = unpacked(content, format_)
    hits = found.hits
    hits.browser, hits.browser_version = _known(known_browser, hits.browser, hits.browser_version)
    hits.system, hits.system_version = _known(known_system, hits.system, hits.system_version)
    return found


def _known(known: Callable[[str, str], Named], names: list[str], versions: list[str]) -> tuple[list[str], list[str]]:
    pairs = [known(name, version) for name, version in zip(names, versions, strict=True)]
    return [name for name, _ in pairs], [version for _, version in pairs]


def prepare(connection: Connection) -> None:
    """Have the statements ready on a writing connection: planning one costs twice what carrying it out does."""
    for table, shape in SHAPES.items():
        json = ", ".join(f'"{name}": ["{kind}"]' for name, kind in shape.items())
        columns = ", ".join(f"unnest(r.{name})" for name in shape)
        rows = f"SELECT {columns} FROM (SELECT from_json($1::VARCHAR, '{{{json}}}') r)"  # noqa: S608  # all ours
        connection.execute(f"PREPARE insert_{table} AS INSERT INTO {table} {rows}")


def insert(connection: Connection, contents: Sequence[Content]) -> None:
    """Add what some batches hold, in one statement a table."""
    for table, rows in (
        ("hit", {name: _joined(getattr(content.hits, name) for content in contents) for name in COLUMNS}),
        ("renamed_visitor", _by_column("renamed_visitor", _joined(content.renamed for content in contents))),
        ("request", _by_column("request", map(astuple, _joined(content.requests for content in contents)))),
    ):
        if next(iter(rows.values())):
            # EXECUTE takes no bound parameters, only literals; what JSON leaves to escape in one is the quote.
            literal = _encode(rows).decode().replace("'", "''")
            connection.execute(f"EXECUTE insert_{table}('{literal}')")


def _joined(parts: Iterable[Iterable[Any]]) -> list[Any]:
    return list(chain.from_iterable(parts))


def _by_column(table: str, rows: Iterable[Sequence[Any]]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in SHAPES[table]}
    for row in rows:
        for values, value in zip(columns.values(), row, strict=True):
            values.append(value)
    return columns
