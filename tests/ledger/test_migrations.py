"""Migrations: numbered, ordered, checked, resumable after a kill, and never backwards."""

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest

from tallystick.errors import DatabaseSchemaRefused, DatabaseUnreachable
from tallystick.ledger import Database, migrations, open_database
from tallystick.ledger.migrations import Applied, Migration, all_migrations, outstanding

STEPS = [
    Migration(1, "0001_log", "CREATE TABLE log (step integer); INSERT INTO log VALUES (1);"),
    Migration(2, "0002_more", "CREATE TABLE more (x integer); INSERT INTO log VALUES (2);"),
    Migration(3, "0003_last", "ALTER TABLE more ADD COLUMN y integer; INSERT INTO log VALUES (3);"),
]

Know = Callable[[list[Migration]], None]


@pytest.fixture
def database(database_url: str | None, tmp_path: Path) -> Database:
    """An empty database of either kind: no ledger yet."""
    return open_database(database_url, tmp_path)


@pytest.fixture
def know(database: Database, monkeypatch: pytest.MonkeyPatch) -> Know:
    """Give the program other steps than its own."""

    def know(steps: list[Migration]) -> None:
        monkeypatch.setattr(f"tallystick.ledger.{database.name}.all_migrations", lambda _dialect: steps)

    return know


def ask(database: Database, statement: str) -> list[tuple[Any, ...]]:
    session: Any = database.session()
    with closing(session):
        return [tuple(row) for row in session.connection.execute(statement).fetchall()]


def taken(database: Database) -> list[int]:
    """What was done, and what is recorded: always the same."""
    done = [step for (step,) in ask(database, "SELECT step FROM log ORDER BY step")]
    assert [number for (number,) in ask(database, "SELECT number FROM migration ORDER BY number")] == done
    return done


def test_steps_are_taken_in_order_and_once(database: Database, know: Know) -> None:
    know(STEPS[:2])
    database.migrate()
    assert taken(database) == [1, 2]
    know(STEPS)
    database.migrate()
    assert taken(database) == [1, 2, 3]
    database.migrate()
    assert taken(database) == [1, 2, 3]


def test_a_step_that_fails_leaves_nothing_behind(database: Database, know: Know) -> None:
    know([STEPS[0], Migration(2, "0002_wrong", "CREATE TABLE more (x integer); INSERT INTO missing VALUES (1);")])
    with pytest.raises(DatabaseUnreachable):
        database.migrate()
    assert taken(database) == [1]
    know(STEPS)
    database.migrate()
    assert taken(database) == [1, 2, 3]


def test_an_altered_step_is_refused(database: Database, know: Know) -> None:
    know(STEPS)
    database.migrate()
    know([STEPS[0], STEPS[1]._replace(sql=STEPS[1].sql + " "), STEPS[2]])
    with pytest.raises(DatabaseSchemaRefused, match="0002_more"):
        database.migrate()


def test_a_tampered_record_is_refused(database: Database) -> None:
    database.migrate()
    session: Any = database.session()
    with closing(session), session.transaction():
        session.connection.execute("UPDATE migration SET checksum = 'x' WHERE number = 1")
    with pytest.raises(DatabaseSchemaRefused, match="0001_counters"):
        database.migrate()


def test_a_newer_database_is_refused_and_left_alone(database: Database, know: Know) -> None:
    know(STEPS)
    database.migrate()
    know(STEPS[:2])
    with pytest.raises(DatabaseSchemaRefused, match="newer"):
        database.migrate()
    know(STEPS)
    assert taken(database) == [1, 2, 3]


DYING = """
import json, os, sys
from importlib import import_module
from pathlib import Path
from signal import SIGKILL
from tallystick.ledger import open_database
from tallystick.ledger.migrations import Migration

url, data, when, dies_in, steps = sys.argv[1] or None, Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5]
database = open_database(url, data)
module = import_module(f"tallystick.ledger.{database.name}")
module.all_migrations = lambda _: [Migration(*step) for step in json.loads(steps)]
Session = type(database.session())
take = Session.take

def dying(session, step):
    if step.number == dies_in and when == "before":
        os.kill(os.getpid(), SIGKILL)
    take(session, step)
    if step.number == dies_in and when == "after":
        os.kill(os.getpid(), SIGKILL)

Session.take = dying
database.migrate()
"""


@pytest.mark.parametrize("dies_in", [1, 2, 3])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_in_a_step_leaves_whole_steps_and_the_next_start_goes_on(
    database_url: str | None, tmp_path: Path, know: Know, dies_in: int, when: str
) -> None:
    arguments = [database_url or "", str(tmp_path), when, str(dies_in), json.dumps(STEPS)]
    killed = subprocess.run([sys.executable, "-c", DYING, *arguments], check=False)
    assert killed.returncode == -SIGKILL
    database = open_database(database_url, tmp_path)
    if dies_in > 1:
        assert taken(database) == list(range(1, dies_in))
    know(STEPS)
    database.migrate()
    assert taken(database) == [1, 2, 3]


def test_several_that_start_at_once_take_each_step_once(database: Database, know: Know) -> None:
    know(STEPS)
    with ThreadPoolExecutor(8) as pool:
        for starting in [pool.submit(database.migrate) for _ in range(8)]:
            starting.result()
    assert taken(database) == [1, 2, 3]


@pytest.mark.parametrize("names", [["0002_b.sql"], ["0001_a.sql", "0003_c.sql"], ["0001_a.sql", "0001_b.sql"]])
def test_a_gap_in_the_numbers_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str]) -> None:
    (tmp_path / "sqlite").mkdir()
    for name in names:
        (tmp_path / "sqlite" / name).write_text("SELECT 1;")
    monkeypatch.setattr(migrations, "files", lambda _package: tmp_path)
    with pytest.raises(DatabaseSchemaRefused):
        all_migrations.__wrapped__("sqlite")


def test_steps_are_sorted_by_number_and_other_files_are_no_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sqlite").mkdir()
    for name in ("0003_c.sql", "0001_a.sql", "0002_b.sql", "README.md"):
        (tmp_path / "sqlite" / name).write_text(f"-- {name}")
    monkeypatch.setattr(migrations, "files", lambda _package: tmp_path)
    steps = all_migrations.__wrapped__("sqlite")
    assert [step.name for step in steps] == ["0001_a", "0002_b", "0003_c"]
    assert steps[1].sql == "-- 0002_b.sql"


def test_a_record_with_a_gap_is_refused() -> None:
    with pytest.raises(DatabaseSchemaRefused):
        outstanding(STEPS, [Applied(1, STEPS[0].checksum), Applied(3, STEPS[2].checksum)])


def test_both_databases_have_the_same_steps() -> None:
    names = [[step.name for step in all_migrations(dialect)] for dialect in ("sqlite", "postgresql")]
    assert names[0] == names[1]
