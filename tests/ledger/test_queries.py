"""SQL has a file, a name and a sentence, and both databases answer the same questions."""

import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import pytest

QUERIES = Path(str(files("tallystick.ledger").joinpath("queries")))


def queries(dialect: str, files_: Sequence[str] = ("*",)) -> dict[str, str]:
    """The queries of a dialect, of all files or of some: the line after each name."""
    found = {}
    for file in sorted(file for name in files_ for file in (QUERIES / dialect).glob(f"{name}.sql")):
        before, *parts = re.split(r"^-- name: ", file.read_text(), flags=re.MULTILINE)
        assert not before.strip()
        for part in parts:
            name, sentence = part.splitlines()[:2]
            found[name.split("(")[0]] = sentence
    return found


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_every_query_has_a_sentence(dialect: str) -> None:
    assert {name: sentence for name, sentence in queries(dialect).items() if not re.match(r"-- [A-Z]", sentence)} == {}


@pytest.mark.parametrize("folder", ["common", "sqlite", "postgresql"])
def test_no_two_queries_have_one_name(folder: str) -> None:
    """Only the last one would be found."""
    text = "".join(file.read_text() for file in (QUERIES / folder).glob("*.sql"))
    names = re.findall(r"^-- name: (\w+)", text, re.MULTILINE)
    assert [name for name in sorted(set(names)) if names.count(name) > 1] == []


OF_SEVERAL_SERVERS = (
    "backup_note",
    "clock",
    "common_secret",
    "counter_upload",
    "held",
    "lease",
    "limit",
    "login_attempt",
    "request",
    "ticket",
    "upload",
)
"""Files of PostgreSQL's queries: what a server of its own keeps in memory, or does not need."""


def test_both_databases_have_the_same_queries() -> None:
    # On SQLite a look-up needs no statement of its own: it takes no locks that others wait for.
    alone = {*queries("sqlite"), "find"}
    assert alone | set(queries("postgresql", OF_SEVERAL_SERVERS)) == set(queries("postgresql"))
