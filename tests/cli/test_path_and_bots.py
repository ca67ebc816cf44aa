"""``tallystick path`` and ``tallystick bots``: done at once without a server, and by the server where one runs."""

import asyncio
import time
from pathlib import Path

import pytest

from support.analytics import HOST, analytics_server
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


def test_rules_gather_paths_and_are_applied(run: CommandLine) -> None:
    assert run("path", "rules", "list", *HERE).succeeded() == ""
    assert "RULE: must have a *" in run("path", "rules", "add", "/a", *HERE).refused()
    run("path", "rules", "add", "/c*", *HERE).succeeded()
    run("path", "rules", "add", "/d/**", "--place", "1", *HERE).succeeded()
    assert run("path", "rules", "list", *HERE).succeeded() == "/d/**\t0\n/c*\t1\n"
    run("path", "rules", "apply", "--yes", *HERE).succeeded()
    log = Path("access.log")
    log.write_text('192.0.2.1 - - [18/Jun/2020:10:00:00 +0000] "GET /cart HTTP/1.1" 200 9 "-" "Mozilla/5.0"\n')
    run("import", str(log), "--format", "combined", *HERE).succeeded()
    assert len(stored("path")) == 7
    assert run("path", "list", *HERE).succeeded() == "1\t/a\t/A\t-\n2\t/b\t/B\t-\n3\t/c*\t-\t-\n"
    assert run("path", "rules", "list", *HERE).succeeded() == "/d/**\t0\n/c*\t0\n"
    run("path", "rules", "remove", "/d/**", *HERE).succeeded()
    assert "has no rule /d/**" in run("path", "rules", "remove", "/d/**", *HERE).refused()


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


def test_hits_come_back_and_go_by_a_filter(run: CommandLine) -> None:
    def command(*words: str) -> str:
        return run("bots", *words, *(() if "--end" in words else ("--end", "2027-12-31")), "--yes", *HERE).err

    assert command("restore", "--filter", "page is /a", "--filter", "bot is short") == "2 hits\n"
    assert stored("bot")[3:] == [(0,), (0,), (Bot.KNOWN,)]
    assert command("restore", "--filter", "page is /b") == "0 hits\n"
    assert command("mark", "webdriver", "--filter", "entry page is /a and not (page is /a)") == "2 hits\n"
    assert stored("bot") == [(0,), (Bot.WEBDRIVER,), (Bot.WEBDRIVER,), (0,), (0,), (Bot.KNOWN,)]
    assert (
        command("restore", "--filter", "bot is webdriver", "--start", "2020-01-01", "--end", "2020-01-31") == "0 hits\n"
    )
    assert command("restore", "--filter", "bot is webdriver and page is /c") == "1 hit\n"
    assert stored("bot, session > 0") == [
        (0, True),
        (Bot.WEBDRIVER, True),
        (0, True),
        (0, False),
        (0, False),
        (5, False),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("restore",), "--filter is needed: it says which hits"),
        (("restore", "--filter", "page"), "--filter: "),
        (("restore", "--filter", 'country matches "("'), "the expression '(' is not valid"),
        (("restore", "--filter", "page is /a", "--start", "x"), "--start accepts a day such as 2026-01-31, not 'x'"),
        (
            ("restore", "--filter", "page is /a", "--start", "2026-02-01", "--end", "2026-01-01"),
            "--start 2026-02-01 is",
        ),
        (("mark", "person", "--filter", "page is /a"), "person is no label of bots"),
        (("mark", "robot", "--filter", "page is /a"), "there is no label robot"),
    ],
)
def test_filters_and_labels_that_make_no_sense_are_refused(run: CommandLine, words: tuple[str, ...], said: str) -> None:
    assert run("bots", *words, "--yes", *HERE).refused().startswith(said)
    assert len(stored("bot")) == 6


def test_through_a_server_hits_come_back_by_a_filter(run: CommandLine, tmp_path: Path) -> None:
    with analytics_server(tmp_path / "served", host=HOST) as server:
        for page in ("/one", "/two"):
            server.pixel(p=page, headers={"user-agent": "curl/8.5.0 (x86_64-pc-linux-gnu)"})
        to_server = ("--site", server.url, "--yes")
        command = ("bots", "restore", "--filter", "page is /one", *to_server)
        assert run(*command, variables={"TALLYSTICK_TOKEN": server.token}).err == "1 hit\n"
        assert run(*command).refused() == "TALLYSTICK_TOKEN must be set to an API token with the permission site-update"
        wrong = ("bots", "restore", "--filter", 'page matches "("', *to_server)
        assert "the expression '(' is not valid" in run(*wrong, variables={"TALLYSTICK_TOKEN": server.token}).refused()
        # Beside the server no token is needed.
        beside = ("--yes", "--data", str(tmp_path / "served"))
        assert run("bots", "restore", "--filter", "page is /two", *beside).err == "1 hit\n"
        assert "the expression '(' is not valid" in run("bots", "mark", "known", *wrong[2:4], *beside).refused()


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
