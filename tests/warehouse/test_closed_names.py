"""Names of browsers and systems that were stored before there was a list of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from support.warehouses import a_hit, opened_warehouse, rows, take_back_sources_and_visits
from tallystick.model.product import BROWSERS, SYSTEMS, known_browser, known_system
from tallystick.warehouse.duckdb.journal import JOURNAL_FILE
from tallystick.warehouse.duckdb.migrations import all_steps
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE

STORED = [
    ("Chrome", "120", "Windows", "10"),
    ("Safari", "17.2", "macOS", "10.15"),
    ("Opera", "12.18", "Windows", "XP"),
    ("Zq7Privbot", "1", "Zq7OS", "5"),
    ("jane.doe@example.com", "jane", "Linux", "jane"),
    ("Chrome", "jane", "Windows", "jane"),
    ("Apple Mail", "605.1", "Linux", "Ubuntu"),
    ("Mobile Safari UI/WKWebView", "", "iOS", "17.2"),
    ("Google", "344.0", "PlayStation", "Vita"),
    ("", "", "", ""),
    ("", "5", "", "6"),
    ("chrome mobile", "130.0.6723", "Mac OS X", "10.15.7"),
]
"""Browser and system as they were; what they become is what ``known_browser`` and ``known_system`` say."""


def right(names: tuple[str, str, str, str]) -> tuple[str, ...]:
    browser, browser_version, system, system_version = names
    return (*known_browser(browser, browser_version), *known_system(system, system_version))


NAMES = "browser, browser_version, system, system_version"


@contextmanager
def as_before(file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A closed warehouse of the schema that had no list."""
    with duckdb.connect(str(file)) as connection:
        yield connection
        take_back_sources_and_visits(connection)
        connection.execute("DELETE FROM migration WHERE number > 1")


async def test_stored_names_outside_of_the_list_are_emptied(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        await warehouse.append([a_hit() for _ in STORED])
        assert len(await rows(warehouse)) == len(STORED)
    with as_before(file) as connection:
        for number, names in enumerate(STORED, 1):
            connection.execute(
                "UPDATE hit SET browser = ?, browser_version = ?, system = ?, system_version = ? WHERE id = ?",
                [*names, number],
            )
    async with opened_warehouse(file) as warehouse:
        found = await rows(warehouse, NAMES)
    assert found == [right(names) for names in STORED]
    assert {row[0] for row in found} <= BROWSERS | {""}
    assert {row[2] for row in found} <= SYSTEMS | {""}


async def test_so_are_those_in_the_journal(file: Path, tmp_path: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        hits = [
            a_hit(browser=browser, browser_version=browser_version, system=system, system_version=system_version)
            for browser, browser_version, system, system_version in STORED
        ]
        await warehouse.append(hits)
        journal = (tmp_path / JOURNAL_FILE).read_bytes(), (tmp_path / f"{JOURNAL_FILE}-wal").read_bytes()
    other = tmp_path / "other"
    other.mkdir()
    (other / JOURNAL_FILE).write_bytes(journal[0])
    (other / f"{JOURNAL_FILE}-wal").write_bytes(journal[1])
    async with opened_warehouse(other / WAREHOUSE_FILE) as warehouse:
        assert await rows(warehouse, NAMES) == [right(names) for names in STORED]


@pytest.mark.parametrize("name", sorted(BROWSERS | SYSTEMS))
def test_the_step_knows_every_name(name: str) -> None:
    assert f"'{name}')" in all_steps()[1].sql
