"""Ledgers and backups of another version of the program."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from support.commands import CommandLine
from support.places import Place, fill, state
from support.postgres import Postgres
from tallystick.cli.support import opening
from tallystick.cli.support.data_directory import held_data_directory
from tallystick.ledger import Database, copying, postgresql, sqlite
from tallystick.ledger.migrations import Migration, all_migrations
from tallystick.ledger.postgresql import PostgresqlSession
from tallystick.ledger.sqlite import SqliteDatabase, SqliteSession
from tallystick.services.backup import ledger_copy as services

either_other = pytest.mark.parametrize("other", ["sqlite", "postgresql"], indirect=True)


NOTES = {
    "sqlite": "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL, pinned INTEGER NOT NULL) STRICT",
    "postgresql": "CREATE TABLE note (id bigint PRIMARY KEY, body text NOT NULL, pinned boolean NOT NULL)",
}


@pytest.fixture
def next_version(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Turns the program into one that knows a further table."""

    def steps(dialect: str) -> list[Migration]:
        known = all_migrations(dialect)
        return [*known, Migration(len(known) + 1, "notes", NOTES[dialect])]

    def turn() -> None:
        for module in (sqlite, postgresql, services, opening):
            monkeypatch.setattr(module, "all_migrations", steps)

    return turn


ONLY_ON_POSTGRESQL = {
    "lease",
    "common_secret",
    "ticket",
    "limit_window",
    "limit_report",
    "login_attempt",
    "counter_upload",
}


@either_other
def test_an_older_backup_is_brought_up_to_date(
    run: CommandLine, backup: Path, other: Place, next_version: Callable[[], None]
) -> None:
    before = backup.read_bytes()
    next_version()
    run("restore", backup, *other.options).succeeded()
    assert other.database.schema() == len(all_migrations("sqlite")) + 1
    assert state(other.database) == state(copying.BackupFile(backup))
    assert backup.read_bytes() == before


@either_other
def test_a_table_of_a_later_version_is_backed_up_as_well(
    run: CommandLine, place: Place, other: Place, next_version: Callable[[], None]
) -> None:
    next_version()
    fill(place, 10)
    execute(place.database, "INSERT INTO note VALUES (1, 'tab\\tand ''quote''\n', '1'), (2, '', '0')")
    run("backup", "backup.db", *place.options).succeeded()
    run("restore", "backup.db", *other.options).succeeded()
    assert notes(other.database) == notes(place.database) == [(1, "tab\\tand 'quote'\n", 1), (2, "", 0)]


def execute(database: Database, statement: str) -> list[tuple[object, ...]]:
    with closing(database.session()) as session:
        if isinstance(session, SqliteSession):
            return [tuple(row) for row in session.connection.execute(statement)]
        assert isinstance(session, PostgresqlSession)
        cursor = session.connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def notes(database: Database) -> list[tuple[object, ...]]:
    return execute(database, "SELECT id, body, pinned FROM note ORDER BY id")


def test_both_databases_have_the_same_tables(run: CommandLine, postgres: Postgres) -> None:
    del run
    with postgres.fresh_database() as url:
        fill(Place("data", url), 0)
        fill(Place("data", None), 0)
        with psycopg.connect(url) as connection:
            rows = connection.execute(
                "SELECT table_name, column_name FROM information_schema.columns"
                " WHERE table_schema = 'public' AND table_name <> 'migration'"
            ).fetchall()
    with closing(SqliteDatabase(Path("data/ledger.sqlite3")).session()) as session:
        found = {(table, column) for table, columns in copying.tables(session).items() for column in columns}
    # What several servers on one database know together; SQLite has one server, which holds its data directory's lock.
    assert found == {(table, column) for table, column in rows if table not in ONLY_ON_POSTGRESQL}


@pytest.mark.parametrize("command", [("list",), ("get", "full/key0003"), ("export", "-")], ids=" ".join)
def test_reading_needs_no_right_to_write(
    run: CommandLine, place: Place, monkeypatch: pytest.MonkeyPatch, command: Sequence[str]
) -> None:
    fill(place, 10)
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 100)
    options = place.options if place.url is None else (*place.options[:-1], with_only_reading(place.url))
    # Whoever asked for a lock here would wait in vain.
    with closing(place.database.session()) as other, other.transaction():
        if isinstance(other, PostgresqlSession):
            other.applied()
        run("counter", *command, *options).succeeded()


def with_only_reading(url: str) -> str:
    """The URL of a connection that may not write."""
    return f"{url}{'&' if '?' in url else '?'}options=-c%20default_transaction_read_only%3Don"


@pytest.mark.parametrize("command", [("list",), ("set", "full/key0003", "1")], ids=" ".join)
def test_a_newer_ledger_is_refused(run: CommandLine, place: Place, command: Sequence[str]) -> None:
    fill(place, 10)
    known = len(all_migrations(place.database.name))
    execute(place.database, f"INSERT INTO migration (number, name, checksum) VALUES ({known + 1}, 'next', '')")
    refusal = run("counter", *command, *place.options).refused()
    assert refusal.startswith(f"the database has schema {known + 1}, this program knows schema {known}: ")


def test_a_ledger_served_by_an_older_program_is_not_changed_under_it(
    run: CommandLine, file_place: Place, next_version: Callable[[], None]
) -> None:
    fill(file_place, 10)
    next_version()
    with held_data_directory(Path("data")):
        refusal = run("counter", "list", *file_place.options).refused()
        run("backup", "before.db", *file_place.options).succeeded()
    assert refusal == (
        "data/ledger.sqlite3 is served by an older Tallystick; stop that server and start this version's"
    )
    assert file_place.database.schema() == len(all_migrations("sqlite"))
    run("counter", "list", *file_place.options).succeeded()
    assert file_place.database.schema() == len(all_migrations("sqlite")) + 1
