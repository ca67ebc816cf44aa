"""Reading GoatCounter's JSON export, version 1.0 (contract, 5.4).

It holds counts, each of one kind: by hour and referrer, by browser, by system and so on. They are made into single
visits again, without sessions: of each path and day, visits are dealt browsers, systems, places, sizes and languages
from its counts. So every statistic of one kind is what it was; which browser came from where is not known any more.
"""

import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from tallystick.errors import InputRefused
from tallystick.model.moments import unix_seconds
from tallystick.services.ingest import Arrival

EXPORT_VERSION = "1.0"
NAMES = ("paths", "refs", "browsers", "systems", "locations", "languages")
KINDS = ("browser_stats", "system_stats", "location_stats", "size_stats", "language_stats")
STATISTICS = ("hit_stats", *KINDS)
LINE_LIMIT = 65_536
DAY_S = 86_400
LAST_DAY = 10**9
MOST_COUNTED = 100_000_000
"""Visits on one line; what claims more is no count of an hour."""

Value = TypeVar("Value")


class Info(Struct):
    """What ``info.json`` must say."""

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
    """A count of any kind; which fields it has is the file's."""

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


class Names(NamedTuple):
    """What counts refer to, by number."""

    paths: dict[int, PathLine]
    refs: dict[int, RefLine]
    browsers: dict[int, tuple[str, str]]
    systems: dict[int, tuple[str, str]]


class Count(NamedTuple):
    """Visits of one path with one value, in the hour or day that begins at ``time`` (Unix seconds)."""

    time: int
    path: int
    value: Any
    visits: int


Day = tuple[int, list[Count]]
"""The number of a UTC day, and what was counted in it."""


def visits(file: Path, now: Callable[[], int]) -> Iterator[Arrival | str]:
    """Every visit that the export counts, day by day; texts tell of lines that make no sense.

    Args:
        now: Unix seconds.

    Raises:
        InputRefused: it is no such export.
    """
    if not zipfile.is_zipfile(file):
        msg = f"JSON import must be as a .zip file, and {file} is none"
        raise InputRefused(msg)
    with zipfile.ZipFile(file) as archive:
        members = _members(archive)
        _check_version(archive, members)
        export = _Export(archive, members)
        streams = {kind: _Days(export.days(kind)) for kind in STATISTICS}
        for day, hits in streams["hit_stats"]:
            shares = [streams[kind].on(day) for kind in KINDS]
            yield from _day(hits, shares, export.names, now())
            yield from export.drained()
        yield from export.drained()


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
    return members


def _check_version(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> None:
    with archive.open(members["info"]) as stream:
        try:
            info = msgspec.json.decode(stream.read(LINE_LIMIT), type=Info)
        except msgspec.DecodeError as error:
            msg = f"info.json makes no sense: {error}"
            raise InputRefused(msg) from error
    if info.export_version != EXPORT_VERSION:
        msg = f'unknown export version "{info.export_version}"; this program knows {EXPORT_VERSION}'
        raise InputRefused(msg)


class _Export:
    """An open export.

    Attributes:
        bad: lines that make no sense, and have not been told.
    """

    def __init__(self, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> None:
        self._archive, self._members = archive, members
        self.bad: list[str] = []
        self.names = Names(
            paths={line.id: line for line in self._lines("paths", PathLine)},
            refs={line.id: line for line in self._lines("refs", RefLine)},
            browsers={line.id: (line.name, line.version) for line in self._lines("browsers", ProductLine)},
            systems={line.id: (line.name, line.version) for line in self._lines("systems", ProductLine)},
        )

    def days(self, kind: str) -> Iterator[Day]:
        """The counts of one file, by day.

        Raises:
            InputRefused: they are not sorted.
        """
        before = 0
        for day, found in groupby(self._counts(kind), lambda count: count.time // DAY_S):
            if day < before:
                msg = f"{kind} is not sorted by time"
                raise InputRefused(msg)
            before = day
            yield day, list(found)

    def drained(self) -> list[str]:
        """The bad lines since the last call."""
        bad, self.bad = self.bad, []
        return bad

    def _counts(self, kind: str) -> Iterator[Count]:
        value = _VALUES[kind]
        for line in self._lines(kind, CountLine):
            moment = _moment(line.hour or line.day)
            if moment is None or line.path_id not in self.names.paths or not 0 < line.count <= MOST_COUNTED:
                self.bad.append(f"{kind}: a count of path {line.path_id} that makes no sense")
            else:
                yield Count(moment, line.path_id, value(line, self.names), line.count)

    def _lines(self, name: str, kind: type[Value]) -> Iterator[Value]:
        decode = msgspec.json.Decoder(kind).decode
        with self._archive.open(self._members[name]) as stream:
            number = 0
            while raw := stream.readline(LINE_LIMIT):
                number += 1
                try:
                    line = decode(raw)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    self.bad.append(f"{name}, line {number}: {error}")
                else:
                    yield line


_VALUES: dict[str, Callable[[CountLine, Names], Any]] = {
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
    return seconds if seconds >= 0 else None


class _Days:
    """Counts sorted by day, asked for day by day."""

    def __init__(self, days: Iterator[Day]) -> None:
        self._days = days
        self._next: Day | None = None

    def __iter__(self) -> Iterator[Day]:
        return self._days

    def on(self, day: int) -> dict[int, Iterator[Any]]:
        """The values of a day's visits, by path; days before it are passed over."""
        while self._next is None or self._next[0] < day:
            self._next = next(self._days, (LAST_DAY, []))
        counts = self._next[1] if self._next[0] == day else []
        shares: dict[int, Counter[Any]] = {}
        for count in counts:
            shares.setdefault(count.path, Counter())[count.value] += count.visits
        return {path: shared.elements() for path, shared in shares.items()}


def _day(hits: list[Count], shares: list[dict[int, Iterator[Any]]], names: Names, now: int) -> Iterator[Arrival]:
    """The visits of one day."""
    nothing: Iterator[Any] = iter(())
    for count in hits:
        path = names.paths[count.path]
        ref = count.value
        for _ in range(count.visits):
            browser, system, location, width, language = (
                next(share.get(count.path, nothing), None) for share in shares
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
