"""Files as they come: compressed, padded, torn, in another encoding."""

import asyncio
import bz2
import gzip
import lzma
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tallystick.errors import InputRefused
from tallystick.model.hit import MAX_TITLE
from tallystick.model.referrer import MAX_REFERRER
from tallystick.services.imports import bounds, lines
from tallystick.services.imports.csv_v2 import COLUMNS, csv_reader
from tallystick.services.imports.cutting import cut
from tallystick.services.imports.direct_sink import DrySink
from tallystick.services.imports.lines import LineFile
from tallystick.services.imports.logs import Layouts, log_reader
from tallystick.services.imports.running import BOTS, Import, Report
from tallystick.services.ingest.ingest import Arrival, Knowledge
from tallystick.services.ingest.steps import MAX_AGENT

NOW = 1_800_000_000
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
LINE = f'192.0.2.7 - - [08/Mar/2026:14:05:07 +0000] "GET /a HTTP/1.1" 200 5 "-" "{AGENT}"\n'.encode()
HEADER = ",".join(COLUMNS).encode() + b"\n"
ROW = b'/a,"A, b",0,,Firefox 140,Linux ,1-2,0,,o,"0,0,1",NL,1,2026-01-02T10:00:00Z\n'


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return Knowledge.load()


class Imported:
    """A dry run over a file.

    Attributes:
        bad: (number, reason) of each line that is not understood or not accepted.
    """

    def __init__(self, file: Path, content: bytes, form: str, knowledge: Knowledge) -> None:
        file.write_bytes(content)
        self.report, self.bad = Report(), list[tuple[int, str]]()
        read = csv_reader(lambda: NOW) if form == "csv" else log_reader(form, Layouts(), (), lambda: NOW)
        source = LineFile(file, read, quoted=form == "csv")
        work = Import(
            source, DrySink(knowledge), self.report, journal=None, progress=lambda _report, _batch: None,
            on_bad_line=lambda bad: self.bad.append((bad.number, bad.reason)),
        )  # fmt: skip
        try:
            asyncio.run(work.run())
        finally:
            source.close()


ImportsFile = Callable[..., Imported]


@pytest.fixture
def imported(tmp_path: Path, knowledge: Knowledge) -> ImportsFile:
    return lambda content, form="combined": Imported(tmp_path / "file", content, form, knowledge)


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("padding", [b"\xef\xbb\xbf", b"\0" * 70_000, b"\0" * 3_000_001, b"\0" * 1_048_570])
def test_padding_is_no_part_of_a_line(
    imported: ImportsFile, compress: Callable[[bytes], bytes], padding: bytes
) -> None:
    report = imported(compress(padding + LINE + padding + LINE + padding)).report
    assert (report.stored, report.bad) == (2, 0)
    report = imported(compress(padding + HEADER + ROW + padding), "csv").report
    assert (report.stored, report.bad, report.empty) == (1, 0, report.lines - 1)


def test_padding_before_a_line_comes_alone_while_a_file_grows(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    file.write_bytes(b"\0" * 2_500_000 + LINE[:20])
    source = LineFile(file, log_reader("combined", Layouts(), (), lambda: NOW), growing=True)
    while batch := source.next(100):
        assert not batch.hits
    with file.open("ab") as stream:
        stream.write(LINE[20:] + LINE)
    batch = source.next(100)
    assert batch is not None
    assert [told.arrival.address for told in batch.hits] == ["192.0.2.7"] * 2
    source.close()


@pytest.mark.parametrize("form", ["combined", "csv"])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_nuls_alone_are_no_file_of_lines(imported: ImportsFile, compress: Callable[[bytes], bytes], form: str) -> None:
    with pytest.raises(InputRefused, match="the file has nothing but NUL bytes, so no line can be read"):
        imported(compress(b"\0" * 1_500_000), form)
    assert imported(b"").report.lines == 0  # a log of a day without visitors


@pytest.mark.parametrize(
    ("form", "first", "empty"),
    [
        ("combined", LINE, b"\n"),
        ("combined", LINE, b"#Fields: date\n"),
        ("combined", LINE, b" \0\t\r\n"),
        ("combined", b"", b"\n"),
        ("csv", HEADER + ROW, b"\n"),
    ],
)
def test_a_few_bytes_of_empty_lines_are_not_much_work(
    imported: ImportsFile, monkeypatch: pytest.MonkeyPatch, form: str, first: bytes, empty: bytes
) -> None:
    monkeypatch.setattr(bounds, "MOST_EMPTY", 7_000)  # more than a batch
    row = ROW if form == "csv" else LINE
    report = imported(gzip.compress(first + empty * 7_000 + row + empty * 7_000), form).report
    assert report.stored == 1 + bool(first)
    with pytest.raises(InputRefused, match="the file has more than 7,000 empty lines in a row: it is damaged"):
        imported(gzip.compress(first + empty * 7_001), form)


def test_a_file_of_nothing_but_bad_lines_ends_early(imported: ImportsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_BAD", 6_000)
    with pytest.raises(InputRefused, match="lines can be used; the file has another format"):
        imported(b"x\n" * 10_000 + LINE)
    assert imported(LINE + b"x\n" * 6_000).report.bad == 6_000


def test_a_compressed_log_cannot_become_huge(imported: ImportsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "PLAUSIBLE_SIZE", 3_000_000)
    with pytest.raises(InputRefused, match="the file becomes more than 250 times its size"):
        imported(gzip.compress(LINE + b"\0" * 8_000_000 + LINE))
    assert imported(LINE + b"\0" * 8_000_000 + LINE).report.stored == 2


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b""])
def test_endings_of_lines_make_no_difference(imported: ImportsFile, ending: bytes) -> None:
    content = LINE.replace(b"\n", ending or b"\n") + LINE.rstrip(b"\n") + ending
    assert imported(content).report.stored == 2
    assert imported((HEADER + ROW).replace(b"\n", ending or b"\n") + ROW.rstrip(), "csv").report.stored == 2


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("form", ["combined", "caddy", "csv"])
def test_another_encoding_is_refused(imported: ImportsFile, encoding: str, form: str) -> None:
    content = (HEADER if form == "csv" else LINE).decode().encode(encoding)
    for text in (content, gzip.compress(content)):
        with pytest.raises(
            InputRefused, match="the file is UTF-16 or UTF-32; import it with: iconv -f UTF-16 -t UTF-8 FILE"
        ):
            imported(text, form)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x28\xb5\x2f\xfd" + b"x" * 100, "zstd -dc FILE"),
        (b"PK\x03\x04" + b"x" * 100, "the file is a ZIP"),
        (bz2.compress(LINE)[:-9], "the compressed file is damaged"),
        (lzma.compress(LINE)[:-9], "the compressed file is damaged"),
        (b"BZh9" + b"x" * 100, "the compressed file is damaged"),
    ],
)
def test_what_cannot_be_unpacked_is_refused(imported: ImportsFile, content: bytes, reason: str) -> None:
    with pytest.raises(InputRefused, match=reason):
        imported(content)


def test_a_line_without_end_is_one_bad_line(imported: ImportsFile) -> None:
    found = imported(LINE + b"x" * 5_000_000 + b"\n" + LINE)
    assert found.bad == [(2, "it is longer than 65536 bytes")]
    assert (found.report.stored, found.report.lines) == (2, 3)


@pytest.mark.parametrize("rows", [3, 500])
def test_an_open_quotation_mark_costs_one_row(
    imported: ImportsFile, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(lines, "ROW_LIMIT", 10_000)
    torn = ROW.replace(b'"A, b"', b'"A')
    found = imported(HEADER + ROW + torn + ROW * rows + torn + ROW * rows, "csv")
    assert found.report.stored == 2 * rows + 1
    assert [number for number, _ in found.bad] == [3, rows + 4]
    assert all(reason == "it is not valid CSV: a quotation mark is not closed" for _, reason in found.bad)


def test_a_cell_may_hold_ends_of_lines(imported: ImportsFile) -> None:
    found = imported(HEADER + ROW.replace(b"A, b", b"A\n\nb\r\n") + ROW, "csv")
    assert (found.report.stored, found.bad) == (2, [])


@pytest.mark.parametrize("title", ["A\rb", "A\r", "\r", '"A\r\nb\r"'])
def test_a_cell_may_hold_carriage_returns(imported: ImportsFile, title: str) -> None:
    for ending in (b"\n", b"\r\n"):
        found = imported(HEADER + ROW.replace(b'"A, b"', title.encode()).replace(b"Z\n", b"Z" + ending) + ROW, "csv")
        assert (found.report.stored, found.bad) == (2, [])


def test_open_quotation_marks_take_linear_time(imported: ImportsFile) -> None:
    """Short lines behind one mark took minutes when what was gathered was searched again for each."""
    started = time.process_time()
    found = imported(HEADER + b'"\n' + b"x\n" * 200_000, "csv")
    assert time.process_time() - started < 20
    assert found.report.bad == 200_001


def an_arrival(**fields: object) -> Arrival:
    return Arrival(received=NOW, **{"path": "/a", **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "lost"),
    [
        ({"agent": "x" * 600}, False),
        ({"title": "x" * MAX_TITLE}, False),
        ({"title": "x" * 1_100}, True),
        ({"ref": "https://x.org/" + "x" * 2_500}, True),
        ({"ref": "https://x.org/?q=" + "x" * 2_500}, False),
        ({"ref": "x" * 2_500, "ref_scheme": "o"}, True),
        ({"ref": "x?" + "x" * 2_500, "ref_scheme": "o"}, True),
    ],
)
def test_what_is_too_long_is_cut(fields: dict[str, str], lost: bool) -> None:  # noqa: FBT001  # a row
    arrival = an_arrival(**fields)
    assert cut(arrival) is lost
    assert len(arrival.agent) <= MAX_AGENT
    assert len(arrival.title) <= MAX_TITLE
    assert len(arrival.ref) <= MAX_REFERRER


def test_long_texts_cost_no_visit_and_are_counted(imported: ImportsFile) -> None:
    long_agent = LINE.replace(AGENT.encode(), AGENT.encode() + b" " + b"x" * 600)
    long_referrer = LINE.replace(b'"-"', b'"https://x.org/' + b"x" * 2_500 + b'"')
    long_title = ROW.replace(b"A, b", b"t" * 1_100)
    report = imported(LINE + long_agent + long_referrer).report
    assert (report.stored, report.cut, report.notes[BOTS]) == (3, 1, 0)
    report = imported(HEADER + ROW + long_title, "csv").report
    assert (report.stored, report.cut) == (2, 1)


def test_every_line_is_accounted_for(imported: ImportsFile) -> None:
    content = [
        LINE,
        b"# a comment\n",
        b"\n",
        b"nonsense\n",
        LINE.replace(b"2026", b"2099"),
        LINE.replace(b"/a", b"/" + b"x" * 2_100),
        LINE.replace(b"/a", b"/favicon.ico"),
        LINE.replace(b"GET", b"HEAD"),
        LINE.replace(AGENT.encode(), b"curl/8.0"),
    ]
    report = imported(b"".join(content)).report
    assert (report.lines, report.empty, report.bad, report.excluded.total()) == (9, 2, 1, 1)
    assert (report.sent, report.stored, report.refused, report.dropped) == (5, 2, 2, 1)
    assert report.notes == {BOTS: 1, "ignored path": 1}
    assert report.reasons == {"created_at: in the future": 1, "path: must be shorter than 2048 characters": 1}
    assert report.last is not None
    assert report.last < NOW


@pytest.mark.parametrize(
    ("content", "failed"),
    [
        (b"", False),
        (b"# a comment\n\n", False),
        (LINE, False),
        (LINE + b"nonsense\n", False),
        (LINE.replace(b"GET", b"HEAD") + b"nonsense\n", False),
        (b"nonsense\n", True),
        (LINE.replace(b"2026", b"2099"), True),
    ],
)
def test_an_import_that_understood_nothing_has_failed(imported: ImportsFile, content: bytes, failed: bool) -> None:  # noqa: FBT001  # a row
    assert imported(content).report.failed is failed


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"Screen size": "1745.4545454545455,982,1"}, None),
        ({"Screen size": " 1920 ,1080,1,1"}, None),
        ({"Screen size": "1920,"}, None),
        ({"Screen size": ""}, None),
        ({"Screen size": "-1,0,1"}, None),
        ({"Screen size": "undefined,undefined,1"}, None),
        ({"Screen size": "99999999999,1,1"}, None),
        ({"Session": "x" * 5_000}, None),
        ({"Location": "nowhere at all"}, None),
        ({"Date": "2016-12-31T23:59:60Z"}, None),
        ({"Date": "2026-01-02T10:00:00.123456789+05:45"}, None),
        ({"Date": "2026-01-02 10:00:00"}, None),
        ({"UserAgent": AGENT.replace(" ", "+")}, None),
        ({"Date": "0001-01-01T00:00:00Z"}, "Date must not be before 1970, but is '0001-01-01T00:00:00Z'"),
        ({"Date": "0001-01-01T00:00:00+02:00"}, "Date must not be before 1970, but is '0001-01-01T00:00:00+02:00'"),
        ({"Date": "2026-01-02T10:00:61Z"}, "Date must be an RFC 3339 time, not '2026-01-02T10:00:61Z'"),
    ],
    ids=str,
)
def test_what_a_cell_may_hold(imported: ImportsFile, cells: dict[str, str], reason: str | None) -> None:
    row = {"2Path": "/a", "Event": "0", "Referrer scheme": "o", "FirstVisit": "1", "Date": "2026-01-02T10:00:00Z"}
    line = ",".join(f'"{({**row, **cells}).get(column, "")}"' for column in COLUMNS).encode()
    found = imported(HEADER + line, "csv")
    assert found.bad == ([] if reason is None else [(2, reason)])
    assert (found.report.stored, found.report.notes[BOTS]) == (int(reason is None), 0)
