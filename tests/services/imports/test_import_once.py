"""Every line of a file is imported once: however often an import is cut short, repeated, or its file has grown."""

import asyncio
import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.errors import InputRefused, StoreFull
from tallystick.services.imports.batches import ImportSource
from tallystick.services.imports.journal import ENTRIES_KEPT, ImportJournal, ImportRecordFiles
from tallystick.services.imports.lines import LineFile
from tallystick.services.imports.marks import FileMark
from tallystick.services.imports.parsed import BadLine, ParsedHit, ParsedLine
from tallystick.services.imports.rows import RowFile
from tallystick.services.imports.running import BatchResult, Import, Report
from tallystick.services.ingest.ingest import Arrival

NOW = 1_800_000_000


def read(number: int, raw: bytes) -> ParsedLine | None:
    """Each line is a path; some say nothing, some make no sense."""
    text = raw.decode().strip()
    if text == "?":
        return BadLine(number, "what?")
    return ParsedHit(number, Arrival(path=text, received=NOW)) if text else None


class Server:
    """Keeps what was sent under each key once, and fails when it is told to.

    Attributes:
        paths: of all hits, in order.
        failing: how the next batches end: before they are stored, behind it, or (None) well.
    """

    most = 3

    def __init__(self) -> None:
        self.kept: dict[str, list[str]] = {}
        self.failing: list[str | None] = []

    @property
    def paths(self) -> list[str]:
        return [path for paths in self.kept.values() for path in paths]

    async def send(self, key: str, arrivals: Sequence[Arrival]) -> BatchResult:
        failing = self.failing.pop(0) if self.failing else None
        if failing == "before":
            msg = "the disk is full"
            raise StoreFull(msg)
        paths = [arrival.path for arrival in arrivals]
        assert self.kept.setdefault(key, paths) == paths, "another body under the same key"
        if failing == "behind":
            msg = "no answer came"
            raise InputRefused(msg)
        return BatchResult({}, {})


class Here:
    """A file, a server and a journal."""

    def __init__(self, folder: Path) -> None:
        self.file, self.server = folder / "access.log", Server()
        self.journal = ImportJournal(ImportRecordFiles(folder / "journal"), "site 1")
        self.bad: list[int] = []

    def opened(self, *, growing: bool = False, remembers: bool = True) -> ImportSource:
        entries = self.journal.entries() if remembers else []
        return LineFile(
            self.file,
            read,
            marks=[entry.mark for entry in entries],
            until=[entry.until for entry in entries],
            growing=growing,
        )

    def work(self, source: ImportSource, *, anew: str = "", remembers: bool = True) -> tuple[Import, Report]:
        report = Report()
        journal = self.journal if remembers else None
        work = Import(
            source, self.server, report, journal=journal, anew=anew,
            progress=lambda _report, _batch: None, on_bad_line=lambda bad: self.bad.append(bad.number),
        )  # fmt: skip
        return work, report

    def imported(self, *, growing: bool = False, remembers: bool = True) -> Report:
        source = self.opened(growing=growing, remembers=remembers)
        work, report = self.work(source, remembers=remembers)
        try:
            asyncio.run(work.run())
        finally:
            source.close()
        return report


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


def lines(*numbers: int) -> str:
    return "".join(f"/{number}\n" for number in numbers)


def paths(*numbers: int) -> list[str]:
    return [f"/{number}" for number in numbers]


def test_a_file_is_imported_once(here: Here) -> None:
    here.file.write_text(lines(*range(10)))
    assert here.imported().sent == 10
    assert here.imported().sent == 0
    assert here.server.paths == paths(*range(10))


@pytest.mark.parametrize("failing", ["before", "behind"])
@pytest.mark.parametrize("at", range(4))
def test_an_import_that_fails_goes_on(here: Here, failing: str, at: int) -> None:
    here.file.write_text(lines(*range(10)))
    here.server.failing = [None] * at + [failing]
    with pytest.raises((StoreFull, InputRefused)):
        here.imported()
    here.file.write_text(lines(*range(13)))
    here.imported()
    assert here.server.paths == paths(*range(13))


def test_without_a_memory_of_its_own_the_server_knows(here: Here) -> None:
    here.file.write_text(lines(*range(10)))
    here.imported()
    assert here.imported(remembers=False).sent == 10
    assert here.server.paths == paths(*range(10))


def test_a_file_that_has_grown_goes_on(here: Here) -> None:
    here.file.write_text(lines(1, 2))
    here.imported()
    here.file.write_text(lines(1, 2, 3))
    report = here.imported()
    assert (report.sent, report.lines) == (1, 3)
    assert here.server.paths == paths(1, 2, 3)


def test_a_renamed_or_compressed_file_is_the_same_file(here: Here) -> None:
    here.file.write_text(lines(1, 2, 3, 4))
    here.imported()
    content = here.file.read_bytes()
    here.file.unlink()
    here.file = here.file.with_name("access.log.1.gz")
    here.file.write_bytes(gzip.compress(content + b"/5\n"))
    assert here.imported().sent == 1
    assert here.server.paths == paths(1, 2, 3, 4, 5)


def test_another_file_under_the_name_is_another_file(here: Here) -> None:
    here.file.write_text(lines(1, 2, 3, 4))
    here.imported()
    here.file.write_text(lines(5, 6, 7, 8, 9))
    here.imported()
    assert here.server.paths == paths(*range(1, 10))


def test_what_is_imported_anew_is_stored_once_more(here: Here) -> None:
    here.file.write_text(lines(1, 2))
    here.imported()
    source = here.opened(remembers=False)
    work, _ = here.work(source, anew="again")
    asyncio.run(work.run())
    source.close()
    assert here.server.paths == paths(1, 2, 1, 2)
    assert here.imported().sent == 0


def test_two_sites_know_nothing_of_one_another(here: Here) -> None:
    here.file.write_text(lines(1))
    here.imported()
    other = Here(here.file.parent)
    other.journal = ImportJournal(ImportRecordFiles(here.file.parent / "journal"), "site 2")
    assert other.imported().sent == 1


def test_a_followed_file_is_imported_as_it_grows(here: Here) -> None:
    here.file.write_text("/1\n/2")
    source = here.opened(growing=True)
    work, report = here.work(source)
    asyncio.run(work.run())
    assert here.server.paths == paths(1)
    with here.file.open("a") as stream:
        stream.write("2\n/3\n")
    asyncio.run(work.run())
    assert here.server.paths == ["/1", "/22", "/3"]
    assert not source.renewed()
    here.file.rename(here.file.with_name("access.log.1"))
    assert not source.renewed()
    here.file.write_text(lines(4))
    assert source.renewed()
    asyncio.run(work.run())
    assert report.lines == 3
    source.close()
    assert here.imported(growing=True).sent == 1


def test_a_followed_file_that_is_emptied_begins_anew(here: Here) -> None:
    here.file.write_text(lines(1, 2))
    source = here.opened(growing=True)
    work, _ = here.work(source)
    asyncio.run(work.run())
    here.file.write_text(lines(3))
    assert source.renewed()
    source.close()


def test_bad_lines_are_told_with_their_numbers(here: Here) -> None:
    here.file.write_text("/1\n?\n\n/4\n?\n")
    report = here.imported()
    assert here.bad == [2, 5]
    assert (report.sent, report.bad, report.lines) == (2, 2, 5)


def test_a_line_without_an_end_counts(here: Here) -> None:
    here.file.write_text("/1\n/2")
    here.imported()
    assert here.server.paths == paths(1, 2)


def test_a_damaged_part_that_was_imported_is_told(here: Here) -> None:
    content = gzip.compress(lines(*range(50_000)).encode(), 0)
    here.file.write_bytes(content)
    here.server.most = 20_000
    here.imported()
    here.file.write_bytes(content[:100_000] + b"x" * 100 + content[100_100:])
    with pytest.raises(InputRefused, match="the compressed file is damaged"):
        here.imported()


def test_a_damaged_compressed_file_is_told(here: Here) -> None:
    here.file.write_bytes(gzip.compress(lines(*range(5_000)).encode())[:-20])
    with pytest.raises(InputRefused, match="the compressed file is damaged"):
        here.imported()


@given(data=st.binary(max_size=60), grown=st.binary(max_size=20), until=st.integers(0, 60))
def test_marks_are_found_in_what_has_grown(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, grown: bytes, until: int
) -> None:
    file = tmp_path_factory.mktemp("marks") / "log"
    file.write_bytes(b"/first\n" + data)
    first = LineFile(file, lambda number, _: BadLine(number, ""))
    batch = first.next(until)
    first.close()
    marks = [batch.end] if batch else []
    file.write_bytes(b"/first\n" + data + grown)
    second = LineFile(file, lambda number, _: BadLine(number, ""), marks=marks)
    assert second.start == (batch.end if batch else first.start)
    second.close()


def test_rows_are_imported_once(here: Here) -> None:
    here.file.write_bytes(b"any bytes")

    def rows() -> RowFile:
        found = (Arrival(path=f"/{number}", received=NOW) if number % 4 else "what?" for number in range(10))
        return RowFile(here.file, found, marks=[entry.mark for entry in here.journal.entries()])

    here.server.failing = [None, None, "before"]
    work, _ = here.work(rows())
    with pytest.raises(StoreFull):
        asyncio.run(work.run())
    work, report = here.work(rows())
    asyncio.run(work.run())
    assert here.server.paths == paths(1, 2, 3, 5, 6, 7, 9)
    assert report.lines == 10
    work, report = here.work(rows())
    asyncio.run(work.run())
    assert report.sent == 0


def test_the_journal_forgets_what_is_old(tmp_path: Path) -> None:
    journal = ImportJournal(ImportRecordFiles(tmp_path), "site 1")
    mark = FileMark(0, 0, "")
    for number in range(ENTRIES_KEPT + 3):
        journal.note(journal.entry_at(mark), mark, number)
    (tmp_path / "broken.json").write_text("{")
    journal.tidy()
    assert len(journal.entries()) == ENTRIES_KEPT
