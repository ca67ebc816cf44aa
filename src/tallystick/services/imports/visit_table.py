"""Puts the hits of a whole file in the order of their visits, in a temporary file and with little memory.

Exports of other programs are not sorted, and their visits, properties and visitors may stand in several files. An
import of hits in the order of their visits needs to remember no visit for long: batches end where visits end, so that
an interrupted import continues without dividing a visit.

Other programs' ids are only hashed. The temporary file has no name, so that it disappears with the process.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from threading import Event
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from tallystick.errors import InputRefused
from tallystick.model.hit import SESSION_S

MOST_HITS = 200_000_000
"""Hits in one file."""
READ_AT_ONCE = 2_000
"""Rows read back from the temporary file at once."""

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -16384;
CREATE TABLE hit (
    number INTEGER PRIMARY KEY, line INTEGER, visit INTEGER, event INTEGER, visitor INTEGER,
    at INTEGER, content BLOB
);
CREATE TABLE prop (event INTEGER, name TEXT, value TEXT);
CREATE TABLE visitor (id INTEGER PRIMARY KEY, content BLOB);
CREATE TABLE bad (line INTEGER, reason TEXT);
"""
_INSERT_HIT = "INSERT INTO hit VALUES (NULL, ?, ?, ?, ?, ?, ?)"
_INSERT_PROP = "INSERT INTO prop VALUES (?, ?, ?)"
_INSERT_VISITOR = "INSERT OR REPLACE INTO visitor VALUES (?, ?)"
_INSERT_BAD = "INSERT INTO bad VALUES (?, ?)"

_REPEATED = """
DELETE FROM hit WHERE event IS NOT NULL AND number NOT IN (SELECT min(number) FROM hit GROUP BY event)
"""
"""Exports that overlap have the same events."""

_IN_ORDER = """
CREATE TABLE placed AS
WITH marked AS (
    SELECT number, visit, at, ifnull(at - lag(at) OVER hits > :gap, 0) AS begins
    FROM hit WINDOW hits AS (PARTITION BY visit ORDER BY at, number)
), divided AS (
    SELECT number, visit, at, sum(begins) OVER (PARTITION BY visit ORDER BY at, number) AS part FROM marked
)
SELECT number, visit, part, at, min(at) OVER (PARTITION BY visit, part) AS began
FROM divided ORDER BY began, visit, part, at, number
"""
"""A visit ends with a long pause: programs that know visitors only give all visits of a month the same id. The place
of a hit is the id of its row."""

_READ = """
SELECT placed.rowid, line, placed.visit, part, event, visitor, hit.at, content
FROM placed JOIN hit USING (number) WHERE placed.rowid > ? ORDER BY placed.rowid
"""
_PROPS = "SELECT name, value FROM prop WHERE event = ? ORDER BY rowid"
_VISITOR = "SELECT content FROM visitor WHERE id = ?"


class ImportedVisitor(Struct, array_like=True, omit_defaults=True, gc=False):
    """What is known of the browser of a hit; for the fields see ``Arrival``."""

    host: str = ""
    browser: tuple[str, str] = ("", "")
    system: tuple[str, str] = ("", "")
    device: str = ""
    width: int = 0
    language: str = ""
    location: str = ""


class ImportedHit(Struct, array_like=True, omit_defaults=True, gc=False):
    """A hit of another program's export; for the fields see ``Arrival``.

    Attributes:
        page: path of an event's page.
        visitor: None if it stands in another file.
        followed: whether its visit is known.
        host: if it stands with the hit, not with the visitor.
    """

    path: str
    visitor: ImportedVisitor | None = None
    followed: bool = True
    title: str = ""
    event: bool = False
    page: str = ""
    ref: str = ""
    query: str = ""
    host: str = ""
    props: dict[str, str] = {}


class HitRow(NamedTuple):
    """A hit to be put in order.

    Attributes:
        line: where it stands, counted over all files.
        visit: its visit's hash.
        event: its own hash; None if it has no id.
        visitor: the hash of its visitor; None if nothing stands in another file.
        created: Unix seconds.
    """

    line: int
    visit: int
    event: int | None
    visitor: int | None
    created: int
    hit: ImportedHit


class PlacedHit(NamedTuple):
    """A hit in the order of visits.

    Attributes:
        place: its number in this order, from 1 on.
        visit: the same text for the hits of one visit; empty if it is not known.
        created: Unix seconds.
    """

    place: int
    line: int
    visit: str
    created: int
    hit: ImportedHit
    visitor: ImportedVisitor
    props: dict[str, str]


def hashed(*ids: str) -> int:
    """A hash of another program's ids, in 64 bits with a sign."""
    text = "\0".join(ids).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big", signed=True)


class VisitTable:
    """The content of a file. Used by one thread after the other.

    Attributes:
        hits: the number of hits.
        skipped: numbers of lines that are no hits, by reason.
    """

    def __init__(self) -> None:
        # An empty name makes a file without a name in the directory for temporary files.
        self._connection = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._connection.executescript(_TABLES)
        self._stopped = Event()
        self._has_props = self._has_visitors = False
        self.hits = 0
        self.skipped: Counter[str] = Counter()

    def add_hits(self, rows: Sequence[HitRow]) -> None:
        """Add hits.

        Raises:
            InputRefused: there are too many.
        """
        self.hits += len(rows)
        if self.hits > MOST_HITS:
            msg = f"the file has more than {MOST_HITS:,} hits"
            raise InputRefused(msg)
        self._insert(
            _INSERT_HIT,
            [(row.line, row.visit, row.event, row.visitor, row.created, _encode(row.hit)) for row in rows],
        )

    def add_props(self, rows: Sequence[tuple[int, str, str]]) -> None:
        """Add properties: an event's hash, a name and a value."""
        self._has_props = self._has_props or bool(rows)
        self._insert(_INSERT_PROP, rows)

    def add_visitors(self, rows: Sequence[tuple[int, ImportedVisitor]]) -> None:
        """Add visitors, by hash."""
        self._has_visitors = self._has_visitors or bool(rows)
        self._insert(_INSERT_VISITOR, [(number, _encode(visitor)) for number, visitor in rows])

    def add_bad(self, rows: Sequence[tuple[int, str]]) -> None:
        """Add lines that cannot be read, and why."""
        self._insert(_INSERT_BAD, rows)

    def sort(self, *, overlapping: bool) -> None:
        """Put all hits in order; afterwards nothing is added.

        Args:
            overlapping: whether several files may have the same events.
        """
        with self._problems():
            if overlapping:
                repeated = self._connection.execute(_REPEATED).rowcount
                self.hits -= repeated
                self.skipped["events that are in the file twice"] += repeated
            self._connection.execute(_IN_ORDER, {"gap": SESSION_S})
            if self._has_props:
                self._connection.execute("CREATE INDEX props ON prop (event)")

    def bad(self) -> Iterator[tuple[int, str]]:
        """The lines that cannot be read, and why."""
        for row in self._rows("SELECT line, reason FROM bad ORDER BY rowid"):
            yield int(row[0]), str(row[1])

    def placed(self, after: int) -> Iterator[PlacedHit]:
        """The hits in order, behind a place."""
        visitors: dict[int | None, ImportedVisitor] = {}
        for place, line, visit, part, event, visitor, created, content in self._rows(_READ, after):
            hit = _decode_hit(content)
            if visitor not in visitors:
                visitors = {visitor: self._visitor(visitor)}  # hits of one visit stand together
            yield PlacedHit(
                place,
                line,
                f"{visit:x}/{part}" if hit.followed else "",
                created,
                hit,
                hit.visitor or visitors[visitor],
                hit.props or self._props(event),
            )

    def stop(self) -> None:
        """End a running operation of another thread, which raises ``InputRefused``."""
        self._stopped.set()
        self._connection.interrupt()

    def close(self) -> None:
        """Delete everything."""
        self._connection.close()

    def _visitor(self, number: int | None) -> ImportedVisitor:
        row = self._connection.execute(_VISITOR, (number,)).fetchone() if self._has_visitors else None
        return _decode_visitor(row[0]) if row else ImportedVisitor()

    def _props(self, event: int | None) -> dict[str, str]:
        if not self._has_props or event is None:
            return {}
        return dict(self._connection.execute(_PROPS, (event,)))

    def _insert(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        with self._problems():
            self._connection.execute("BEGIN")
            self._connection.executemany(statement, rows)
            self._connection.execute("COMMIT")

    def _rows(self, statement: str, *parameters: int) -> Iterator[tuple[Any, ...]]:
        with self._problems():
            cursor = self._connection.execute(statement, parameters)
            while rows := cursor.fetchmany(READ_AT_ONCE):
                yield from rows

    @contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            if self._stopped.is_set():
                msg = "stopped"
                raise InputRefused(msg)
            yield
        except sqlite3.OperationalError as error:
            msg = f"the hits cannot be sorted in the directory for temporary files, which TMPDIR names: {error}"
            raise InputRefused(msg) from error


_encode = msgspec.msgpack.Encoder().encode
_decode_hit = msgspec.msgpack.Decoder(ImportedHit).decode
_decode_visitor = msgspec.msgpack.Decoder(ImportedVisitor).decode
