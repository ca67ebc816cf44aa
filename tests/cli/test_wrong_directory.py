"""A command where there is no data says so and makes none; only serve, init and restore do."""

import asyncio
from pathlib import Path

import pytest

from support.commands import CommandLine
from support.people import a_person, a_site
from support.places import Place
from support.server import running_server
from support.warehouses import a_hit, opened_warehouse
from tallystick.ledger import Ledger
from tallystick.services.analytics.names import Names, NewPath
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE

WAY_OUT = " To create a new one: tallystick serve, or tallystick init"
COMMANDS = [
    ("counter", "list"),
    ("counter", "get", "stock"),
    ("counter", "create", "stock"),
    ("counter", "set", "stock", "1"),
    ("counter", "delete", "stock", "--yes"),
    ("counter", "import", "-"),
    ("counter", "import", "-", "--dry-run"),
    ("counter", "export", "-"),
    ("user", "create", "--email", "ada@example.com"),
    ("user", "list"),
    ("user", "password", "1"),
    ("user", "access", "1", "admin"),
    ("user", "delete", "1", "--yes"),
    ("site", "create", "--host", "a.example.com", "--email", "ada@example.com"),
    ("site", "list"),
    ("site", "change", "1", "--code", "one"),
    ("site", "delete", "1", "--yes"),
    ("token", "create", "--email", "ada@example.com", "--name", "x", "--permissions", "count"),
    ("token", "list"),
    ("token", "revoke", "1", "--yes"),
    ("path", "list"),
    ("path", "rename", "1", "/a"),
    ("path", "merge", "1", "--into", "2", "--yes"),
    ("path", "delete", "1", "--yes"),
    ("stats",),
    ("bots", "list"),
    ("bots", "relabel", "short", "person", "--yes"),
    ("bots", "restore", "--filter", "page is /a", "--yes"),
    ("bots", "mark", "short", "--filter", "page is /a", "--yes"),
    ("import", "hits.log", "--format", "common"),
    ("export", "hits.parquet"),
    ("backup", "backup.db"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("there", [False, True], ids=["no directory", "another directory"])
def test_no_command_makes_data(run: CommandLine, tmp_path: Path, command: tuple[str, ...], *, there: bool) -> None:
    Path("hits.log").write_text("")
    if there:
        Path("tallystick-data").mkdir()
        Path("tallystick-data/notes.txt").write_text("mine")
    before = sorted(path for path in tmp_path.rglob("*"))
    refusal = run(*command, stdin=b"correct horse battery\n").refused()
    assert refusal.startswith("No Tallystick data in tallystick-data. Point --data at the server's data directory.")
    assert WAY_OUT in refusal
    assert sorted(path for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_another_database_gets_no_tables(run: CommandLine, nowhere: Place, tmp_path: Path) -> None:
    for command in (("counter", "list"), ("counter", "create", "stock"), ("user", "list")):
        refusal = run(*command, *nowhere.options).refused()
        assert refusal.startswith(f"No Tallystick data in {nowhere.database.describe()}. Point --database at the ")
        assert nowhere.database.schema() is None
    assert list(tmp_path.iterdir()) == []


def test_init_makes_an_empty_one_once(run: CommandLine, nowhere: Place) -> None:
    assert run("init", *nowhere.options).err == f"created {nowhere.database.describe()}\n"
    assert run("counter", "list", *nowhere.options).succeeded() == ""
    assert (Path("data") / WAREHOUSE_FILE).exists()
    assert Path("data").stat().st_mode & 0o777 == 0o700
    assert "already; nothing was changed" in run("init", *nowhere.options).refused()


def test_what_init_made_is_served(run: CommandLine, tmp_path: Path) -> None:
    run("init", "--data", "data").succeeded()
    run("user", "create", "--email", "ada@example.com", "--data", "data", stdin=b"correct horse battery\n").succeeded()
    with running_server(tmp_path / "data") as server:
        assert server.get("/hit/a.b/visits").json() == {"value": 1}
        assert "/setup with the code" not in server.output


@pytest.mark.parametrize("ledger_url", ["postgresql"], indirect=True)
def test_hits_of_another_directory_are_left_to_its_server(run: CommandLine, place: Place) -> None:
    """A ledger in PostgreSQL is the same from every directory; the hits lie in one."""
    asyncio.run(_with_hits(place))
    elsewhere = ("--data", "elsewhere", "--database", str(place.url))
    ran = run("path", "delete", "1", "--yes", *elsewhere)
    assert (ran.code, ran.err) == (0, "the server does the rest, at once or when it starts\n")
    for command in (("bots", "list"), ("export", "hits.parquet"), ("import", "hits.log", "--format", "common")):
        Path("hits.log").write_text("")
        refusal = run(*command, *elsewhere).refused()
        assert refusal.startswith("No Tallystick data in elsewhere. Point --data at the server's data directory.")
    assert "without hits: elsewhere has none" in run("backup", "backup.db", *elsewhere).err
    assert not Path("elsewhere").exists()
    # The work is still to be done where the hits are.
    run("path", "delete", "2", "--yes", *place.options).succeeded()
    assert run("backup", "whole.db", *place.options).err.endswith(" bytes, checked\n")
    assert asyncio.run(_hits(place)) == 0


async def _with_hits(place: Place) -> None:
    ledger = await Ledger.open(place.database)
    site = await a_site(ledger, await a_person(ledger))
    await Names(ledger).learn(site.id, [NewPath(path, "", event=False, counted=True) for path in ("/a", "/b")])
    async with opened_warehouse(Path(place.directory) / WAREHOUSE_FILE) as warehouse:
        await warehouse.append([a_hit(1, site=site.id), a_hit(2, site=site.id)])
    await ledger.close()


async def _hits(place: Place) -> int:
    async with opened_warehouse(Path(place.directory) / WAREHOUSE_FILE) as warehouse:
        return await warehouse.read(
            lambda session: session.connection.execute("SELECT count(*) FROM hit").fetchall()[0][0]
        )
