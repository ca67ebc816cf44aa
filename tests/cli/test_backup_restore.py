"""``tallystick backup`` and ``restore``."""

import os
import pwd
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from support.commands import CommandLine
from support.postgres import Postgres
from support.server import clean_environment
from tallystick.cli import opening
from tallystick.cli.data_directory import held_data_directory, ledger_file_kept
from tallystick.ledger import Database, Totals, copying, open_database, postgresql, sqlite
from tallystick.ledger.folding import Wanted, operate
from tallystick.ledger.migrations import Migration, all_migrations
from tallystick.ledger.postgresql import PostgresqlSession
from tallystick.ledger.sqlite import SqliteDatabase, SqliteSession
from tallystick.model.counter import INT64_MAX, INT64_MIN, Counter, Create, Set
from tallystick.model.key import Key
from tallystick.services import copying as services

FULL = 1_000
VALUES = (INT64_MIN, INT64_MAX, 0, -1, 2**53 + 1)

State = tuple[dict[Key, Counter], Totals]


class Place(NamedTuple):
    """Where a ledger may lie: a directory, and for PostgreSQL a URL."""

    directory: str
    url: str | None

    @property
    def database(self) -> Database:
        """The database that the place means."""
        return open_database(self.url, Path(self.directory))

    @property
    def options(self) -> tuple[str, ...]:
        """The command line's options for it."""
        return ("--data", self.directory, *(("--database", self.url) if self.url else ()))

    @property
    def file(self) -> Path:
        """The ledger file."""
        return Path(self.directory) / "ledger.sqlite3"


def fill(place: Place, counters: int = FULL) -> State:
    """Make a ledger with counters of every size."""
    Path(place.directory).mkdir(exist_ok=True)
    place.database.migrate()
    wanted = [Wanted(key(n), Create(VALUES[n % 5], -n, n, n % 2 == 0)) for n in range(counters)]
    with closing(place.database.session(writes=True)) as session:
        operate(place.database, session, wanted, 10_000_000_000_000)
    return state(place.database)


def key(number: int) -> Key:
    return Key("full", f"key{number:04}")


def state(database: Database) -> State:
    """Everything in a ledger."""
    with closing(database.session()) as session, session.snapshot():
        return dict(session.page(None, 2 * FULL)), session.totals()


@pytest.fixture
def place(run: CommandLine, database_url: str | None) -> Place:
    """An empty place of either kind, in the working directory that ``run`` has made."""
    del run
    return Place("data", database_url)


@pytest.fixture
def file_place(run: CommandLine) -> Place:
    """An empty place for a ledger in a file."""
    del run
    return Place("data", None)


@pytest.fixture
def other(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A second empty place of either kind."""
    if request.param == "sqlite":
        yield Place("other", None)
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.fresh_database() as url:
        yield Place("other", url)


either_other = pytest.mark.parametrize("other", ["sqlite", "postgresql"], indirect=True)


@either_other
def test_a_backup_restores_everything_into_either_database(run: CommandLine, place: Place, other: Place) -> None:
    full = fill(place)
    assert len(full[0]) == full[1].keys_created == FULL
    assert run("backup", "backup.db", *place.options).succeeded() == ""
    assert run("restore", "backup.db", *other.options).err.startswith("1,000 counters restored into ")
    assert state(other.database) == full
    assert run("counter", "create", "next", *other.options).code == 0


def test_a_backup_is_one_file_for_its_owner(run: CommandLine, place: Place, tmp_path: Path) -> None:
    fill(place)
    run("backup", "backup.db", *place.options).succeeded()
    assert stat.S_IMODE(Path("backup.db").stat().st_mode) == 0o600
    # Any SQLite can read it, and reading leaves nothing beside it.
    with closing(sqlite3.connect("backup.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("SELECT count(*) FROM counter").fetchone() == (FULL,)
    assert {path.name for path in tmp_path.iterdir()} == {"data", "backup.db"}


def test_a_backup_shows_one_instant_however_busy_the_writer_is(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    full = fill(place)
    monkeypatch.setattr(copying, "PAGES_AT_ONCE", 2)
    monkeypatch.setattr(copying, "ROWS_AT_ONCE", 100)
    steps: list[tuple[int, int]] = []
    database = place.database
    with closing(database.session(writes=True)) as writer:

        def change_everything(done: int, total: int) -> None:
            steps.append((done, total))
            wanted = [Wanted(key(number), Set(len(steps), forced=True)) for number in range(FULL)]
            operate(database, writer, wanted, 10_000_000_000_001)

        services.back_up(database, Path("backup.db"), change_everything)
    assert len(steps) > 3
    assert steps == sorted(set(steps)), "the copy began anew"
    assert state(copying.BackupFile(Path("backup.db"))) == full


def test_a_damaged_ledger_makes_no_backup(run: CommandLine, file_place: Place, tmp_path: Path) -> None:
    fill(file_place)
    damage(file_place.file)
    assert run("backup", "backup.db", *file_place.options).refused().startswith("data/ledger.sqlite3 is damaged: ")
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


def damage(file: Path) -> None:
    """Overwrite the last page."""
    with file.open("r+b") as stream:
        stream.seek(-4096, os.SEEK_END)
        stream.write(b"\x55" * 4096)


def test_an_interrupted_backup_leaves_nothing(
    run: CommandLine, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(place, 10)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(services, "damage", interrupted)
    assert run("backup", "backup.db", *place.options).refused(130) == "interrupted"
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


@pytest.fixture
def backup(run: CommandLine) -> Path:
    """A backup with ten counters; ``run`` has made its working directory."""
    source = Place("source", None)
    fill(source, 10)
    run("backup", "backup.db", *source.options).succeeded()
    shutil.rmtree("source")
    return Path("backup.db")


def test_a_restore_replaces_counters_only_when_told_to(run: CommandLine, place: Place, backup: Path) -> None:
    old, new = fill(place), state(copying.BackupFile(backup))
    assert run("restore", backup, *place.options).refused() == (
        f"{place.database.describe()} holds 1,000 counters; --force replaces them all"
    )
    assert state(place.database) == old
    run("restore", backup, "--force", *place.options).succeeded()
    assert state(place.database) == new


def test_a_ledger_without_counters_is_in_nobodys_way(run: CommandLine, place: Place, backup: Path) -> None:
    fill(place, 0)
    run("restore", backup, *place.options).succeeded()
    assert state(place.database) == state(copying.BackupFile(backup))


def test_a_restore_touches_nothing_but_the_ledger(run: CommandLine, file_place: Place, backup: Path) -> None:
    before = backup.read_bytes()
    run("restore", backup, *file_place.options).succeeded()
    assert backup.read_bytes() == before
    assert {path.name for path in Path("data").iterdir()} == {"ledger.sqlite3", "server.lock"}


def test_a_restored_ledger_belongs_to_whom_the_directory_belongs(
    run: CommandLine, file_place: Place, backup: Path
) -> None:
    data = Path(file_place.directory)
    data.mkdir()
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(data, nobody.pw_uid, nobody.pw_gid)
    run("restore", backup, *file_place.options).succeeded()
    assert file_place.file.stat().st_uid == data.stat().st_uid
    assert file_place.file.stat().st_gid == data.stat().st_gid


class TestARestoreIsAlone:
    def test_without_a_server(self, run: CommandLine, place: Place, backup: Path) -> None:
        with held_data_directory(Path("data")):
            assert "held by a" in run("restore", backup, *place.options).refused()

    def test_without_another_command(self, run: CommandLine, file_place: Place, backup: Path) -> None:
        fill(file_place)
        with ledger_file_kept(Path("data")):
            refusal = run("restore", backup, "--force", *file_place.options).refused()
        assert refusal == "another command uses the ledger in data; try again when it is done"

    def test_and_other_commands_wait_outside(self, run: CommandLine, file_place: Place) -> None:
        fill(file_place)
        with ledger_file_kept(Path("data"), for_replacing=True):
            refusal = run("counter", "list", *file_place.options).refused()
        assert refusal == "a restore is replacing the ledger in data; try again when it is done"

    def test_without_a_server_elsewhere_on_the_same_postgresql(
        self, run: CommandLine, postgres: Postgres, backup: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(services, "CLOSING_WITHIN_S", 0.0)
        with postgres.fresh_database() as url, closing(Place("elsewhere", url).database.session()):
            refusal = run("restore", backup, "--database", url).refused()
        assert refusal.endswith("has 1 other connections of Tallystick; stop its servers first")

    def test_without_another_program(self, run: CommandLine, file_place: Place, backup: Path) -> None:
        old = fill(file_place)
        reading = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
            " print(*c.execute('SELECT count(*) FROM counter').fetchone(), flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", reading, file_place.file], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as program:
            assert program.stdout is not None
            assert program.stdout.readline() == b"1000\n"
            refusal = run("restore", backup, "--force", *file_place.options).refused()
            program.communicate(timeout=30)
        assert refusal == "another program has data/ledger.sqlite3 open; close it and try again"
        assert state(file_place.database) == old


def garbage(file: Path) -> str:
    file.write_bytes(b"no database at all" * 1000)
    return "{file} is no Tallystick backup, or damaged: file is not a database"


def nothing(file: Path) -> str:
    file.write_bytes(b"")
    return "{file} is no Tallystick backup, or damaged: it has no tables of ours"


def absent(file: Path) -> str:
    file.unlink()
    return "{file} is no file"


def a_directory(file: Path) -> str:
    file.unlink()
    file.mkdir()
    return "{file} is no file"


def another_database(file: Path) -> str:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE counter (value)")
    return "{file} is no Tallystick backup, or damaged: it has no tables of ours"


def half_a_file(file: Path) -> str:
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    return "{file} is no Tallystick backup, or damaged: "


def a_bad_page(file: Path) -> str:
    damage(file)
    return "{file} is no Tallystick backup, or damaged: "


def a_newer_schema(file: Path) -> str:
    newest = len(all_migrations("sqlite")) + 1
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("INSERT INTO migration (number, name, checksum) VALUES (?, 'next', '')", (newest,))
    return f"{{file}} cannot be restored: the database has schema {newest}, this program knows schema {newest - 1}"


def an_altered_schema(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE migration SET checksum = 'other' WHERE number = 1")
    return "{file} cannot be restored: migration 0001_counters was applied to this database with another text"


@pytest.mark.parametrize(
    "spoil",
    [
        garbage,
        nothing,
        absent,
        a_directory,
        another_database,
        half_a_file,
        a_bad_page,
        a_newer_schema,
        an_altered_schema,
    ],
)
def test_a_file_is_checked_before_anything_is_touched(
    run: CommandLine, file_place: Place, backup: Path, spoil: Callable[[Path], str]
) -> None:
    old = fill(file_place, 20)
    reason = spoil(backup).format(file=backup)
    assert run("restore", backup, "--force", *file_place.options).refused().startswith(reason)
    assert state(file_place.database) == old


def test_the_ledger_itself_is_no_backup(run: CommandLine, file_place: Place) -> None:
    old = fill(file_place, 20)
    refusal = run("restore", file_place.file, "--force", *file_place.options).refused()
    assert refusal == "data/ledger.sqlite3 is the ledger itself"
    assert state(file_place.database) == old


def leave_a_wal(place: Place) -> State:
    """Make a ledger as a killed server leaves it: its last changes are in the WAL only."""
    fill(place)
    with closing(place.database.session(writes=True)) as session:
        wanted = [Wanted(key(number), Set(42, forced=True)) for number in range(FULL)]
        operate(place.database, session, wanted, 10_000_000_000_002)
        for suffix in ("", "-wal"):
            shutil.copy(f"{place.file}{suffix}", f"{place.file}{suffix}.left")
    for suffix in ("", "-wal"):
        Path(f"{place.file}{suffix}.left").rename(f"{place.file}{suffix}")
    old = {key(n): 42 for n in range(FULL)}
    shutil.copytree(place.directory, "looked-at")
    found = state(Place("looked-at", None).database)
    assert {name: counter.value for name, counter in found[0].items()} == old
    assert Path(f"{place.file}-wal").stat().st_size > 0
    return found


def test_the_wal_of_the_old_ledger_is_not_played_back_into_the_new_one(
    run: CommandLine, file_place: Place, backup: Path
) -> None:
    leave_a_wal(file_place)
    run("restore", backup, "--force", *file_place.options).succeeded()
    assert not Path(f"{file_place.file}-wal").exists()
    assert state(file_place.database) == state(copying.BackupFile(backup))


def test_a_file_with_its_wal_is_a_backup_too(run: CommandLine, file_place: Place) -> None:
    old = leave_a_wal(Place("copied", None))
    run("restore", "copied/ledger.sqlite3", *file_place.options).succeeded()
    assert state(file_place.database) == old


def test_a_damaged_ledger_is_replaced_when_told_to_and_kept_aside(
    run: CommandLine, file_place: Place, backup: Path
) -> None:
    leave_a_wal(file_place)
    wal = Path(f"{file_place.file}-wal").read_bytes()
    file_place.file.write_bytes(b"damaged" * 1000)
    assert run("restore", backup, *file_place.options).refused() == (
        "data/ledger.sqlite3 is damaged; --force restores all the same and keeps the damaged file beside it"
    )
    run("restore", backup, "--force", *file_place.options).succeeded()
    assert state(file_place.database) == state(copying.BackupFile(backup))
    (kept,) = Path("data").glob("ledger.sqlite3.damaged-*T??????")
    assert kept.read_bytes() == b"damaged" * 1000
    assert Path(f"{kept}-wal").read_bytes() == wal


KILLED_AT = """
import importlib, os, signal, sys
target, when, *sys.argv[1:] = sys.argv[1:]
module, _, name = target.partition(":")
*path, last = name.split(".")
owner = importlib.import_module(module)
for part in path:
    owner = getattr(owner, part)
whole = getattr(owner, last)
def dying(*arguments, **options):
    if when == "after":
        whole(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, last, dying)
from tallystick.cli.main import main
main()
"""


def killed_at(target: str, when: str, *arguments: str | Path) -> None:
    """Run ``tallystick`` and have it killed before or after it calls a function."""
    command = [sys.executable, "-c", KILLED_AT, target, when, *map(str, arguments)]
    process = subprocess.run(command, env=clean_environment(), capture_output=True, check=False, timeout=60)
    assert process.returncode == -signal.SIGKILL, process.stderr


@pytest.mark.parametrize(
    ("target", "when", "replaced"),
    [
        ("tallystick.services.copying:copy_pages", "after", False),
        ("tallystick.services.copying:_fold_wal_of", "before", False),
        ("tallystick.services.copying:_fold_wal_of", "after", False),
        ("pathlib:Path.replace", "after", True),
    ],
)
def test_a_killed_restore_leaves_the_old_ledger_or_the_new_one(  # noqa: PLR0913  # a row and its fixtures
    run: CommandLine, file_place: Place, backup: Path, target: str, when: str, *, replaced: bool
) -> None:
    old, new = leave_a_wal(file_place), state(copying.BackupFile(backup))
    restoring = ("restore", str(backup), "--force", *file_place.options)
    killed_at(target, when, *restoring)
    assert state(file_place.database) == (new if replaced else old)
    run(*restoring).succeeded()
    assert state(file_place.database) == new
    assert {path.name for path in Path("data").iterdir()} == {"ledger.sqlite3", "server.lock"}


def test_a_killed_restore_leaves_the_old_tables(run: CommandLine, postgres: Postgres, backup: Path) -> None:
    with postgres.fresh_database() as url:
        place = Place("data", url)
        old = fill(place, 20)
        restoring = ("restore", str(backup), "--force", *place.options)
        killed_at("tallystick.ledger.copying:_fill_postgresql", "after", *restoring)
        assert state(place.database) == old
        run(*restoring).succeeded()
        assert state(place.database) == state(copying.BackupFile(backup))


def test_an_interrupted_restore_changes_nothing(
    run: CommandLine, file_place: Place, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = leave_a_wal(file_place)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(services, "_fold_wal_of", interrupted)
    assert run("restore", backup, "--force", *file_place.options).refused(130) == "interrupted"
    assert state(file_place.database) == old
    assert {path.name for path in Path("data").iterdir()} == {"ledger.sqlite3", "server.lock"}


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
    assert found == set(rows)


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
