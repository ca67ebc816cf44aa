"""Encodes hits as rows: columns in the journal, and one JSON document of columns for DuckDB, which it reads fastest."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, repeat
from types import GenericAlias
from typing import Annotated, Any, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec
from duckdb import DuckDBPyConnection as Connection
from msgspec import Meta, Struct
from msgspec.structs import astuple

from tallystick.errors import StoreFailed
from tallystick.model.hit import HOUR_S, Bot, Hit, is_bot
from tallystick.model.product import Named, known_browser, known_system
from tallystick.model.session import NO_SESSION
from tallystick.warehouse.types import IdempotencyRecord, NewestIds, NumberedHit

Fields = Mapping[str, Sequence[Any]]
"""Values of all hits of a batch, by field."""
Values = Callable[[Fields, Fields], Sequence[Any]]


class Column(NamedTuple):
    """A column of the table of hits.

    Attributes:
        kind: DuckDB's type.
        values: computes its values from hits and their assigned values.
        since: the first format that has it; see ``BatchForm``.
        default: its value in hits of older formats.
    """

    kind: str
    values: Values
    since: int = 1
    default: str | int | bool | None = None


def _of_hit(name: str) -> Values:
    return lambda hits, _: hits[name]


def _of_stored(name: str) -> Values:
    return lambda _, stored: stored[name]


def _bots(hits: Fields, _: Fields) -> list[int]:
    return [bot if is_bot(bot) else int(Bot.KNOWN_NOT) for bot in hits["bot"]]


def _sessions(hits: Fields, stored: Fields) -> list[int]:
    pairs = zip(hits["single"], stored["session"], strict=True)
    return [session if single else NO_SESSION for single, session in pairs]


def _times(hits: Fields, _: Fields) -> list[int]:
    pairs = zip(hits["single"], hits["created"], strict=True)
    return [created if single else created - created % HOUR_S for single, created in pairs]


COLUMNS = {
    "id": Column("BIGINT", _of_stored("id")),
    "site": Column("INTEGER", _of_hit("site")),
    "path": Column("INTEGER", _of_hit("path")),
    "session": Column("UBIGINT", _sessions),
    "first": Column("BOOLEAN", _of_stored("first")),
    "event": Column("BOOLEAN", _of_hit("event")),
    "bot": Column("UTINYINT", _bots),
    "ref": Column("VARCHAR", _of_hit("ref")),
    "ref_scheme": Column("VARCHAR", _of_hit("ref_scheme")),
    "campaign": Column("INTEGER", _of_hit("campaign")),
    "browser": Column("VARCHAR", _of_hit("browser")),
    "browser_version": Column("VARCHAR", _of_hit("browser_version")),
    "system": Column("VARCHAR", _of_hit("system")),
    "system_version": Column("VARCHAR", _of_hit("system_version")),
    "country": Column("VARCHAR", _of_hit("country")),
    "region": Column("VARCHAR", _of_hit("region")),
    "language": Column("VARCHAR", _of_hit("language")),
    "width": Column("UINTEGER", _of_hit("width")),
    "created": Column("BIGINT", _times),
    **{
        name: Column("VARCHAR", _of_hit(name), since=2, default="")
        for name in ("utm_source", "utm_medium", "utm_content", "utm_term", "host", "source", "channel")
    },
    "page": Column("INTEGER", _of_hit("page"), since=3, default=None),
    "props": Column("VARCHAR", _of_hit("props"), since=3, default=""),
    "interactive": Column("BOOLEAN", _of_hit("interactive"), since=3, default=True),
    "device": Column("VARCHAR", _of_hit("device"), since=3, default=""),
}
"""The table's columns. Append only: their order is that of the journal's batches."""

_ACCEPTED: dict[str, Any] = {
    "BIGINT": Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)],
    "INTEGER": Annotated[int, Meta(ge=-(1 << 31), le=(1 << 31) - 1)],
    "UBIGINT": int,
    "UINTEGER": Annotated[int, Meta(ge=0, le=(1 << 32) - 1)],
    "UTINYINT": Annotated[int, Meta(ge=0, le=255)],
    "BOOLEAN": bool,
    "VARCHAR": str,
}
"""Values that DuckDB accepts for each type: a value that it would refuse must not be acknowledged."""

_MAY_BE_NULL = frozenset({"campaign", "page"})

_ColumnsOfHits = TypeVar("_ColumnsOfHits")


class Batch(Struct, Generic[_ColumnsOfHits], array_like=True):
    """The content of one commit of the journal.

    Attributes:
        hits: a list for each column.
        renamed: visitor's key, session, Unix seconds; older versions stored only keys under a new salt.
    """

    hits: _ColumnsOfHits
    renamed: list[tuple[int, int, int]] = []
    requests: list[IdempotencyRecord] = []


Content: TypeAlias = Batch[Any]

_pack = msgspec.msgpack.Encoder().encode


class BatchForm:
    """How batches are encoded in the journal: MessagePack of a ``Batch``, columns as lists in their order.

    The journal stores the format of each batch, because newer versions read batches of older ones. A new column must
    be the last of ``COLUMNS``, with the next format as ``since``; hits of older formats get its default. Any other
    change of the form needs a separate decoder for older batches.

    Attributes:
        columns: by name.
        format: that this program writes.
    """

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self.columns = columns
        self.format = max(column.since for column in columns.values())
        self._values = [column.values for column in columns.values()]
        self._added = {name: column for name, column in columns.items() if column.since > 1}
        fields = [_field(name, column) for name, column in columns.items()]
        hits: Any = msgspec.defstruct("Columns", fields, array_like=True)
        self._batch: Any = Batch[hits]
        self._decode = msgspec.msgpack.Decoder(self._batch).decode

    def pack(
        self,
        hits: Sequence[Hit],
        stored: Sequence[NumberedHit],
        keys: Sequence[tuple[int, int, int]],
        requests: Sequence[IdempotencyRecord],
    ) -> tuple[bytes, Content]:
        """Encode a batch. Returns the bytes for the journal, and the batch as it would be decoded from them.

        Raises:
            ValueError: DuckDB would refuse one of the values.
        """
        fields = _by_field(Hit, hits), _by_field(NumberedHit, stored)
        columns = [values(*fields) for values in self._values]
        # Checked by converting, not by decoding: that would make each text anew.
        return _pack((columns, keys, requests)), msgspec.convert((columns, keys, requests), self._batch)

    def unpack(self, content: bytes, format_: int) -> Content:
        """Decode a batch of the present format, or of an older one.

        Raises:
            StoreFailed: it is damaged.
        """
        try:
            batch = self._decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            msg = f"the journal holds a damaged batch: {error}"
            raise StoreFailed(msg) from error
        for name, column in self._added.items():
            if column.since > format_:
                setattr(batch.hits, name, [column.default] * len(batch.hits.id))
        return batch


def _by_field(kind: type[Struct], structs: Sequence[Struct]) -> Fields:
    columns = zip(*map(astuple, structs), strict=True) if structs else repeat(())
    return dict(zip(kind.__struct_fields__, columns, strict=False))


def _field(name: str, column: Column) -> tuple[str, Any] | tuple[str, Any, Any]:
    accepted = _ACCEPTED[column.kind] | None if name in _MAY_BE_NULL else _ACCEPTED[column.kind]
    values = GenericAlias(list, accepted)
    # Batches of older formats end before it.
    return (name, values) if column.since == 1 else (name, values, None)


FORM = BatchForm(COLUMNS)

REQUEST = dict.fromkeys(IdempotencyRecord.__struct_fields__, "VARCHAR") | {"created": "BIGINT"}
RENAMED_VISITOR = {"key": "UBIGINT", "session": "UBIGINT", "created": "BIGINT"}

_encode = msgspec.json.Encoder().encode


def newest(content: Content) -> NewestIds:
    """The newest ids that hits refer to."""
    hits = content.hits
    campaigns, pages = ([id_ for id_ in ids if id_ is not None] for ids in (hits.campaign, hits.page))
    newest_path = max(max(hits.path, default=0), max(pages, default=0))
    return NewestIds(max(hits.site, default=0), newest_path, max(campaigns, default=0))


def recovered(content: bytes, format_: int) -> Content:
    """Decode a batch that an older version may have written: names of products become those of the closed list.

    Raises:
        StoreFailed: it is damaged.
    """
    batch = FORM.unpack(content, format_)
    hits = batch.hits
    hits.browser, hits.browser_version = _from_closed_list(known_browser, hits.browser, hits.browser_version)
    hits.system, hits.system_version = _from_closed_list(known_system, hits.system, hits.system_version)
    return batch


def _from_closed_list(
    canonical: Callable[[str, str], Named], names: list[str], versions: list[str]
) -> tuple[list[str], list[str]]:
    pairs = [canonical(name, version) for name, version in zip(names, versions, strict=True)]
    return [name for name, _ in pairs], [version for _, version in pairs]


def prepare(connection: Connection) -> None:
    """Prepare the statements on a writing connection: planning one takes twice as long as its execution."""
    for table, shape in _shapes().items():
        json = ", ".join(f'"{name}": ["{kind}"]' for name, kind in shape.items())
        # Shorter lists are filled up with NULL.
        columns = ", ".join(
            f"coalesce(unnest(r.{name}), {_USUAL[name]!r})"
            if table == "hit" and name in _USUAL
            else f"unnest(r.{name})"
            for name in shape
        )
        rows = f"SELECT {columns} FROM (SELECT from_json($1::VARCHAR, '{{{json}}}') r)"  # noqa: S608  # all ours
        connection.execute(f"PREPARE insert_{table} AS INSERT INTO {table} ({', '.join(shape)}) {rows}")


_USUAL: dict[str, str | bool] = {
    name: column.default for name, column in FORM.columns.items() if isinstance(column.default, str | bool)
} | {"region": "", "language": "", "event": False}
"""Values that nearly all hits of many sites have. A list of nothing else is left out, and costs nothing."""


def _left_out(name: str, values: list[Any]) -> list[Any]:
    usual = _USUAL.get(name)
    return [] if (usual is not None or name in _MAY_BE_NULL) and values.count(usual) == len(values) else values


HITS_IN_STATEMENT = 5_000
"""Encoding a statement holds Python's lock: with more hits the event loop would wait too long for it."""


def insert(connection: Connection, contents: Sequence[Content]) -> None:
    """Insert some batches, a few thousand hits with each statement."""
    part: list[Content] = []
    size = 0
    for content in contents:
        if part and size + len(content.hits.id) > HITS_IN_STATEMENT:
            _insert(connection, part)
            part, size = [], 0
        part.append(content)
        size += len(content.hits.id)
    _insert(connection, part)


def _insert(connection: Connection, contents: Sequence[Content]) -> None:
    """Insert some batches, with one statement for each table."""
    hits = {
        name: _left_out(name, _joined(getattr(content.hits, name) for content in contents)) for name in FORM.columns
    }
    renamed = _by_column(RENAMED_VISITOR, _joined(content.renamed for content in contents))
    requests = _by_column(REQUEST, [astuple(request) for content in contents for request in content.requests])
    for table, rows in (("hit", hits), ("renamed_visitor", renamed), ("request", requests)):
        if next(iter(rows.values())):
            # EXECUTE takes no bound parameters, only literals; in JSON only the quote has to be escaped.
            literal = _encode(rows).decode().replace("'", "''")
            connection.execute(f"EXECUTE insert_{table}('{literal}')")


def _shapes() -> dict[str, dict[str, str]]:
    """Columns and types of each table that batches fill."""
    hit = {name: column.kind for name, column in FORM.columns.items()}
    return {"hit": hit, "renamed_visitor": RENAMED_VISITOR, "request": REQUEST}


def _joined(parts: Iterable[Iterable[Any]]) -> list[Any]:
    return list(chain.from_iterable(parts))


def _by_column(shape: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> dict[str, Sequence[Any]]:
    columns = zip(*rows, strict=True) if rows else repeat(())
    return dict(zip(shape, columns, strict=False))
