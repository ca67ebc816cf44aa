"""``tallystick backup``."""

import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path

import pytest

from support.commands import CommandLine
from support.places import FULL, Place, damage, fill, key, state
from tallystick.ledger import copying
from tallystick.ledger.folding import CounterWrite, operate
from tallystick.model.counter import Set
from tallystick.services.backup import ledger_copy as services
from tallystick.services.operating.backups import last_backup


@pytest.mark.parametrize("other", ["sqlite", "postgresql"], indirect=True)
def test_a_backup_restores_everything_into_either_database(run: CommandLine, place: Place, other: Place) -> None:
    full = fill(place)
    assert len(full[0]) == full[1].keys_created == FULL
    assert run("backup", "backup.db", *place.options).succeeded() == ""
    assert run("restore", "backup.db", *other.options).err.startswith("1,000 counters restored into ")
    assert state(other.database) == full
    assert run("counter", "create", "next", *other.options).code == 0


@pytest.mark.parametrize("other", ["sqlite", "postgresql"], indirect=True)
def test_a_restored_site_has_its_domain(run: CommandLine, place: Place, other: Place) -> None:
    run("user", "create", "--email", "ada@example.com", *place.options, stdin=b"correct horse\n").succeeded()
    for host, domain in (("one.example.com", "example.com"), ("two.example.com", "")):
        command = ("site", "create", "--host", host, "--domain", domain, "--email", "ada@example.com")
        run(*command, *place.options).succeeded()
    sites = run("site", "list", *place.options).succeeded()
    run("backup", "backup.db", *place.options).succeeded()
    assert run("restore", "backup.db", *other.options).code == 0
    assert run("site", "list", *other.options).succeeded() == sites
    assert [line.split("\t")[-1] for line in sites.splitlines()] == ["example.com", "-"]
    taken = run("site", "change", "2", "--domain", "example.com", *other.options).refused()
    assert taken == "--domain: is the domain or a host of another site"


def test_a_backup_is_one_file_for_its_owner(run: CommandLine, place: Place, tmp_path: Path) -> None:
    fill(place)
    run("backup", "backup.db", *place.options).succeeded()
    assert stat.S_IMODE(Path("backup.db").stat().st_mode) == 0o600
    note = last_backup(Path("data"))
    assert note is not None
    assert (note.bytes, note.hits) == (Path("backup.db").stat().st_size, False)
    assert abs(note.at / 1000 - time.time()) < 60
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
            assert not steps or done > steps[-1][0], "the copy began anew"
            steps.append((done, total))
            wanted = [CounterWrite(key(number), Set(len(steps), forced=True)) for number in range(FULL)]
            operate(database, writer, wanted, 10_000_000_000_001)

        services.back_up(database, Path("backup.db"), change_everything)
    assert len(steps) > 3
    assert state(copying.BackupFile(Path("backup.db"))) == full


def test_a_damaged_ledger_makes_no_backup(run: CommandLine, file_place: Place, tmp_path: Path) -> None:
    fill(file_place)
    damage(file_place.file)
    assert run("backup", "backup.db", *file_place.options).refused().startswith("data/ledger.sqlite3 is damaged: ")
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


def test_an_interrupted_backup_leaves_nothing(
    run: CommandLine, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(place, 10)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(services, "damage", interrupted)
    assert run("backup", "backup.db", *place.options).refused(130) == "interrupted"
    assert {path.name for path in tmp_path.iterdir()} == {"data"}
