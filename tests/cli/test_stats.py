"""``tallystick stats`` and ``bots list``: the same table from a data directory and from a running server."""

from pathlib import Path

import pytest

from support.analytics import CHROME, HOST, AnalyticsServer, analytics_server
from support.commands import CommandLine
from support.terminal import on_a_terminal

BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
REPORTS = {
    "paths": "/one\t2\n/two\t1\n",
    "browsers": "Firefox\t2\nChrome\t1\n",
    "systems": "Linux\t2\nWindows\t1\n",
    "referrers": "www.example.org/page\t1\n",
    "sizes": "desktop\t1\n",
    "languages": "",
    "locations": "",
    "campaigns": "",
}


def fill(server: AnalyticsServer) -> None:
    server.pixel(p="/one")
    server.pixel(p="/one", r="https://www.example.org/page", s="1920,1080,1", headers={"user-agent": CHROME})
    server.pixel(p="/two")
    server.pixel(p="/one", headers={"user-agent": BOT})


def test_the_tables_are_the_same_from_a_server_and_from_its_data(run: CommandLine, tmp_path: Path) -> None:
    data = ("--data", tmp_path / "data")
    told: dict[str, str] = {}
    with analytics_server(tmp_path / "data", host=HOST) as server:
        fill(server)
        variables = {"TALLYSTICK_TOKEN": server.token}
        for report in (*REPORTS, "days"):
            told[report] = run("stats", report, "--site", server.url, variables=variables).succeeded()
            # Beside the server no token is needed, and none is left.
            assert run("stats", report, *data).succeeded() == told[report]
        assert run("token", "list", *data).succeeded().count("\n") == 1
        assert "command line" not in run("token", "list", *data).succeeded()
        bots = run("bots", "list", "--site", server.url, variables=variables).succeeded()
        assert "go through it, with --site" in run("bots", "list", *data).refused()
        one = run("stats", "paths", "--limit", "1", "--site", server.url, variables=variables).succeeded()
        assert one == "/one\t2\n"
    assert bots == "link\t1\t-\t-\t-\n"
    for report, rows in REPORTS.items():
        # What nobody knows has a name of its own.
        assert "".join(line for line in told[report].splitlines(keepends=True) if "unknown" not in line) == rows
    *days, total = told["days"].splitlines()
    assert (len(days), total) == (8, "total\t3")
    assert sum(int(day.split("\t")[1]) for day in days) == 3
    for report, table in told.items():
        assert run("stats", report, *data).succeeded() == table, report
    assert run("bots", "list", *data).succeeded().splitlines()[-1].startswith("link\t1\t")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--start", "yesterday"), "--start accepts a day such as 2026-01-31, not 'yesterday'"),
        (("--start", "2026-02-01", "--end", "2026-01-31"), "--start 2026-02-01 is after --end 2026-01-31"),
        (("--site", "http://127.0.0.1:1"), "TALLYSTICK_TOKEN must be set to an API token with the permission stats"),
        (("visitors",), 'invalid value "visitors" for REPORT. '),
    ],
)
def test_what_makes_no_sense_is_refused(run: CommandLine, options: tuple[str, ...], reason: str) -> None:
    assert run("stats", *options).refused().startswith(reason)


@pytest.mark.parametrize("command", [("stats",), ("bots", "list")])
def test_a_server_that_cannot_be_reached_is_named(run: CommandLine, command: tuple[str, ...]) -> None:
    refusal = run(*command, "--site", "http://127.0.0.1:1", variables={"TALLYSTICK_TOKEN": "x"}).refused()
    assert refusal.startswith("http://127.0.0.1:1: ")


ASKING_A_SERVER = [
    ("stats", "paths", "--site"),
    ("bots", "list", "--site"),
    ("bots", "restore", "--yes", "--filter", "page=/x", "--site"),
    ("query", "--site"),
    ("query", "--url"),
    ("funnel", "show", "--step", "/", "--step", "/b", "--url"),
    ("export", "out.csv", "--format", "csv", "--site"),
    ("import", "in.csv", "--site"),
    ("import", "in.csv", "--dry-run", "--site"),
    ("import", "umami", "in.csv", "--dry-run", "--url"),
]


@pytest.mark.parametrize("command", ASKING_A_SERVER, ids=" ".join)
@pytest.mark.parametrize("url", ["http://", "http://x:port", "http://a\x01b", "http://ü..example"])
def test_what_is_no_url_is_refused(run: CommandLine, tmp_path: Path, command: tuple[str, ...], url: str) -> None:
    (tmp_path / "in.csv").write_text("")
    files = [str(tmp_path / each) if each.endswith(".csv") else each for each in command]
    refusal = run(*files, url, variables={"TALLYSTICK_TOKEN": "x"}).refused()
    assert refusal.startswith(f"{url!r} is no URL of a server")


@pytest.mark.parametrize("command", ["query", "funnel"])
def test_a_url_has_a_scheme(run: CommandLine, command: str) -> None:
    steps = ("show", "--step", "/", "--step", "/b") if command == "funnel" else ()
    refusal = run(command, *steps, "--url", "example.com", variables={"TALLYSTICK_TOKEN": "x"}).refused()
    assert refusal == "'example.com' is no URL of a server, such as http://127.0.0.1:8080"


@pytest.mark.parametrize("command", ASKING_A_SERVER, ids=" ".join)
@pytest.mark.parametrize("secret", ["se\ncret", "sécret", " "])
def test_what_is_no_token_is_refused_and_not_shown(
    run: CommandLine, tmp_path: Path, command: tuple[str, ...], secret: str
) -> None:
    (tmp_path / "in.csv").write_text("")
    files = [str(tmp_path / each) if each.endswith(".csv") else each for each in command]
    refusal = run(*files, "http://127.0.0.1:1", variables={"TALLYSTICK_TOKEN": secret}).refused()
    assert refusal.startswith("TALLYSTICK_TOKEN ")
    assert "cret" not in refusal


def test_names_of_strangers_stay_on_their_line_and_command_no_terminal(run: CommandLine, tmp_path: Path) -> None:
    data = ("--data", tmp_path / "data")
    with analytics_server(tmp_path / "data", host=HOST) as server:
        server.pixel(p="a\nb\tc\x1b[31m\u202e", e="true")
        assert run("stats", "paths", *data).succeeded() == "a\ufffdb\ufffdc\ufffd[31m\ufffd\t1\n"
    listed = run("path", "list", *data).succeeded().splitlines()
    assert [line.split("\t")[1] for line in listed] == ["a\ufffdb\ufffdc\ufffd[31m\ufffd"]
    code, screen = on_a_terminal("stats", "paths", *data, directory=tmp_path)
    assert code == 0
    assert "a\ufffdb\ufffdc\ufffd[31m\ufffd" in screen
    assert "\x1b[31m" not in screen
