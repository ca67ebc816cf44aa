"""``tallystick restore``."""

import os
import pwd
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from support.commands import CommandLine
from support.places import Place, damage, fill, leave_a_wal, state
from support.postgres import Postgres
from support.server import clean_environment
from tallystick.cli.support.data_directory import held_data_directory, ledger_file_kept
from tallystick.ledger import copying
from tallystick.ledger.migrations import all_migrations
from tallystick.services.backup import ledger_copy as services


def test_a_restore_replaces_counters_only_when_told_to(run: CommandLine, place: Place, backup: Path) -> None:
    old, new = fill(place), state(copying.BackupFile(backup))
    assert run("restore", backup, *place.options).err.splitlines()[-1] == (
        f"tallystick: {place.database.describe()} has 1,000 counters; nothing was restored: there is no answer on"
        " standard input; add --force to skip the question"
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
    shutil.rmtree(data)
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


def test_the_wal_of_the_old_ledger_is_not_played_back_into_the_new_one(
    run: CommandLine, file_place: Place, backup: Path
) -> None:
    leave_a_wal(file_place)
    run("restore", backup, "--force", *file_place.options).succeeded()
    assert not Path(f"{file_place.file}-wal").exists()
    assert state(file_place.database) == state(copying.BackupFile(backup))


@pytest.mark.parametrize("damaged", [False, True], ids=["whole", "damaged"])
def test_a_ledger_behind_a_symbolic_link_is_replaced_where_it_lies(
    run: CommandLine, file_place: Place, backup: Path, *, damaged: bool
) -> None:
    leave_a_wal(file_place)
    Path("disk").mkdir()
    for suffix in ("", "-wal"):
        Path(f"{file_place.file}{suffix}").rename(f"disk/ledger.sqlite3{suffix}")
    file_place.file.symlink_to(Path("../disk/ledger.sqlite3"))
    if damaged:
        Path("disk/ledger.sqlite3").write_bytes(b"damaged" * 1000)
    run("restore", backup, "--force", *file_place.options).succeeded()
    assert state(file_place.database) == state(copying.BackupFile(backup))
    assert file_place.file.is_symlink()
    assert not Path("disk/ledger.sqlite3-wal").exists()
    assert len(list(Path("disk").glob("*.damaged-*-wal"))) == damaged


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
    refused = run("restore", backup, *file_place.options)
    assert (refused.code, refused.err.splitlines()) == (
        1,
        [
            (
                "data/ledger.sqlite3 is damaged. Replace everything by the backup?"
                " Damaged files are kept beside the new ones. [y/N] "
            ),
            (
                "tallystick: data/ledger.sqlite3 is damaged; nothing was restored: there is no answer on"
                " standard input; add --force to skip the question"
            ),
        ],
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
        ("tallystick.services.backup.ledger_copy:copy_pages", "after", False),
        ("tallystick.services.backup.ledger_copy:_fold_wal_of", "before", False),
        ("tallystick.services.backup.ledger_copy:_fold_wal_of", "after", False),
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
