"""Rows of CSV hold any text, and are read back as they were."""

import ast
import csv
import gzip
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tallystick
from tallystick.cli.support.funnel_forms import print_funnel
from tallystick.cli.support.query_forms import print_answer
from tallystick.model.csv_rows import csv_writer
from tallystick.services.exports.spreadsheet import safe, write_safe
from tallystick.surfaces.dashboard.support.data import as_csv

NAMES = [
    "a\rb",
    "a\nb",
    "a\r\nb",
    "\r",
    "\n",
    "\r\n",
    'say "hello"',
    '"',
    "a,b",
    "",
    " a ",
    "=1+1",
    "+1",
    "-1",
    "@a",
    "=1\r+1",
    "a\x0bb\x1cc\x85d\u2028e",
    "a\0b",
    "\u4f8b",
]
SPAN = ["2026-03-10T00:00:00+01:00", "2026-03-12T23:59:59+01:00"]


def read_back(text: str) -> list[list[str]]:
    """Rows, as programs read them."""
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def written(rows: list[list[Any]], *, quote_all: bool = False) -> str:
    out = io.StringIO(newline="")
    write = csv_writer(out, quote_all=quote_all)
    for row in rows:
        write(row)
    return out.getvalue()


@pytest.mark.parametrize("quote_all", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_one_cell(name: str, quote_all: bool) -> None:  # noqa: FBT001
    rows = [[name, "1"], ["a", name], [name]]
    text = written(rows, quote_all=quote_all)
    assert read_back(text) == rows
    assert text.endswith("\n")
    assert not text.endswith("\r\n")


@given(st.lists(st.lists(st.text(st.sampled_from('a,"\r\n =\t')), min_size=1, max_size=3), max_size=4), st.booleans())
def test_any_rows_are_read_back(rows: list[list[str]], quote_all: bool) -> None:  # noqa: FBT001
    assert read_back(written(rows, quote_all=quote_all)) == rows


@given(st.lists(st.one_of(st.integers(), st.floats(), st.none(), st.text(st.sampled_from('a,"\n =\t;'))), min_size=1))
def test_without_carriage_returns_the_bytes_are_those_of_the_library(cells: list[Any]) -> None:
    plain = io.StringIO(newline="")
    csv.writer(plain, lineterminator="\n").writerow(cells)
    assert written([cells]) == plain.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_the_command_line_writes_answers(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = {"dimensions": ["event:page", "event:props:a\rb"], "metrics": ["visitors"]}
    answer = {"results": [{"dimensions": [name, "x"], "metrics": [3]}], "query": {"date_range": SPAN}}
    print_answer("csv", asked, answer)
    head, row = read_back(capsys.readouterr().out)
    assert (head, row) == (["page", "prop:a\rb", "visitors"], [safe(name), "x", "3"])


@pytest.mark.parametrize("name", NAMES)
def test_the_command_line_writes_funnels(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    step = {"name": name, "optional": False, "visits": 2, "of_first": 100.0, "of_previous": None, "dropped": 1}
    left = {"median_seconds": None, "average_seconds": None, "left_to": [{"page": name, "visits": 1}], "exits": 0}
    answer = {
        "results": {"visits": 4, "entered": 50.0, "steps": [step | left]},
        "meta": {"warnings": []},
        "query": {"date_range": SPAN},
    }
    print_funnel("csv", answer)
    _, row, gone = read_back(capsys.readouterr().out)
    assert (row[0], gone[0], len(row), gone[8:]) == (safe(name), safe(name), 10, [safe(name) if name else "", "1"])


def test_pages_write_rows() -> None:
    rows = [["page", "visitors"], *([safe(name), "1"] for name in NAMES)]
    response = as_csv(rows, "pages")
    assert read_back(bytes(response.body).decode()) == rows


def test_spreadsheets_get_rows(tmp_path: Path) -> None:
    file, target = tmp_path / "a.csv.gz", io.BytesIO()
    file.write_bytes(gzip.compress(written([[name, "1"] for name in NAMES]).encode()))
    write_safe(file, target)
    text = gzip.decompress(target.getvalue()).decode()
    assert read_back(text) == [[safe(name), "1"] for name in NAMES]


def test_rows_are_written_in_one_place() -> None:
    """The library's own writer does not quote a carriage return, unless rows end with one."""
    root = Path(tallystick.__file__).parent
    writers = {"writer", "DictWriter"}
    found = [
        file.relative_to(root).as_posix()
        for file in root.rglob("*.py")
        if any(
            isinstance(node, ast.Attribute) and node.attr in writers and ast.unparse(node.value) == "csv"
            for node in ast.walk(ast.parse(file.read_text("utf-8")))
        )
    ]
    assert found == ["model/csv_rows.py"]
