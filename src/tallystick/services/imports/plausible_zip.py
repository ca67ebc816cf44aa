"""Reads Plausible's export: a ZIP of CSV files with sums by day and value (contract, part 7).

A file is ``imported_TABLE_FIRST_LAST.csv`` or ``TABLE_FIRST_LAST.csv``, with dates such as ``20260131``. Each file and
each column is optional. Nothing is unpacked to the disk, and what a file unpacks to is limited while it is read.
"""

import csv
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import file_digest
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
from msgspec import Struct, field

from tallystick.errors import InputRefused
from tallystick.model.aggregates import BY_NAME, Aggregate, Row, TableSpan, day_number, row_of
from tallystick.model.period import date_of
from tallystick.services.imports.bounds import EmptyLines
from tallystick.services.imports.zips import opened_zip

MOST_FILES = 1_000
MOST_ROWS = 20_000_000
MOST_BYTES = 4 * 1024**3
"""What all files may unpack to."""
LARGE_BYTES, MOST_RATIO = 16 * 1024**2, 300
"""A larger file may unpack to so many times its size in the ZIP; text of this kind is packed to a tenth."""
LINE_BYTES = 65_536
PART_ROWS, PART_BYTES = 10_000, 3_000_000
"""What is sent at once; a server takes 20,000 rows and 4 MiB."""
DAYS_AHEAD = 1
"""A zone may be a day ahead."""

_encode = msgspec.json.Encoder().encode

_NAME = re.compile(r"(?:imported_)?([a-z_]+)_([0-9]{8})_([0-9]{8})\.csv")


class BadRow(NamedTuple):
    """A line that cannot be used."""

    file: str
    line: int
    reason: str


class TableReport(Struct):
    """What was read of one table.

    Attributes:
        sums: of each column of numbers.
    """

    rows: int = 0
    first: int = 2**31
    last: int = -(2**31)
    sums: Counter[str] = field(default_factory=Counter)

    def add(self, aggregate: Aggregate, row: Row) -> None:
        """Add a row."""
        day = int(row[0])
        self.rows += 1
        self.first, self.last = min(self.first, day), max(self.last, day)
        numbers = row[1 + len(aggregate.texts) :]
        self.sums.update(dict(zip(aggregate.numbers, map(int, numbers), strict=True)))

    @property
    def span(self) -> TableSpan:
        """Its rows and days."""
        return TableSpan(self.rows, self.first, self.last)


class ExportReport(Struct):
    """What was read of an export.

    Attributes:
        notes: what was left out on purpose, each once.
    """

    tables: dict[str, TableReport] = field(default_factory=dict)
    bad: int = 0
    notes: dict[str, None] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(each.rows for each in self.tables.values())


class _Member(NamedTuple):
    info: zipfile.ZipInfo
    aggregate: Aggregate
    first: int
    last: int


def digest_of(file: Path) -> str:
    """What identifies the content of a file."""
    with file.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def rows_of(
    file: Path,
    today: int,
    report: ExportReport,
    on_bad: Callable[[BadRow], None],
    on_read: Callable[[int, int], None] = lambda _done, _total: None,
) -> Iterator[tuple[Aggregate, Row]]:
    """The rows of an export, which are counted in ``report`` as they are read.

    Args:
        today: in days since 1970.
        on_bad: takes each line that cannot be used.
        on_read: takes how many bytes are read, of how many.

    Raises:
        InputRefused: the file is no such export, or unpacks to too much.
    """
    with _opened(file) as archive:
        members = _members(archive, report, today + DAYS_AHEAD)
        total, before = sum(each.info.file_size for each in members), 0
        for member in members:
            reader = _FileReader(archive, member, report, on_bad, MOST_BYTES - before)
            for row in reader.rows():
                yield member.aggregate, row
                if reader.line % 1_000 == 0:
                    on_read(before + reader.read, total)
            before += reader.read
            on_read(before, total)


def parts_of(rows: Iterator[tuple[Aggregate, Row]]) -> Iterator[dict[str, list[Row]]]:
    """Rows by table, as many as may be sent at once."""
    part: dict[str, list[Row]] = {}
    counted = size = 0
    for aggregate, row in rows:
        part.setdefault(aggregate.name, []).append(row)
        counted += 1
        size += len(_encode(row))
        if counted >= PART_ROWS or size >= PART_BYTES:
            yield part
            part, counted, size = {}, 0, 0
    if part:
        yield part


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    if not zipfile.is_zipfile(file):
        msg = f"Plausible's export is a .zip file, but {file} is not a ZIP"
        raise InputRefused(msg)
    with opened_zip(file) as archive:
        yield archive


def _members(archive: zipfile.ZipFile, report: ExportReport, last: int) -> list[_Member]:
    """The files of tables; others are noted."""
    infos = archive.infolist()
    if len(infos) > MOST_FILES:
        msg = f"the export has {len(infos):,} files; at most {MOST_FILES:,} can be read"
        raise InputRefused(msg)
    found: list[_Member] = []
    for info in infos:
        folder, _, name = info.filename.rpartition("/")
        if info.is_dir() or folder.startswith("__MACOSX"):
            continue
        match = _NAME.fullmatch(name)
        if match is None or match[1] not in BY_NAME:
            report.notes[f"left out the file {name[:100]!r}, which is no table that is known"] = None
            continue
        try:
            days = [day_number(f"{each[:4]}-{each[4:6]}-{each[6:]}", last) for each in match.group(2, 3)]
        except ValueError as error:
            msg = f"{name}: {error}"
            raise InputRefused(msg) from error
        found.append(_Member(info, BY_NAME[match[1]], *days))
    if not found:
        msg = "the .zip file has no file of Plausible's export, such as imported_visitors_20250101_20251231.csv"
        raise InputRefused(msg)
    _check(found)
    return found


def _check(members: list[_Member]) -> None:
    for number, (info, aggregate, first, last) in enumerate(members):
        packed = max(info.compress_size, 1)
        if info.file_size > LARGE_BYTES and info.file_size / packed > MOST_RATIO:
            msg = f"{info.filename} unpacks to {info.file_size // packed:,} times its size, which no export does"
            raise InputRefused(msg)
        for other in members[:number]:
            if other.aggregate is aggregate and other.first <= last and first <= other.last:
                msg = f"{other.info.filename} and {info.filename} are of the same days"
                raise InputRefused(msg)
    total = sum(each.info.file_size for each in members)
    if total > MOST_BYTES:
        msg = f"the export unpacks to {total:,} bytes; at most {MOST_BYTES:,} can be read"
        raise InputRefused(msg)


class _FileReader:
    """Reads one file.

    Attributes:
        read: bytes so far.
        line: lines so far.
    """

    def __init__(
        self,
        archive: zipfile.ZipFile,
        member: _Member,
        report: ExportReport,
        on_bad: Callable[[BadRow], None],
        most: int,
    ) -> None:
        self._archive, self._member, self._report, self._on_bad = archive, member, report, on_bad
        self._most = most
        self.read = self.line = 0

    def rows(self) -> Iterator[Row]:
        """The rows that can be used.

        Raises:
            InputRefused: the file has no header, or the export too many rows.
        """
        records = self._records()
        header = next(records, None)
        if header is None:
            return
        places = self._places(header)
        table = self._report.tables.setdefault(self._member.aggregate.name, TableReport())
        for record in records:
            if not record:
                continue
            try:
                row = self._row(record, places, len(header))
            except ValueError as error:
                self._bad(str(error))
                continue
            if self._report.rows >= MOST_ROWS:
                msg = f"the export has more than {MOST_ROWS:,} rows"
                raise InputRefused(msg)
            table.add(self._member.aggregate, row)
            yield row
        if not table.rows:
            del self._report.tables[self._member.aggregate.name]

    def _places(self, header: list[str]) -> dict[str, int]:
        """Where each column stands."""
        aggregate, name = self._member.aggregate, self._member.info.filename
        names = [each.strip().lower() for each in header]
        places = {each: place for place, each in enumerate(names) if each in aggregate.columns}
        if "date" not in places:
            msg = f"{name} has no column date"
            raise InputRefused(msg)
        for each in dict.fromkeys(names):
            if names.count(each) > 1:
                msg = f"{name} has the column {each[:100]!r} twice"
                raise InputRefused(msg)
            if each not in places:
                self._report.notes[f"left out the column {each[:100]!r} of {aggregate.name}"] = None
        return places

    def _row(self, record: list[str], places: dict[str, int], width: int) -> Row:
        if len(record) != width:
            msg = f"{len(record)} cells in place of {width}"
            raise ValueError(msg)
        if any("\udc80" <= each <= "\udcff" for cell in record for each in cell if not cell.isascii()):
            msg = "it is not UTF-8"
            raise ValueError(msg)
        aggregate = self._member.aggregate
        texts = [record[places[name]] if name in places else "" for name in aggregate.texts]
        numbers = [record[places[name]] if name in places else 0 for name in aggregate.numbers]
        row = row_of(aggregate, record[places["date"]], texts, numbers, self._member.last)
        if int(row[0]) < self._member.first:
            msg = f"date: {record[places['date']]} is before the first day in the file's name"
            raise ValueError(msg)
        return row

    def _records(self) -> Iterator[list[str]]:
        reader = csv.reader(self._lines())
        while True:
            try:
                yield next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._bad(f"it is not valid CSV: {error}")

    def _lines(self) -> Iterator[str]:
        # Buffered, because a member's own readline returns less than a line where its parts end.
        empty = EmptyLines(self._member.info.filename)
        with self._archive.open(self._member.info) as member, BufferedReader(cast("Any", member)) as stream:
            while raw := stream.readline(LINE_BYTES):
                self.read += len(raw)
                if self.read > self._most:
                    msg = f"the export unpacks to more than {MOST_BYTES:,} bytes"
                    raise InputRefused(msg)
                if len(raw) == LINE_BYTES and not raw.endswith(b"\n"):
                    self.line += 1
                    self._skip_line(stream)
                    self._bad(f"longer than {LINE_BYTES:,} bytes")
                    continue
                self.line += 1
                empty.note(raw)
                text = raw.decode("utf-8", "surrogateescape")
                yield text.removeprefix("\ufeff") if self.line == 1 else text

    def _skip_line(self, stream: "BufferedReader[Any]") -> None:
        while (raw := stream.readline(LINE_BYTES)) and not raw.endswith(b"\n"):
            self.read += len(raw)
            if self.read > self._most:
                return

    def _bad(self, reason: str) -> None:
        self._report.bad += 1
        self._on_bad(BadRow(self._member.info.filename, self.line, reason))


def day_text(day: int) -> str:
    """A day as people read it.

    Args:
        day: in days since 1970.
    """
    return date_of(day).isoformat()
