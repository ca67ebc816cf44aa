"""``tallystick path`` and ``tallystick bots``: done at once without a server, and by the server where one runs."""

import asyncio
import time
from pathlib import Path

import pytest

from support.commands import CommandLine
from support.people import a_person, a_site
from support.server import running_server
from support.warehouses import NOW, a_hit, opened_warehouse, rows
from tallystick.ledger import Ledger, open_database
from tallystick.model.hit import Bot, Hit
from tallystick.services.analytics.names import Names, NewPath
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE

HERE = ("--site", "stats.example.com", "--data", "data")
PATHS = ("/a", "/b", "/c")


async def _fill() -> None:
    ledger = await Ledger.open(open_database(None, Path("data")))
    site = await a_site(ledger, await a_person(ledger))
    names = Names(ledger)
    await names.learn(site.id, [NewPath(path, path.upper(), event=False, counted=True) for path in PATHS])
    ids = [known.id for path in PATHS if (known := names.path(site.id, path))]
    async with opened_warehouse(Path("data") / WAREHOUSE_FILE) as warehouse:
        hits: list[Hit] = [a_hit(path, site=site.id, by=5, created=NOW + path) for path in ids]
        hits += [a_hit(ids[0], site=site.id, bot=bot) for bot in (Bot.SHORT, Bot.SHORT, Bot.KNOWN)]
        await warehouse.append(hits)
    await ledger.close()


@pytest.fixture(autouse=True)
def _filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    asyncio.run(_fill())


def stored(columns: str) -> list[tuple[object, ...]]:
    async def read() -> list[tuple[object, ...]]:
        async with opened_warehouse(Path("data") / WAREHOUSE_FILE) as warehouse:
            return await rows(warehouse, columns)

    return asyncio.run(read())


def test_paths_are_listed_by_id(run: CommandLine) -> None:
    assert run("path", "list", *HERE).succeeded() == "1\t/a\t/A\t-\n2\t/b\t/B\t-\n3\t/c\t/C\t-\n"


def test_a_path_is_renamed(run: CommandLine) -> None:
    run("path", "rename", "1", "/New", *HERE).succeeded()
    assert run("path", "list", *HERE).succeeded().splitlines()[0] == "1\t/New\t/A\t-"
    assert "has a path" in run("path", "rename", "1", "/C", *HERE).refused()


def test_paths_are_merged_and_a_visit_to_all_of_them_counts_once(run: CommandLine) -> None:
    run("path", "merge", "1", "3", "--into", "2", "--yes", *HERE).succeeded()
    assert run("path", "list", *HERE).succeeded() == "2\t/b\t/B\t-\n"
    assert stored("path, first")[:3] == [(2, True), (2, False), (2, False)]


def test_paths_are_deleted_with_their_hits(run: CommandLine) -> None:
    run("path", "delete", "1", "2", "--yes", *HERE).succeeded()
    assert run("path", "list", *HERE).succeeded() == "3\t/c\t/C\t-\n"
    assert stored("path") == [(3,)]


def test_unknown_paths_are_refused(run: CommandLine) -> None:
    assert run("path", "delete", "1", "77", "--yes", *HERE).refused() == "site 1 has no path 77"
    assert len(stored("path")) == 6


def test_bots_are_listed_by_label(run: CommandLine) -> None:
    lines = run("bots", "list", *HERE).succeeded().splitlines()
    assert [line.split("\t")[:4] for line in lines] == [
        ["person", "3", "1", "3"],
        ["known", "1", "6", "6"],
        ["short", "2", "4", "5"],
    ]


def test_dropped_hits_are_counted_by_reason(run: CommandLine) -> None:
    assert run("bots", "dropped", *HERE).succeeded() == ""
    log = Path("access.log")
    log.write_text(
        '192.0.2.1 - - [18/Jun/2020:10:00:00 +0000] "GET /servlet/redirect.srv/a HTTP/1.1" 200 9 "-" "Mozilla/5.0"\n'
    )
    run("import", str(log), "--format", "combined", *HERE).succeeded()
    assert run("bots", "dropped", *HERE).succeeded() == "ignored-path\t1\n"


def test_hits_get_another_label(run: CommandLine) -> None:
    run("bots", "relabel", "short", "person", "--last", "4", "--yes", *HERE).succeeded()
    assert stored("bot")[3:] == [(Bot.KNOWN_NOT,), (Bot.SHORT,), (Bot.KNOWN,)]
    assert "there is no label robot" in run("bots", "relabel", "robot", "person", *HERE).refused()


def test_beside_a_server_the_server_does_it(run: CommandLine) -> None:
    with running_server(Path("data").absolute()) as server:
        ran = run("path", "merge", "1", "--into", "2", "--yes", *HERE)
        assert (ran.code, ran.err) == (0, "the running server does the rest within seconds\n")
        assert "go through it, with --site" in run("bots", "list", *HERE).refused()
        deadline = time.monotonic() + 20
        while "jobs were done" not in server.output and time.monotonic() < deadline:
            time.sleep(0.1)
        assert server.stop() == 0
    assert [row[0] for row in stored("path")] == [2, 2, 3, 2, 2, 2]


def test_a_deleted_site_leaves_no_hit(run: CommandLine) -> None:
    run("site", "delete", "1", "--yes", "--data", "data").succeeded()
    assert stored("site") == []


def test_where_it_is_not_clear_which_site_they_are_named(run: CommandLine) -> None:
    owner = ("--email", "ada@example.com", "--data", "data")
    run("site", "create", "--host", "two.example.com", *owner).succeeded()
    refusal = run("path", "list", "--data", "data").refused()
    assert refusal == "--site is needed, an id or host of one of 2 sites: 1 (stats.example.com), 2 (two.example.com)"
