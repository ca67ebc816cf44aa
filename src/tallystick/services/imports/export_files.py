"""Reads the files of another program's export, which may be a ZIP, into a table of visits."""

import io
import zipfile
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol, cast

from tallystick.errors import InputRefused
from tallystick.services.imports.lines import LineFile, ReadLine, is_stream
from tallystick.services.imports.marks import DIGEST_BYTES
from tallystick.services.imports.visit_table import HitRow, ImportedVisitor, VisitTable
from tallystick.services.imports.zips import opened_zip

LINES_AT_ONCE = 5_000
MOST_FILES = 1_000
"""Files in a ZIP."""

FileProgress = Callable[[int, int], None]
"""Called with the number of bytes that are read, and of all bytes (0 if unknown)."""


class Gathered:
    """Collects what is read of lines, and puts it into a table in large parts.

    Attributes:
        skipped: numbers of lines that are no hits, by reason.
    """

    def __init__(self, table: VisitTable) -> None:
        self._table = table
        self._hits: list[HitRow] = []
        self._props: list[tuple[int, str, str]] = []
        self._visitors: list[tuple[int, ImportedVisitor]] = []
        self.skipped = table.skipped

    def add_hit(self, row: HitRow) -> None:
        """Add a hit."""
        self._hits.append(row)
        if len(self._hits) >= LINES_AT_ONCE:  # a line of a report may be many hits
            self.move()

    def add_prop(self, event: int, name: str, value: str) -> None:
        """Add a property of an event, which is given by its hash."""
        self._props.append((event, name, value))

    def add_visitor(self, number: int, visitor: ImportedVisitor) -> None:
        """Add a visitor, by hash."""
        self._visitors.append((number, visitor))

    def move(self) -> None:
        """Put everything into the table."""
        self._table.add_hits(self._hits)
        self._table.add_props(self._props)
        self._table.add_visitors(self._visitors)
        self._hits.clear()
        self._props.clear()
        self._visitors.clear()


class ExportReader(Protocol):
    """Understands the lines of a program's files."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of the files in a ZIP that are read."""

    @property
    def quoted(self) -> bool:
        """Whether line ends inside quotation marks are part of the row (CSV)."""

    @property
    def options(self) -> str:
        """Whatever decides what is imported of a file."""

    def begin(self, name: str, before: int, gathered: Gathered) -> ReadLine:
        """A function that reads the lines of a file into ``gathered``.

        Args:
            name: of the file, for messages.
            before: the number of lines in the files before.
        """

    def check(self, table: VisitTable) -> None:
        """Check what was read.

        Raises:
            InputRefused: it is no export of this program.
        """


class _ExportFile(NamedTuple):
    """A file of an export.

    Attributes:
        name: in a ZIP; empty without one.
        compressed: bytes on the disk; 0 if unknown.
        size: bytes of its content, as the ZIP says.
    """

    name: str
    compressed: int
    size: int = 0


class ExportFiles:
    """An export of another program: a file, compressed or not, or a ZIP of files.

    Attributes:
        digest: of everything that was read, and of the options.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: list[_ExportFile] = []
        self._before: list[int] = []
        """For each file, the number of lines in the files before."""
        self.digest = ""

    def read(self, reader: ExportReader, table: VisitTable, progress: FileProgress) -> None:
        """Read everything into the table, and sort it.

        Raises:
            InputRefused: it is no export of this program, or ``VisitTable.stop`` was called.
        """
        hasher = blake2b(reader.options.encode(), digest_size=DIGEST_BYTES)
        lines = done = 0
        with _opened_archive(self._path) as archive:
            self._files = _members(archive, reader.suffixes) if archive else [_whole(self._path)]
            total = sum(file.size for file in self._files)
            for file in self._files:
                self._before.append(lines)
                gathered = Gathered(table)
                read = reader.begin(file.name, lines, gathered)
                with _opened(self._path, file, archive, read, quoted=reader.quoted) as content:
                    mark = content.start
                    while batch := content.next(LINES_AT_ONCE):
                        mark = batch.end
                        table.add_bad([(lines + bad.number, bad.reason) for bad in batch.bad])
                        gathered.move()
                        progress(done + (batch.done or mark.position), total or batch.total)
                hasher.update(mark.digest.encode())
                lines += mark.lines
                done += file.size
        reader.check(table)
        table.sort(overlapping=len(self._files) > 1)
        self.digest = hasher.hexdigest()

    def where(self, line: int) -> str:
        """The name of the place of a line, counted over all files."""
        number = bisect_right(self._before, line - 1) - 1
        name = self._files[number].name
        shown = "" if not name else f"{name}, " if name.isprintable() else f"{name!r}, "
        return f"{shown}line {line - self._before[number]}"


@contextmanager
def _opened_archive(path: Path) -> Iterator[zipfile.ZipFile | None]:
    """The opened ZIP; None if the file is none."""
    if is_stream(path) or not zipfile.is_zipfile(path):
        yield None
        return
    with opened_zip(path) as archive:
        yield archive


def _members(archive: zipfile.ZipFile, suffixes: tuple[str, ...]) -> list[_ExportFile]:
    files = [
        _ExportFile(info.filename, info.compress_size, info.file_size)
        for info in archive.infolist()
        if info.filename.lower().endswith(suffixes) and not info.is_dir() and "__MACOSX/" not in info.filename
    ]
    if len({file.name for file in files}) < len(files):
        msg = "the .zip file has two files of the same name: only one of them could be read"
        raise InputRefused(msg)
    if not files:
        msg = f"the .zip file has no file that ends in {' or '.join(suffixes)}"
        raise InputRefused(msg)
    if len(files) > MOST_FILES:
        msg = f"the .zip file has {len(files):,} files; at most {MOST_FILES:,} can be imported at once"
        raise InputRefused(msg)
    return files


def _whole(path: Path) -> _ExportFile:
    return _ExportFile("", 0 if is_stream(path) else path.stat().st_size)


@contextmanager
def _opened(
    path: Path, file: _ExportFile, archive: zipfile.ZipFile | None, read: ReadLine, *, quoted: bool
) -> Iterator[LineFile]:
    if archive is None:
        with closing(LineFile(path, read, quoted=quoted)) as content:
            yield content
        return
    with archive.open(file.name) as member:
        stream = cast("BinaryIO", io.BufferedReader(cast("Any", member)))
        yield LineFile(path, read, stream=stream, name=file.name, compressed=file.compressed, quoted=quoted)
