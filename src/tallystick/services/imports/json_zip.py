"""Reads GoatCounter's JSON export, version 1.0 (contract, 5.4).

It has counts of one kind each: by hour and referrer, by browser, by system and so on. They are converted to single
visits without sessions: the visits of a path and day get browsers, systems, locations, sizes and languages in the
numbers of that day's counts. So each statistic is preserved; combinations, such as browser and location, are lost.

A few bytes can claim any number of visits, so counts must be plausible: per hour, compared with the other statistics of
the path and day, and in total.
"""

import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from tallystick.errors import InputRefused
from tallystick.model.hit import WEB_BEGAN
from tallystick.model.moments import unix_seconds
from tallystick.services.imports.bounds import EmptyLines, check_size
from tallystick.services.imports.texts import without_padding
from tallystick.services.imports.zips import opened_zip
from tallystick.services.ingest.ingest import Arrival

EXPORT_VERSION = "1.0"
NAMES = ("paths", "refs", "browsers", "systems", "locations", "languages")
KINDS = ("browser_stats", "system_stats", "location_stats", "size_stats", "language_stats")
STATISTICS = ("hit_stats", *KINDS)
LINE_LIMIT = 65_536
DAY_S = 86_400
LAST_DAY = 10**9
MOST_COUNTED = 100_000_000
"""Visits in one line."""
MOST_AN_HOUR = 1_000_000
"""Visits of one path from one referrer."""
MOST_VISITS = 200_000_000
"""Visits in one file."""
MOST_LINES_A_DAY = 2_000_000
"""Lines of one kind and day, which are in memory together."""
MOST_BYTES_OF_NAMES = 536_870_912
PLAUSIBLE_VISITS, PLAUSIBLE_FACTOR = 1_000, 10
"""A path may have more visits on a day than the other statistics have, if a setting was changed during the day; but not
more than both this number and this multiple of theirs."""
ANALYTICS_IMPORTED = 315_532_800
"""1980-01-01, the time that GoatCounter gives hits imported from Google Analytics. As it is older than the web, it is
replaced by the beginning of the web."""

Value = TypeVar("Value")


class Info(Struct):
    """The content of ``info.json`` that is checked."""

    export_version: str


class PathLine(Struct):
    """A path."""

    id: int
    path: str
    title: str = ""
    event: bool = False


class RefLine(Struct):
    """A referrer."""

    id: int
    ref: str
    ref_scheme: str | None = None


class ProductLine(Struct):
    """A browser or a system."""

    id: int
    name: str
    version: str = ""


class CountLine(Struct):
    """A count of any kind; its fields depend on the file."""

    path_id: int
    count: int
    hour: str = ""
    day: str = ""
    ref_id: int = 0
    browser_id: int = 0
    system_id: int = 0
    location: str = ""
    width: int = 0
    language: str = ""


class ImportedNames(NamedTuple):
    """The names that counts refer to, by id."""

    paths: dict[int, PathLine]
    refs: dict[int, RefLine]
    browsers: dict[int, tuple[str, str]]
    systems: dict[int, tuple[str, str]]


class ImportedCount(NamedTuple):
    """Visits of one path with one value, in the hour or day that begins at ``time`` (Unix seconds)."""

    time: int
    path: int
    value: Any
    visits: int


Day = tuple[int, list[ImportedCount]]
"""The number of a UTC day, and its counts."""


def visits(file: Path, now: Callable[[], int]) -> Iterator[Arrival | str]:
    """All visits of the export, day by day. A text in their place is the reason of a bad line.

    Args:
        now: Unix seconds.

    Raises:
        InputRefused: the file is not such an export.
    """
    with _opened(file) as archive:
        members = _members(archive)
        _check_version(archive, members)
        export = _Export(archive, members)
        streams = {kind: _Days(export.days(kind)) for kind in STATISTICS}
        for day, hits in streams["hit_stats"]:
            shares = [streams[kind].on(day) for kind in KINDS]
            yield from _day(hits, shares, export.names, now())
            yield from export.drained()
        yield from export.drained()


def visit_count(file: Path) -> int:
    """The number of visits in the export.

    Raises:
        InputRefused: the file is not such an export, or has too many visits.
    """
    with _opened(file) as archive:
        members = _members(archive)
        _check_version(archive, members)
        counts = _Export(archive, members).counts("hit_stats")
        total = sum(count.visits for count in counts)
    if total > MOST_VISITS:
        msg = f"{file} has {total:,} visits; at most {MOST_VISITS:,} can be imported from one file"
        raise InputRefused(msg)
    return total


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    if not zipfile.is_zipfile(file):
        msg = f"a JSON import must be a .zip file, but {file} is not a ZIP"
        raise InputRefused(msg)
    with opened_zip(file) as archive:
        yield archive


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = re.sub(r"\.jsonl?$", "", info.filename.rpartition("/")[2])
        if name in members:
            msg = f"the file {name} is in the export twice"
            raise InputRefused(msg)
        if name in ("info", *NAMES, *STATISTICS):
            members[name] = info
    missing = [name for name in ("info", *NAMES, *STATISTICS) if name not in members]
    if missing:
        msg = f"files are missing from the export .zip file: [{' '.join(missing)}]"
        raise InputRefused(msg)
    for name, member in members.items():
        check_size(name, member.compress_size, member.file_size)
    for name in NAMES:
        if members[name].file_size > MOST_BYTES_OF_NAMES:
            msg = f"{name} is larger than {MOST_BYTES_OF_NAMES:,} bytes"
            raise InputRefused(msg)
    return members


def _check_version(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> None:
    with archive.open(members["info"]) as stream:
        try:
            info = msgspec.json.decode(stream.read(LINE_LIMIT), type=Info)
        except msgspec.DecodeError as error:
            msg = f"info.json is invalid: {error}"
            raise InputRefused(msg) from error
    if info.export_version != EXPORT_VERSION:
        msg = f'unknown export version "{info.export_version}"; this program reads version {EXPORT_VERSION}'
        raise InputRefused(msg)


class _Export:
    """An open export.

    Attributes:
        bad: reasons of bad lines that have not been returned yet.
    """

    def __init__(self, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> None:
        self._archive, self._members = archive, members
        self.bad: list[str] = []
        self.names = ImportedNames(
            paths={line.id: line for line in self._lines("paths", PathLine)},
            refs={line.id: line for line in self._lines("refs", RefLine)},
            browsers={line.id: (line.name, line.version) for line in self._lines("browsers", ProductLine)},
            systems={line.id: (line.name, line.version) for line in self._lines("systems", ProductLine)},
        )

    def days(self, kind: str) -> Iterator[Day]:
        """The counts of one file, by day.

        Raises:
            InputRefused: they are not sorted, or too many for one day.
        """
        previous = 0
        for day, day_counts in groupby(self.counts(kind), lambda count: count.time // DAY_S):
            if day < previous:
                msg = f"{kind} is not sorted by time"
                raise InputRefused(msg)
            previous = day
            counts = list(islice(day_counts, MOST_LINES_A_DAY))
            if len(counts) == MOST_LINES_A_DAY:
                msg = f"{kind} has {MOST_LINES_A_DAY:,} lines or more for one day"
                raise InputRefused(msg)
            yield day, counts

    def drained(self) -> list[str]:
        """The reasons of bad lines since the last call."""
        bad, self.bad = self.bad, []
        return bad

    def counts(self, kind: str) -> Iterator[ImportedCount]:
        """The valid counts of one file."""
        value = _VALUES[kind]
        most = MOST_AN_HOUR if kind == "hit_stats" else MOST_COUNTED
        for line in self._lines(kind, CountLine):
            moment = _moment(line.hour or line.day)
            if moment is None or line.path_id not in self.names.paths or line.count <= 0:
                self.bad.append(f"{kind}: an invalid count of path {line.path_id}")
            elif line.count > most:
                self.bad.append(f"{kind}: {line.count:,} visits of path {line.path_id}, more than {most:,} in one line")
            else:
                yield ImportedCount(moment, line.path_id, value(line, self.names), line.count)

    def _lines(self, name: str, kind: type[Value]) -> Iterator[Value]:
        decode, empty = msgspec.json.Decoder(kind).decode, EmptyLines(name)
        with self._archive.open(self._members[name]) as stream:
            number = 0
            while raw := stream.readline(LINE_LIMIT):
                number += 1
                empty.note(raw)
                if not (text := without_padding(raw)).strip():
                    continue
                try:
                    line = decode(text)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    self.bad.append(f"{name}, line {number}: {error}")
                else:
                    yield line


_VALUES: dict[str, Callable[[CountLine, ImportedNames], Any]] = {
    "hit_stats": lambda line, names: names.refs.get(line.ref_id),
    "browser_stats": lambda line, names: names.browsers.get(line.browser_id, ("", "")),
    "system_stats": lambda line, names: names.systems.get(line.system_id, ("", "")),
    "location_stats": lambda line, _: line.location,
    "size_stats": lambda line, _: line.width,
    "language_stats": lambda line, _: line.language,
}


def _moment(text: str) -> int | None:
    try:
        seconds = unix_seconds(text)
    except (ValueError, OverflowError):
        return None
    if seconds == ANALYTICS_IMPORTED:
        return WEB_BEGAN
    return seconds if seconds >= 0 else None


class _Days:
    """Reads counts that are sorted by day, one day at a time."""

    def __init__(self, days: Iterator[Day]) -> None:
        self._days = days
        self._next: Day | None = None

    def __iter__(self) -> Iterator[Day]:
        return self._days

    def on(self, day: int) -> "Shares":
        """The values of a day's visits. Skips earlier days."""
        while self._next is None or self._next[0] < day:
            self._next = next(self._days, (LAST_DAY, []))
        counts = self._next[1] if self._next[0] == day else []
        shares: dict[int, Counter[Any]] = {}
        for count in counts:
            shares.setdefault(count.path, Counter())[count.value] += count.visits
        return shares


Shares = dict[int, Counter[Any]]
"""Visits by path, and by value of one kind."""


def _day(hits: list[ImportedCount], shares: list[Shares], names: ImportedNames, now: int) -> Iterator[Arrival | str]:
    """The visits of one day. A text in their place is the reason of a count that is not plausible."""
    nothing: Iterator[Any] = iter(())
    values = [{path: shared.elements() for path, shared in share.items()} for share in shares]
    visited: Counter[int] = Counter()
    for count in hits:
        path = names.paths[count.path]
        ref = count.value
        largest = max(share[count.path].total() if count.path in share else 0 for share in shares)
        visited[count.path] += count.visits
        if largest and visited[count.path] > max(PLAUSIBLE_VISITS, PLAUSIBLE_FACTOR * largest):
            visited[count.path] -= count.visits
            yield f"hit_stats: {count.visits:,} visits of path {count.path}; other statistics have {largest:,} that day"
            continue
        for _ in range(count.visits):
            browser, system, location, width, language = (
                next(share.get(count.path, nothing), None) for share in values
            )
            yield Arrival(
                path=path.path,
                title=path.title,
                event=path.event,
                ref=ref.ref if ref else "",
                ref_scheme=(ref.ref_scheme or "o") if ref else "o",
                browser=browser or ("", ""),
                system=system or ("", ""),
                location=location or "",
                width=width or 0,
                language=language or "",
                created=count.time,
                no_session=True,
                first=True,
                filtered=False,
                received=now,
            )
