"""Sources of lines: logs and CSV, compressed or not, growing or not."""

import bz2
import gzip
import lzma
import os
import re
import sys
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, cast

from tallystick.errors import InputRefused
from tallystick.services.imports.batches import ImportBatch
from tallystick.services.imports.bounds import EmptyLines, check_size
from tallystick.services.imports.marks import DIGEST_BYTES, FileMark
from tallystick.services.imports.parsed import BadLine, ExcludedLine, ParsedHit, ParsedLine
from tallystick.services.imports.texts import LOOKED_AT, is_utf_16, without_padding

LINE_LIMIT = 65_536
ROW_LIMIT = 1_048_576
"""Bytes of a row of CSV, whose cells may have line ends."""
BATCH_LIMIT = 2_097_152
"""Bytes of lines in one batch."""
READ_AT_ONCE = 1_048_576

STANDARD = Path("-")

UNCOMPRESS: dict[bytes, Callable[[BinaryIO], Any]] = {
    b"\x1f\x8b": lambda stream: gzip.GzipFile(fileobj=stream),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
"""Decompression by the first bytes of a file, whatever its name is."""
UNSUPPORTED = {
    b"\x28\xb5\x2f\xfd": "the file is compressed by zstd; import it with: zstd -dc FILE | tallystick import -",
    b"PK\x03\x04": "the file is a ZIP; unpack it first, or give --format json if it is a JSON export",
}
"""Messages about formats that are not supported, by the first bytes of a file."""

_DAMAGE = (EOFError, OSError, lzma.LZMAError, zlib.error)
"""What decompression raises; an OSError may also be the system's."""

_each_line = re.compile(rb"[^\n]*\n|[^\n]+")

ReadLine = Callable[[int, bytes], ParsedLine | None]


class LineFile:
    """Hits from the lines of a file.

    Args:
        read: reads a line, given its number and bytes.
        quoted: whether line ends inside quotation marks are part of the row (CSV).
        marks: where imports of such files ended; reading continues at the farthest one that matches this file.
        until: for each mark, where the batch ends that was being sent; it is repeated with the same end.
        growing: whether lines may be added; then an unfinished last line is read later.
        stream: the content, if it is not the file's own: a member of an archive.
        name: of the member, for messages.
        compressed: bytes of the member in the archive.
    """

    def __init__(  # noqa: PLR0913  # how to read, and from where
        self,
        path: Path,
        read: ReadLine,
        *,
        stream: BinaryIO | None = None,
        name: str = "",
        compressed: int = 0,
        quoted: bool = False,
        marks: Sequence[FileMark] = (),
        until: Sequence[int | None] = (),
        growing: bool = False,
    ) -> None:
        self._path, self._read, self._quoted, self._growing = path, read, quoted, growing
        self._raw = stream or (_standard_input() if path == STANDARD else path.open("rb"))
        self._stream: BinaryIO = self._raw
        self._total = os.fstat(self._raw.fileno()).st_size if path != STANDARD and stream is None else 0
        self._name = name or "the file"
        self._empty = EmptyLines(self._name, comments=not quoted)
        self._waiting = b""
        self._ahead: deque[bytes] = deque()
        """Lines to read again, because they turned out not to be part of a row."""
        self._open_line = False
        """Whether the next bytes belong to a line that is already too long."""
        try:
            self._stream = _uncompressed(self._raw)
            unpacked = self._stream is not self._raw and not growing
            self._compressed = compressed or (self._total if unpacked else 0)
            _refuse_other_files(self._stream)
            self.start, self._hasher = _farthest_mark(self._stream, () if is_stream(path) else marks)
        except InputRefused:
            self.close()
            raise
        self._mark = self.start
        self._until = dict(zip(marks, until, strict=False)).get(self.start)

    def next(self, most: int) -> ImportBatch | None:
        """The next lines; None if there are no more, or none yet.

        Raises:
            InputRefused: the file is damaged, or nothing but empty lines or NULs.
        """
        start, size, lines = self._mark, 0, 0
        hits: list[ParsedHit] = []
        bad: list[BadLine] = []
        excluded: list[ExcludedLine] = []
        while self._goes_on(start.position + size, lines, size, most) and (raw := self._row()):
            if not self._continues(raw):
                lines += 1
                self._empty.note(raw)
                item, raw = self._item(start.lines + lines, raw)
                _sort(item, hits, bad, excluded)
            size += len(raw)
            self._hasher.update(raw)
        self._until = None
        check_size(self._name, self._compressed, start.position + size)
        if not size:
            self._refuse_padding_alone()
            return None
        self._mark = FileMark(start.position + size, start.lines + lines, self._hasher.copy().hexdigest())
        return ImportBatch(start, self._mark, hits, bad, excluded, self._raw.tell() if self._total else 0, self._total)

    def _refuse_padding_alone(self) -> None:
        """Refuse a file that has ended without a line.

        Raises:
            InputRefused: it has NULs alone.
        """
        if self._mark.position and not self._mark.lines and not self._growing:
            name = self._name
            msg = f"{name} has nothing but NUL bytes, so no line can be read; it may not have been copied as a whole"
            raise InputRefused(msg)

    def renewed(self) -> bool:
        """Whether another file has this file's name now, or this file was truncated."""
        try:
            by_name = self._path.stat()
        except FileNotFoundError:
            return False
        opened = os.fstat(self._raw.fileno())
        return not os.path.samestat(by_name, opened) or by_name.st_size < self._raw.tell()

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self._path != STANDARD:
            self._stream.close()
            self._raw.close()

    def _goes_on(self, position: int, lines: int, size: int, most: int) -> bool:
        if self._until is not None:
            return position < self._until
        return lines < most and size < BATCH_LIMIT

    def _row(self) -> bytes:
        """The next line or row; empty if there are no more."""
        raw = self._line()
        if self._quoted and raw.count(b'"') % 2:
            return self._closed(raw)
        if self._growing and not raw.endswith(b"\n") and raw.strip(b"\0") and len(raw) < READ_AT_ONCE:
            self._waiting = raw
            return b""
        return raw

    def _closed(self, opened: bytes) -> bytes:
        """A row up to the line that closes its quotation mark; the first line alone if none does."""
        lines, size = [opened], len(opened)
        while size < ROW_LIMIT and (more := self._line()):
            lines.append(more)
            size += len(more)
            if more.count(b'"') % 2:
                return b"".join(lines)
        self._ahead.extendleft(reversed(lines[1:]))
        return opened

    def _line(self) -> bytes:
        """The next line, at most about ``READ_AT_ONCE`` bytes of it. NULs before a line are returned on their own."""
        if self._ahead:
            return self._ahead.popleft()
        try:  # without _damage_refused: for each line, a context manager takes too long
            raw = self._stream.readline(READ_AT_ONCE)
        except _DAMAGE as error:
            _refuse_damage(error)
            raise
        if self._waiting:
            raw, self._waiting = self._waiting + raw, b""
        if raw[:1] == b"\0" and not raw.endswith(b"\n"):
            self._waiting = raw.lstrip(b"\0")
            raw = raw[: len(raw) - len(self._waiting)]
        return raw

    def _continues(self, raw: bytes) -> bool:
        """Whether bytes are not a line of their own: NULs alone, or the rest of a line that is already too long."""
        continued = self._open_line
        unfinished = len(raw) >= READ_AT_ONCE and not raw.endswith(b"\n")
        padding = not raw.strip(b"\0")
        self._open_line = (continued or unfinished) and not raw.endswith(b"\n") and not padding
        return continued or padding

    def _item(self, number: int, raw: bytes) -> tuple[ParsedLine | None, bytes]:
        """Read a line or row. Returns the result and the bytes it used: of a torn row only the first line."""
        item = self._parsed(number, raw)
        if isinstance(item, BadLine) and item.torn and (rest := raw.partition(b"\n")[2]):
            raw = raw[: -len(rest)]
            self._ahead.extendleft(reversed(_each_line.findall(rest)))
            item = self._parsed(number, raw)
        return item, raw

    def _parsed(self, number: int, raw: bytes) -> ParsedLine | None:
        most = ROW_LIMIT if self._quoted else LINE_LIMIT
        if len(raw) > most and len(raw := without_padding(raw)) > most:
            return BadLine(number, f"it is longer than {most} bytes")
        return self._read(number, raw)


def is_stream(path: Path) -> bool:
    """Whether a file can be read only once: standard input, or a pipe such as the shell's ``<(...)``."""
    return path == STANDARD or path.is_fifo()


def _sort(item: ParsedLine | None, hits: list[ParsedHit], bad: list[BadLine], excluded: list[ExcludedLine]) -> None:
    if isinstance(item, ParsedHit):
        hits.append(item)
    elif isinstance(item, BadLine):
        bad.append(item)
    elif item is not None:
        excluded.append(item)


def _standard_input() -> BinaryIO:
    stream = sys.stdin.buffer
    return stream if isinstance(stream, BufferedReader) else BufferedReader(cast("Any", stream))


def _uncompressed(stream: BinaryIO) -> BinaryIO:
    head = cast("Any", stream).peek(LOOKED_AT)
    for magic, uncompress in UNCOMPRESS.items():
        if head.startswith(magic):
            return cast("BinaryIO", uncompress(stream))
    return stream


def _refuse_other_files(stream: BinaryIO) -> None:
    """Refuse files that are not lines of UTF-8.

    Raises:
        InputRefused: the message says how to import the file.
    """
    with _damage_refused():
        head = bytes(cast("Any", stream).peek(LOOKED_AT))
    if is_utf_16(head):
        msg = "the file is UTF-16 or UTF-32; import it with: iconv -f UTF-16 -t UTF-8 FILE | tallystick import -"
        raise InputRefused(msg)
    for magic, reason in UNSUPPORTED.items():
        if head.startswith(magic):
            raise InputRefused(reason)


def _farthest_mark(stream: BinaryIO, marks: Sequence[FileMark]) -> tuple[FileMark, Any]:
    """The farthest mark that matches the file, and a hasher of everything before it. Moves the stream there."""
    hasher = blake2b(digest_size=DIGEST_BYTES)
    position, best, best_hasher = 0, FileMark(0, 0, hasher.hexdigest()), hasher.copy()
    with _damage_refused():
        for mark in sorted(marks, key=lambda mark: mark.position):
            while position < mark.position and (read := stream.read(min(READ_AT_ONCE, mark.position - position))):
                hasher.update(read)
                position += len(read)
            if position == mark.position and hasher.hexdigest() == mark.digest:
                best, best_hasher = mark, hasher.copy()
        if position != best.position:
            stream.seek(best.position)
    return best, best_hasher


@contextmanager
def _damage_refused() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        _refuse_damage(error)
        raise


def _refuse_damage(error: Exception) -> None:
    """Refuse a damaged file.

    Args:
        error: what reading it has raised. If it is the system's, nothing is done.

    Raises:
        InputRefused: the error is about the content.
    """
    if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile) and error.errno is not None:
        return
    msg = f"the compressed file is damaged: {error}"  # bz2 raises OSError without an errno
    raise InputRefused(msg) from error
