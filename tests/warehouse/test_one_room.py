"""Only ``tallystick.warehouse.duckdb`` knows how hits are kept: what import-linter cannot see."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src" / "tallystick"
ROOM = SOURCES / "warehouse"
ELSEWHERE = [file for file in SOURCES.rglob("*.py") if ROOM not in file.parents]


def queries(folder: Path) -> set[str]:
    """Names of the queries in a folder."""
    texts = [file.read_text() for file in folder.rglob("*.sql")]
    return {name for text in texts for name in re.findall(r"^-- name: (\w+)", text, re.MULTILINE)}


QUERIES = queries(ROOM / "duckdb" / "queries") - queries(SOURCES / "ledger" / "queries")
NAMES = {
    "a named query": rf"\.queries\.({'|'.join(QUERIES)})\b",
    "a name of its files": r"\b(WAREHOUSE_FILE|JOURNAL_FILE|EXPORTS_DIRECTORY|warehouse\.duckdb|warehouse-journal)\b",
}


@pytest.mark.parametrize("pattern", NAMES.values(), ids=NAMES)
def test_stands_nowhere_else(pattern: str) -> None:
    assert len(ELSEWHERE) > 100
    assert len(QUERIES) > 30
    lines = [(file, line) for file in ELSEWHERE for line in file.read_text().splitlines()]
    assert [(file, line) for file, line in lines if re.search(pattern, line)] == []


def test_commands_that_need_no_hits_do_not_wait_for_duckdb() -> None:
    modules = [f"tallystick.cli.{file.stem}" for file in (SOURCES / "cli").glob("*.py") if file.stem != "__init__"]
    program = f"import sys, tallystick.app, {', '.join(modules)}; print('duckdb' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert ended.stdout == "False\n"
