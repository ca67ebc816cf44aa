"""How counters look in a file: CSV with a header, or JSON lines; one counter a line, either way the same columns.

The names are those of CountAPI, times are Unix milliseconds. Only ``key`` and ``value`` must be there;
what is left out or empty is what ``create`` would choose.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, BinaryIO, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from tallystick.errors import InputRefused
from tallystick.model.counter import FOREVER, INT64_MAX, INT64_MIN, LIFETIME_MS, NEVER, Counter
from tallystick.model.key import DEFAULT_NAMESPACE, Key, legal_name

Format = Literal["csv", "jsonl"]

LINE_LIMIT = 65_536
"""Bytes; no line of counters comes near it."""

_Time = Annotated[int, Meta(ge=0, le=INT64_MAX)]


class Row(Struct, kw_only=True, forbid_unknown_fields=True):
    """One line."""

    namespace: str = DEFAULT_NAMESPACE
    key: str
    value: Annotated[int, Meta(ge=INT64_MIN, le=INT64_MAX)]
    update_lowerbound: Annotated[int, Meta(ge=INT64_MIN, le=0)] = -1
    update_upperbound: Annotated[int, Meta(ge=0, le=INT64_MAX)] = 1
    enable_reset: bool | Literal[0, 1] = False
    created: _Time | None = None
    expires: _Time | None = None


COLUMNS = Row.__struct_fields__

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
    """A line that is understood."""

    number: int
    key: Key
    counter: Counter


class BadLine(NamedTuple):
    """A line that is not, and why."""

    number: int
    reason: str


Read = Callable[[BinaryIO, int], Iterator[Line | BadLine]]


def row_of(key: Key, counter: Counter) -> Row:
    """A counter as a line shows it."""
    return Row(
        namespace=key.namespace,
        key=key.key,
        value=counter.value,
        update_lowerbound=counter.lower,
        update_upperbound=counter.upper,
        enable_reset=counter.resettable,
        created=counter.created,
        expires=counter.expires,
    )


def to_json(rows: Iterable[Row]) -> bytes:
    """Rows as JSON lines."""
    return _encode_lines(list(rows))


def to_csv(rows: Iterable[Row]) -> bytes:
    """Rows as CSV, without the header."""
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n").writerow
    for row in rows:
        write(int(cell) if cell is True or cell is False else cell for cell in msgspec.structs.astuple(row))
    return text.getvalue().encode()


CSV_HEADER = (",".join(COLUMNS) + "\n").encode()


def from_json(stream: BinaryIO, now: int, lifetime: int = LIFETIME_MS) -> Iterator[Line | BadLine]:
    """Read JSON lines; empty lines are passed over."""
    for number, text in enumerate(_lines(stream), 1):
        if not text.strip():
            continue
        try:
            yield _line(number, _decode(text), now, lifetime)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield BadLine(number, _reason(error))


def from_csv(stream: BinaryIO, now: int, lifetime: int = LIFETIME_MS) -> Iterator[Line | BadLine]:
    """Read CSV; the first line names the columns, in any order.

    Raises:
        InputRefused: the header is missing, makes no sense or names other columns.
    """
    # What is no UTF-8 becomes a character that no column accepts.
    reader = csv.reader((text.decode("utf-8", "replace") for text in _lines(stream)), strict=True)
    header = _header(reader)
    while True:
        try:
            cells = next(reader, None)
            if cells is None:
                return
            if cells:
                yield _line(reader.line_num, msgspec.convert(_cells(header, cells), Row), now, lifetime)
        except (csv.Error, msgspec.ValidationError) as error:
            yield BadLine(reader.line_num, _reason(error))


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    number = 0
    while text := stream.readline(LINE_LIMIT + 1):
        number += 1
        if len(text) > LINE_LIMIT:
            msg = f"line {number} is longer than {LINE_LIMIT} bytes: this is no file of counters"
            raise InputRefused(msg)
        yield text.removeprefix(b"\xef\xbb\xbf") if number == 1 else text


def _header(reader: Iterator[list[str]]) -> list[str]:
    must = f"line 1 must name the columns, at least key and value, of {','.join(COLUMNS)}"
    try:
        cells = next(reader, [])
    except csv.Error as error:
        msg = f"{must}; it is no CSV: {error}"
        raise InputRefused(msg) from error
    columns = [cell.strip() for cell in cells]
    if {"key", "value"} <= set(columns) <= set(COLUMNS) and len(set(columns)) == len(columns):
        return columns
    msg = f"{must}; it is {','.join(cells)[:200]!r}"
    raise InputRefused(msg)


def _cells(header: list[str], cells: list[str]) -> dict[str, Any]:
    if len(cells) != len(header):
        msg = f"it has {len(cells)} columns, the header has {len(header)}"
        raise msgspec.ValidationError(msg)
    return {column: _cell(column, cell) for column, cell in zip(header, cells, strict=True) if cell}


def _cell(column: str, cell: str) -> object:
    if column in ("namespace", "key"):
        return cell
    if column == "enable_reset":
        return _CELLS.get(cell.lower(), cell)
    return int(cell) if _is_whole(cell) else cell


def _line(number: int, row: Row, now: int, lifetime: int) -> Line | BadLine:
    for column, name in (("namespace", row.namespace), ("key", row.key)):
        if not legal_name(name):
            return BadLine(number, _expected(column))
    counter = Counter(
        row.value,
        row.update_lowerbound,
        row.update_upperbound,
        bool(row.enable_reset),
        now if row.created is None else row.created,
        (FOREVER if lifetime == NEVER else now + lifetime) if row.expires is None else row.expires,
        version=1,
    )
    return Line(number, Key(row.namespace, row.key), counter)


def _reason(error: Exception) -> str:
    text = str(error)
    if found := re.search(r"at `\$\.(\w+)`$", text):
        return _expected(found[1])
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return text[0].lower() + text[1:]


def _expected(column: str) -> str:
    return f"{column} must be {_ACCEPTED[column]}"


_is_whole = re.compile(r"[+-]?[0-9]{1,20}").fullmatch
_encode_lines = msgspec.json.Encoder().encode_lines
_decode = msgspec.json.Decoder(Row).decode
