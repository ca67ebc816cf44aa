"""A backup of a busy server holds hits and ledger that belong together, and a restore brings both back."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest

from support.postgres import Postgres
from support.server import RunningServer, running_server, tallystick
from support.warehouses import NOW, a_hit, opened_warehouse, rows
from tallystick.ledger import open_database
from tallystick.ledger.copying import BackupFile
from tallystick.services.backup.warehouse_copy import replaced_warehouse
from tallystick.services.files import UNFINISHED_RESTORE
from tallystick.warehouse import warehouse_storage
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE

EMAIL = "owner@example.com"


def command(*arguments: str | Path, data: Path, database: str | None = None) -> str:
    """What a command prints; it must succeed."""
    place = ["--data", str(data), *(["--database", database] if database else [])]
    ran = tallystick(*arguments, *place)
    assert ran.returncode == 0, ran
    return ran.stdout


def make_site(data: Path, database: str | None) -> None:
    async def make() -> None:
        from support.people import a_person, a_site  # noqa: PLC0415
        from tallystick.ledger import Ledger  # noqa: PLC0415

        ledger = await Ledger.open(open_database(database, data))
        await a_site(ledger, await a_person(ledger))
        await ledger.close()

    data.mkdir(exist_ok=True)
    asyncio.run(make())


@contextmanager
def pageviews(server: RunningServer) -> Iterator[list[str]]:
    """A visitor looks at one new page after the other: what was acknowledged so far."""
    acknowledged: list[str] = []
    stop = Event()

    def look() -> None:
        with httpx.Client(base_url=server.url, headers={"user-agent": "Mozilla/5.0 (X11) Firefox/120.0"}) as client:
            while not stop.wait(0.002):  # at every moment, but with turns for what is tested
                path = f"/page-{len(acknowledged)}"
                assert client.get("/count", params={"p": path}).status_code == 200
                acknowledged.append(path)

    thread = Thread(target=look)
    thread.start()
    try:
        yield acknowledged
    finally:
        stop.set()
        thread.join()


def names(data: Path, database: str | None) -> dict[int, str]:
    with closing(open_database(database, data).session()) as session, session.snapshot():
        return {int(row[0]): str(row[1]) for row in session.connection.execute("SELECT id, path FROM path")}


async def paths(data: Path) -> list[int]:
    async with opened_warehouse(data / WAREHOUSE_FILE) as warehouse:
        return [row[0] for row in await rows(warehouse, "path")]


def test_a_backup_of_a_busy_server(tmp_path: Path, database_url: str | None) -> None:
    data, other = tmp_path / "data", tmp_path / "other"
    make_site(data, database_url)
    with running_server(data, "--rate-limit", "off", database=database_url) as server, pageviews(server) as seen:
        for number in range(3):
            before = len(seen)
            file = tmp_path / f"{number}.db"
            command("backup", file, data=data, database=database_url)
            assert len(seen) > before, "the server stood still"
            command("restore", file, "--force", data=other)
            restored = [names(other, None)[path] for path in asyncio.run(paths(other))]
            assert restored == [f"/page-{n}" for n in range(len(restored))]
            assert before <= len(restored) <= len(seen) + 1
    assert {file.name for file in tmp_path.iterdir()} == {"data", "other", "0.db", "1.db", "2.db"}


def test_a_backup_holds_no_salt(tmp_path: Path, database_url: str | None) -> None:
    data = tmp_path / "data"
    make_site(data, database_url)
    with running_server(data, "--rate-limit", "off", database=database_url) as server:
        with pageviews(server) as seen:
            while len(seen) < 3:
                pass
        command("backup", tmp_path / "backup.db", data=data, database=database_url)
        with closing(open_database(database_url, data).session()) as session, session.snapshot():
            salts = [bytes(row[0]) for row in session.connection.execute("SELECT salt FROM salt")]
    backup = (tmp_path / "backup.db").read_bytes()
    assert salts
    assert not any(salt in backup for salt in salts)
    with closing(sqlite3.connect(tmp_path / "backup.db")) as connection:
        assert connection.execute("SELECT count(*) FROM salt").fetchone() == (0,)


def make_backup(data: Path, file: Path, hits: int) -> None:
    async def fill() -> None:
        async with opened_warehouse(data / WAREHOUSE_FILE, NOW) as warehouse:
            await warehouse.append([a_hit()] * hits)

    make_site(data, None)
    if hits:
        asyncio.run(fill())
    command("backup", file, data=data)


def test_hits_are_replaced_only_when_told_to(tmp_path: Path) -> None:
    make_backup(tmp_path / "one", tmp_path / "one.db", 3)
    make_backup(tmp_path / "two", tmp_path / "two.db", 5)
    refused = tallystick("restore", tmp_path / "two.db", "--data", tmp_path / "one")
    assert (refused.returncode, "has 3 hits" in refused.stderr) == (1, True)
    assert len(asyncio.run(paths(tmp_path / "one"))) == 3
    command("restore", tmp_path / "two.db", "--force", data=tmp_path / "one")
    assert len(asyncio.run(paths(tmp_path / "one"))) == 5


def test_a_backup_without_hits_leaves_none_of_another_ledger(tmp_path: Path) -> None:
    make_backup(tmp_path / "one", tmp_path / "one.db", 0)
    make_backup(tmp_path / "two", tmp_path / "two.db", 5)
    command("restore", tmp_path / "one.db", "--force", data=tmp_path / "two")
    assert not (tmp_path / "two" / WAREHOUSE_FILE).exists()


def test_damaged_hits_make_no_backup_and_are_kept_by_a_restore(tmp_path: Path) -> None:
    make_backup(tmp_path / "one", tmp_path / "one.db", 3)
    file = tmp_path / "one" / WAREHOUSE_FILE
    damaged = b"damaged" * 5_000
    file.write_bytes(damaged)
    refused = tallystick("backup", tmp_path / "two.db", "--data", tmp_path / "one")
    assert (refused.returncode, "damaged" in refused.stderr, (tmp_path / "two.db").exists()) == (1, True, False)
    refused = tallystick("restore", tmp_path / "one.db", "--data", tmp_path / "one")
    assert (refused.returncode, f"{file} is damaged and " in refused.stderr) == (1, True)
    command("restore", tmp_path / "one.db", "--force", data=tmp_path / "one")
    [kept] = file.parent.glob(f"{WAREHOUSE_FILE}.damaged-*")
    assert kept.read_bytes() == damaged
    assert len(asyncio.run(paths(tmp_path / "one"))) == 3


def test_a_restore_that_was_interrupted_in_between_is_told(tmp_path: Path) -> None:
    data = tmp_path / "one"
    make_backup(data, tmp_path / "one.db", 3)
    (data / UNFINISHED_RESTORE).touch()
    for arguments in (["serve", "--listen", "127.0.0.1:0"], ["backup", tmp_path / "two.db"]):
        refused = tallystick(*arguments, "--data", data)
        assert (refused.returncode, "run it again" in refused.stderr) == (1, True)
    # One that fails before it has replaced anything leaves the mark of the first.
    backup, storage = BackupFile(tmp_path / "one.db"), warehouse_storage(data)
    with suppress(KeyboardInterrupt), replaced_warehouse(backup, storage, data):
        raise KeyboardInterrupt
    assert (data / UNFINISHED_RESTORE).exists()
    command("restore", tmp_path / "one.db", "--force", data=data)
    assert len(asyncio.run(paths(data))) == 3
    command("backup", tmp_path / "two.db", data=data)


def test_a_ledger_on_postgresql_and_its_hits_move_to_another_machine(tmp_path: Path, postgres: Postgres) -> None:
    make_backup(tmp_path / "one", tmp_path / "one.db", 3)
    with postgres.fresh_database() as url:
        command("restore", tmp_path / "one.db", data=tmp_path / "two", database=url)
        assert len(asyncio.run(paths(tmp_path / "two"))) == 3


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
