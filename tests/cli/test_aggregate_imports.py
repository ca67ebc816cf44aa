"""``tallystick import plausible``, ``list`` and ``remove``: without a server, beside one, and through its API."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from support.analytics import HOST, AnalyticsServer, analytics_server, prepare
from support.commands import CommandLine, Ran
from support.exported import TABLES, a_past_export
from tallystick.ledger.ledger import milliseconds

WHOLE = "imported: 33 rows of 10 tables"


@pytest.fixture
def data(run: CommandLine, tmp_path: Path) -> Path:
    del run
    (tmp_path / "data").mkdir()
    prepare(tmp_path / "data", now=milliseconds())
    return tmp_path / "data"


def said(ran: Ran) -> str:
    """What a command that succeeded wrote to standard error."""
    ran.succeeded()
    return ran.err


def asked(
    run: CommandLine, *options: str, imported: bool = True, variables: Mapping[str, str] = MappingProxyType({})
) -> Any:
    arguments = ("--by", "source", "--period", "2024-12-01,2025-01-10", "--format", "json", *options)
    ran = run("query", *arguments, *(("--imported",) if imported else ()), variables=variables)
    return json.loads(ran.succeeded())


def test_a_past_export_is_imported_once_listed_and_removed(run: CommandLine, data: Path, tmp_path: Path) -> None:
    file, to = a_past_export(tmp_path), ("--data", str(data))
    dry = run("import", "plausible", str(file), "--dry-run", *to)
    assert dry.succeeded().splitlines()[0] == (
        "visitors\t3\t2024-12-31\t2025-01-10\tvisitors 17, pageviews 41, bounces 8, visits 19, visit_duration 1,500"
    )
    assert "nothing was changed; it would be: 33 rows of 10 tables" in dry.err
    assert "left out the column 'total_scroll_depth' of pages" in dry.err
    assert run("import", "list", *to).succeeded() == ""
    assert WHOLE in said(run("import", "plausible", str(file), *to))
    again = run("import", "plausible", str(file), *to)
    assert "this file was imported before, as import 1; nothing was changed" in said(again)
    assert run("import", "list", *to).succeeded() == "1\tplausible\t2024-12-31\t2025-01-10\t33\tdone\texport.zip\n"
    found = asked(run, *to)
    assert [(row["dimensions"], row["metrics"]) for row in found["results"]] == [
        (["Google"], [11, 29]), (["Direct / None"], [4, 10])
    ]  # fmt: skip
    assert found["meta"]["imports_included"] is True
    assert asked(run, *to, imported=False)["results"] == []
    other = a_past_export(tmp_path, {"visitors": TABLES["visitors"]}, "other.zip")
    assert (
        "imported days of the same tables before, with import 1"
        in run("import", "plausible", str(other), *to).refused()
    )
    run("import", "plausible", str(other), "--replace", *to).succeeded()
    assert run("import", "list", *to).succeeded().startswith("2\tplausible\t2024-12-31\t2025-01-10\t3\tdone\t")
    kept = run("import", "remove", "2", *to)
    assert (kept.code, "import 2 was not removed" in kept.err) == (1, True)
    assert "removed import 2" in said(run("import", "remove", "2", "--yes", *to))
    assert "the site has no import 2" in run("import", "remove", "2", "--yes", *to).refused()
    assert run("import", "list", *to).succeeded() == ""


def test_bad_lines_are_told_and_a_file_of_them_alone_is_none(run: CommandLine, data: Path, tmp_path: Path) -> None:
    text = "date,visitors\nx,1\n2024-12-31,2\n"
    file = a_past_export(tmp_path, {"visitors": text})
    ran = run("import", "plausible", str(file), "--data", str(data))
    assert "imported_visitors_20241201_20250110.csv, line 2: date: 'x' is not a date" in said(ran)
    assert "imported: 1 rows of 1 tables, could not read 1 lines" in said(ran)
    bad = a_past_export(tmp_path, {"visitors": "date,visitors\nx,1\n"}, "bad.zip")
    nothing = run("import", "plausible", str(bad), "--data", str(data))
    assert (nothing.code, "no row can be used, 1 lines could not be read" in nothing.err) == (1, True)
    (tmp_path / "no.zip").write_text("no zip")
    assert "is not a ZIP" in run("import", "plausible", "no.zip", "--data", str(data)).refused()


@pytest.fixture
def server(tmp_path: Path) -> Any:
    with analytics_server(tmp_path / "served") as running:
        yield running


def test_through_a_running_server(run: CommandLine, server: AnalyticsServer, tmp_path: Path) -> None:
    file, beside = a_past_export(tmp_path), ("--data", str(tmp_path / "served"))
    assert WHOLE in said(run("import", "plausible", str(file), *beside))
    through, key = ("--url", server.url, "--site", HOST), {"TALLYSTICK_TOKEN": server.token}
    again = run("import", "plausible", str(file), *through, variables=key)
    assert "this file was imported before, as import 1" in said(again)
    assert run("import", "list", *through, variables=key).succeeded() == run("import", "list", *beside).succeeded()
    assert asked(run, *through, variables=key)["results"] == asked(run, *beside)["results"] != []
    other = a_past_export(tmp_path, {"visitors": TABLES["visitors"]}, "other.zip")
    assert "with import 1 (export.zip)" in run("import", "plausible", str(other), *through, variables=key).refused()
    run("import", "remove", "1", "--yes", *through, variables=key).succeeded()
    assert run("import", "list", *beside).succeeded() == ""
    asked_for = run("query", "--imported", "--period", "7d", *beside)
    assert "Nothing is imported." in said(asked_for)
