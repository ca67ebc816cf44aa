"""Plausible's export as it is read: names, columns, bad lines, and files that are made to do harm."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.exported import TABLES, an_export
from tallystick.errors import InputRefused
from tallystick.model.aggregates import BY_NAME, Row
from tallystick.services.imports import bounds, plausible_zip
from tallystick.services.imports.plausible_zip import BadRow, ExportReport, digest_of, rows_of

TODAY = 20_900  # 2027-03-23
DAY = 20_818  # 2026-12-31
VISITORS = "date,visitors,pageviews,bounces,visits,visit_duration\n"


def read(file: Path) -> tuple[ExportReport, dict[str, list[Row]], list[BadRow]]:
    report, bad = ExportReport(), list[BadRow]()
    found: dict[str, list[Row]] = {}
    for aggregate, row in rows_of(file, TODAY, report, bad.append):
        found.setdefault(aggregate.name, []).append(row)
    return report, found, bad


def of(folder: Path, tables: Mapping[str, str | bytes]) -> tuple[ExportReport, dict[str, list[Row]], list[BadRow]]:
    return read(an_export(folder, tables))


def test_every_table_is_read_and_added_up(tmp_path: Path) -> None:
    report, found, bad = read(an_export(tmp_path))
    assert (set(found), bad, report.bad, report.rows) == (set(BY_NAME), [], 0, 33)
    visitors = report.tables["visitors"]
    assert (visitors.rows, visitors.first, visitors.last) == (3, DAY, DAY + 10)
    assert dict(visitors.sums) == {
        "visitors": 17, "pageviews": 41, "bounces": 8, "visits": 19, "visit_duration": 1500
    }  # fmt: skip
    assert found["visitors"][0] == (DAY, 10, 30, 4, 12, 1200)
    assert list(report.notes) == ["left out the column 'total_scroll_depth' of pages"]


def test_values_are_spelled_as_those_of_hits(tmp_path: Path) -> None:
    _, found, _ = read(an_export(tmp_path))
    assert [row[1:3] for row in found["pages"]][:2] == [("example.com", "/"), ("example.com", "/pricing")]
    assert [row[1] for row in found["sources"]] == ["Google", "", "Google"]
    assert [row[1] for row in found["devices"]] == ["Desktop", "Desktop", "Mobile", ""]
    assert [row[1:3] for row in found["browsers"]] == [("Chrome", "120"), ("Edge", "119"), ("Mobile App", "")]
    assert [row[1] for row in found["operating_systems"]] == ["macOS", "Linux", "Windows"]
    assert [row[3] for row in found["locations"]] == ["2950159", "5391959", ""]


def test_files_without_the_first_word_and_with_a_byte_order_mark(tmp_path: Path) -> None:
    name = "visitors_20261231_20261231.csv"
    content = b"\xef\xbb\xbf" + b'"visitors","date"\r\n"7","2026-12-31"\r\n'
    _, found, bad = of(tmp_path, {f"export/{name}": content, "__MACOSX/._x.csv": b"x"})
    assert (found, bad) == ({"visitors": [(DAY, 7, 0, 0, 0, 0)]}, [])


def test_quoted_texts_may_have_commas_quotes_and_lines(tmp_path: Path) -> None:
    text = 'date,page,visitors\n2026-12-31,"/a,""b""\nc",3\n'
    _, found, bad = of(tmp_path, {"pages": text})
    assert (found["pages"], bad) == ([(DAY, "", '/a,"b"\nc', 0, 3, 0)], [])


BAD_LINES = {
    "2026-12-31,1": "2 cells in place of 6",
    "31.12.2026,1,1,1,1,1": "date: '31.12.2026' is not a date such as 2026-01-31",
    "2027-06-01,1,1,1,1,1": "date: 2027-06-01 is before 1995 or in the future",
    "2026-11-30,1,1,1,1,1": "date: 2026-11-30 is before the first day in the file's name",
    "2027-01-11,1,1,1,1,1": "date: 2027-01-11 is before 1995 or in the future",
    "2026-12-31,-1,1,1,1,1": "visitors: '-1' is not a whole number from 0 to 1,000,000,000,000",
    "2026-12-31,1.5,1,1,1,1": "visitors: '1.5' is not a whole number from 0 to 1,000,000,000,000",
    "2026-12-31,99999999999999999999,1,1,1,1": "visitors: '99999999999999999999' is not a whole number",
    "2026-12-31,1,9999999999999,1,1,1": "pageviews: '9999999999999' is not a whole number",
    "2026-12-31,=1+1,1,1,1,1": "visitors: '=1+1' is not a whole number",
    "2026-12-31,\u0661,1,1,1,1": "visitors: '\u0661' is not a whole number",
    f"2026-12-31,{'1' * 70_000},1,1,1,1": "longer than 65,536 bytes",
}


@pytest.mark.parametrize("line", BAD_LINES, ids=lambda line: line[:30])
def test_a_bad_line_is_told_and_the_others_are_read(tmp_path: Path, line: str) -> None:
    report, found, bad = of(tmp_path, {"visitors": f"{VISITORS}{line}\n2026-12-31,1,1,1,1,1\n"})
    assert found["visitors"] == [(DAY, 1, 1, 1, 1, 1)]
    assert [(each.file, each.line) for each in bad] == [("imported_visitors_20261201_20270110.csv", 2)]
    assert bad[0].reason.startswith(BAD_LINES[line])
    assert report.bad == 1


def test_bytes_that_are_no_text_are_a_bad_line(tmp_path: Path) -> None:
    content = b"date,page,visitors\n2026-12-31,/\xff,1\n2026-12-31,/b,2\n2026-12-31,/c\x00,3\n"
    _, found, bad = of(tmp_path, {"pages": content})
    assert [row[2] for row in found["pages"]] == ["/b", "/c\ufffd"]
    assert [each.reason for each in bad] == ["it is not UTF-8"]


def test_long_values_are_bad_lines(tmp_path: Path) -> None:
    _, found, bad = of(tmp_path, {"pages": f"date,page,visitors\n2026-12-31,/{'a' * 3000},1\n2026-12-31,/b,2\n"})
    assert [row[2] for row in found["pages"]] == ["/b"]
    assert bad[0].reason == "page: longer than 2,048 characters"


def test_an_event_must_not_look_like_pageviews(tmp_path: Path) -> None:
    _, _, bad = of(tmp_path, {"custom_events": "date,name,visitors,events\n2026-12-31,pageview,9,9\n"})
    assert bad[0].reason == "name: 'pageview' is not the name of an event"


REFUSED: Mapping[str, tuple[Mapping[str, str | bytes], str]] = {
    "nothing of an export": ({"other.csv": "a,b\n"}, "no file of Plausible's export"),
    "no date": ({"visitors": "visitors\n1\n"}, "has no column date"),
    "a column twice": ({"visitors": "date,visitors,visitors\n"}, "the column 'visitors' twice"),
    "no days": ({"imported_visitors_20261399_20270101.csv": VISITORS}, "is not a date"),
    "the same days twice": (
        {"visitors": VISITORS, "visitors_20270101_20270201.csv": VISITORS},
        "are of the same days",
    ),
    "a bomb": ({"visitors": VISITORS.encode() + b"\n" * 20_000_000}, "times its size, which no export does"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_export_is_refused_as_a_whole(tmp_path: Path, what: str) -> None:
    tables, message = REFUSED[what]
    with pytest.raises(InputRefused, match=message):
        of(tmp_path, tables)


def test_a_file_that_lies_about_its_size_is_no_way_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plausible_zip, "MOST_BYTES", 4_000)
    lines = "".join(f"2026-12-31,{number},1,1,1,1\n" for number in range(100))
    assert of(tmp_path, {"visitors": VISITORS + lines})[0].rows == 100
    monkeypatch.setattr(plausible_zip, "MOST_BYTES", 1_000)
    with pytest.raises(InputRefused, match="unpacks to"):
        of(tmp_path, {"visitors": VISITORS + lines})
    monkeypatch.setattr(plausible_zip, "_check", lambda _members: None)
    with pytest.raises(InputRefused, match="unpacks to more than"):
        of(tmp_path, {"visitors": VISITORS + lines})


def test_empty_lines_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_EMPTY", 100)
    row = "2026-12-31,1,1,1,1,1\n"
    assert of(tmp_path, {"visitors": VISITORS + "\n" * 100 + row + "\n" * 100})[0].rows == 1
    with pytest.raises(InputRefused, match=r"visitors.*\.csv has more than 100 empty lines in a row"):
        of(tmp_path, {"visitors": VISITORS + "\n" * 101})


def test_rows_and_files_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plausible_zip, "MOST_ROWS", 30)
    with pytest.raises(InputRefused, match="more than 30 rows"):
        read(an_export(tmp_path))
    monkeypatch.setattr(plausible_zip, "MOST_FILES", 5)
    with pytest.raises(InputRefused, match="at most 5 can be read"):
        read(an_export(tmp_path))


@pytest.mark.parametrize("cut", [10, 400, 900])
def test_a_cut_or_changed_zip_is_refused(tmp_path: Path, cut: int) -> None:
    whole = an_export(tmp_path).read_bytes()
    file = tmp_path / "cut.zip"
    file.write_bytes(whole[:-cut])
    with pytest.raises(InputRefused, match=r"not a ZIP|cannot be read"):
        read(file)
    file.write_bytes(whole[:100] + bytes(60) + whole[160:])
    with pytest.raises(InputRefused, match="cannot be read"):
        read(file)


def test_nothing_is_written_beside_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(file := tmp_path / "x.zip", "w") as archive:
        archive.writestr("../../visitors_20261201_20270110.csv", TABLES["visitors"])
        archive.writestr("/etc/passwd", "x")
    report, _, _ = read(file)
    assert (report.rows, [each.name for each in tmp_path.iterdir()]) == (3, ["x.zip"])


def test_the_same_file_has_the_same_digest(tmp_path: Path) -> None:
    assert digest_of(an_export(tmp_path)) == digest_of(an_export(tmp_path))
    assert len(digest_of(an_export(tmp_path))) == 64
