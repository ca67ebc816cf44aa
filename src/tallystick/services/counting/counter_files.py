"""Files of counters: CSV or JSON lines, one counter a line, with the same columns.

The names are those of CountAPI, times are Unix milliseconds. Only ``key`` and ``value`` are required, and ``key`` may
be NAMESPACE/KEY. A counter without bounds can only be incremented by one; other missing columns get the defaults of
``create``. CSV may lack a header: then a line is a name and a value, or namespace, key and value.

Where the namespace is the address of a page, the line is a number of busuanzi or Vercount, and the key says which one:
``https://blog.example.com/post/,page_pv,1204``.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Any, BinaryIO, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from tallystick.errors import InputRefused
from tallystick.model.counter import FOREVER, INT64_MAX, INT64_MIN, LIFETIME_MS, NEVER, Counter
from tallystick.model.csv_rows import csv_writer
from tallystick.model.key import DEFAULT_NAMESPACE, Key, legal_name
from tallystick.services.counting.page_keys import ADDRESSES, page_key
from tallystick.services.imports.bounds import EmptyLines
from tallystick.services.imports.texts import is_utf_16, without_padding

Format = Literal["csv", "jsonl"]

LINE_LIMIT = 65_536
"""Bytes; lines of counters are far shorter."""

_Time = Annotated[int, Meta(ge=0, le=INT64_MAX)]


class CounterRow(Struct, kw_only=True, forbid_unknown_fields=True):
    """One line."""

    namespace: str = DEFAULT_NAMESPACE
    key: str
    value: Annotated[int, Meta(ge=INT64_MIN, le=INT64_MAX)]
    update_lowerbound: Annotated[int, Meta(ge=INT64_MIN, le=0)] = 0
    update_upperbound: Annotated[int, Meta(ge=0, le=INT64_MAX)] = 1
    enable_reset: bool | Literal[0, 1] = False
    created: _Time | None = None
    expires: _Time | None = None


COLUMNS = CounterRow.__struct_fields__
ALIASES = {"name": "key", "page": "namespace"}
"""Other names of columns in a header."""
WITHOUT_HEADER = {2: ("key", "value"), 3: ("namespace", "key", "value")}
"""The columns of a file without a header, by their number."""
EXAMPLE = "for example: a line name,value and below it mysite.com/visits,136; or that alone, without a header"

_NAME = "3 to 64 of the characters A-Z a-z 0-9 . _ -"
_TIME = f"Unix milliseconds, 0 to {INT64_MAX}"
_ACCEPTED = {
    "namespace": _NAME,
    "key": _NAME,
    "value": f"a whole number from {INT64_MIN} to {INT64_MAX}",
    "update_lowerbound": f"a whole number from {INT64_MIN} to 0",
    "update_upperbound": f"a whole number from 0 to {INT64_MAX}",
    "enable_reset": "0 or 1, or false or true",
    "created": _TIME,
    "expires": _TIME,
}
_CELLS: dict[str, Any] = {"0": 0, "1": 1, "false": False, "true": True}


class Line(NamedTuple):
    """A valid line."""

    number: int
    key: Key
    counter: Counter


class BadCounterLine(NamedTuple):
    """A line that is not valid, and the reason."""

    number: int
    reason: str


Read = Callable[[BinaryIO, int, int], Iterator[Line | BadCounterLine]]


def row_of(key: Key, counter: Counter) -> CounterRow:
    """The line of a counter."""
    return CounterRow(
        namespace=key.namespace,
        key=key.key,
        value=counter.value,
        update_lowerbound=counter.lower,
        update_upperbound=counter.upper,
        enable_reset=counter.resettable,
        created=counter.created,
        expires=counter.expires,
    )


def to_json(rows: Iterable[CounterRow]) -> bytes:
    """Rows as JSON lines."""
    return _encode_lines(list(rows))


def to_csv(rows: Iterable[CounterRow]) -> bytes:
    """Rows as CSV, without the header."""
    text = io.StringIO()
    write = csv_writer(text)
    for row in rows:
        write(int(cell) if cell is True or cell is False else cell for cell in msgspec.structs.astuple(row))
    return text.getvalue().encode()


CSV_HEADER = (",".join(COLUMNS) + "\n").encode()


def from_json(stream: BinaryIO, now: int, lifetime: int = LIFETIME_MS) -> Iterator[Line | BadCounterLine]:
    """Read JSON lines; empty lines are skipped.

    Args:
        lifetime: of counters without ``expires``, in milliseconds; or ``NEVER``.
    """
    for number, text in enumerate(_lines(stream), 1):
        if not text.strip():
            continue
        try:
            yield _line(number, _decode(text), now, lifetime)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield BadCounterLine(number, _reason(error))


def from_csv(stream: BinaryIO, now: int, lifetime: int = LIFETIME_MS) -> Iterator[Line | BadCounterLine]:
    """Read CSV; the first line names the columns, in any order, or is a counter already.

    Args:
        lifetime: of counters without ``expires``, in milliseconds; or ``NEVER``.

    Raises:
        InputRefused: the first line is neither.
    """
    # Bytes that are not UTF-8 become a character that no column accepts.
    reader = csv.reader((text.decode("utf-8", "replace") for text in _lines(stream)), strict=True)
    header, first = _header(reader)
    cells: list[str] | None = first
    while cells is not None:
        try:
            if cells:
                yield _line(reader.line_num, msgspec.convert(_cells(header, cells), CounterRow), now, lifetime)
            cells = next(reader, None)
        except (csv.Error, msgspec.ValidationError) as error:
            yield BadCounterLine(reader.line_num, _reason(error))
            cells = []


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    number, empty = 0, EmptyLines()
    while text := stream.readline(LINE_LIMIT + 1):
        number += 1
        empty.note(text)
        if len(text) > LINE_LIMIT:
            msg = f"line {number} is longer than {LINE_LIMIT} bytes: this is no file of counters"
            raise InputRefused(msg)
        if number == 1 and is_utf_16(text):
            msg = "the file is UTF-16 or UTF-32; iconv -f UTF-16 -t UTF-8 FILE | tallystick counter import - reads it"
            raise InputRefused(msg)
        yield without_padding(text)


def _header(reader: Iterator[list[str]]) -> tuple[Sequence[str], list[str]]:
    """The columns, and the first line where it is a counter and no header."""
    must = f"line 1 must name the columns, at least key and value, of {','.join(COLUMNS)}"
    try:
        cells = next(reader, [])
    except csv.Error as error:
        msg = f"{must}; it is no CSV: {error}; {EXAMPLE}"
        raise InputRefused(msg) from error
    names = [cell.strip().lower() for cell in cells]
    columns = [ALIASES.get(name, name) for name in names]
    if {"key", "value"} <= set(columns) <= set(COLUMNS) and len(set(columns)) == len(columns):
        return columns, []
    if len(cells) in WITHOUT_HEADER and _is_whole(cells[-1].strip()):
        return WITHOUT_HEADER[len(cells)], cells
    msg = f"{must}; it is {','.join(cells)[:200]!r}; {EXAMPLE}"
    raise InputRefused(msg)


def _cells(header: Sequence[str], cells: list[str]) -> dict[str, Any]:
    if len(cells) != len(header):
        msg = f"it has {len(cells)} columns, the header has {len(header)}"
        raise msgspec.ValidationError(msg)
    return {column: _cell(column, cell) for column, cell in zip(header, cells, strict=True) if cell}


def _cell(column: str, cell: str) -> object:
    cell = cell.strip()
    if column in ("namespace", "key"):
        return cell
    if column == "enable_reset":
        return _CELLS.get(cell.lower(), cell)
    return int(cell) if _is_whole(cell) else cell


def _line(number: int, row: CounterRow, now: int, lifetime: int) -> Line | BadCounterLine:
    namespace, key = row.namespace, row.key
    if namespace.startswith(ADDRESSES):
        try:
            namespace, key = page_key(namespace, key)
        except InputRefused as error:
            return BadCounterLine(number, str(error))
    if "/" in key and namespace == DEFAULT_NAMESPACE:
        namespace, _, key = key.rpartition("/")
    for column, name in (("namespace", namespace), ("key", key)):
        if not legal_name(name):
            return BadCounterLine(number, _expected(column))
    counter = Counter(
        row.value,
        row.update_lowerbound,
        row.update_upperbound,
        bool(row.enable_reset),
        now if row.created is None else row.created,
        _expires(now, lifetime) if row.expires is None else row.expires,
        version=1,
    )
    return Line(number, Key(namespace, key), counter)


def _expires(now: int, lifetime: int) -> int:
    return FOREVER if lifetime == NEVER else now + lifetime


def _reason(error: Exception) -> str:
    text = str(error)
    if column := re.search(r"at `\$\.(\w+)`$", text):
        return _expected(column[1])
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return text[0].lower() + text[1:]


def _expected(column: str) -> str:
    return f"{column} must be {_ACCEPTED[column]}"


_is_whole = re.compile(r"[+-]?[0-9]{1,20}").fullmatch
_encode_lines = msgspec.json.Encoder().encode_lines
_decode = msgspec.json.Decoder(CounterRow).decode
