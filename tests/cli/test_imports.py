"""``tallystick import`` and ``tallystick export``, beside a server and without one."""

import gzip
import json
import os
import threading
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from support.analytics import HOST, Prepared, prepare
from support.commands import CommandLine
from support.server import RunningServer, running_server
from tallystick.ledger.ledger import milliseconds
from tallystick.services.imports.summaries import CUT

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def line(path: str, minute: int = 0, *, status: int = 200, agent: str = AGENT, address: str = "192.0.2.7") -> str:
    at = f"08/Mar/2026:14:{minute:02}:07 +0000"
    return f'{address} - - [{at}] "GET {path} HTTP/1.1" {status} 512 "https://example.org/" "{agent}"\n'


LOG = line("/a") + line("/b", 1) + line("/a", 2) + line("/x.css", 3) + line("/a", 4, agent=BOT) + "nonsense\n"
DONE = (
    "line 6: it is not of the format combined\n"
    "imported 4 hits from 2026-03-08 to 2026-03-08, of which 1 bots, left out 1 static, could not read 1 lines\n"
)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    """A site in a data directory below the working directory, which no server holds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    Path("data").mkdir()
    Path("access.log").write_text(LOG)
    return prepare(Path("data"), now=milliseconds())


DATA = ("--data", "data")
LONG_PATH = "path: must be shorter than 2048 characters"
NO_PATH = "path: must be set, must be longer than 1 characters"
LOG_IMPORT = ("import", "access.log", "--format", "combined")


def stored() -> list[tuple[int, int]]:
    """Hits by path id: people's, and bots'."""
    with closing(duckdb.connect("data/warehouse.duckdb")) as connection:
        return connection.execute("SELECT path, bot FROM hit ORDER BY id").fetchall()


@pytest.mark.usefixtures("site")
def test_a_log_goes_straight_into_the_data_directory(run: CommandLine) -> None:
    assert run(*LOG_IMPORT, *DATA).err == DONE
    assert stored() == [(1, 0), (2, 0), (1, 0), (1, 3)]
    assert run(*LOG_IMPORT, *DATA).err == "imported 0 hits, imported before 6 lines\n"


@pytest.mark.usefixtures("site")
def test_a_log_that_grew_and_was_compressed_goes_on(run: CommandLine) -> None:
    run(*LOG_IMPORT, *DATA).succeeded()
    Path("old.gz").write_bytes(gzip.compress((LOG + line("/c", 9)).encode()))
    err = run("import", "old.gz", "--format", "combined", *DATA, "--site", HOST).err
    assert err == "imported 1 hits from 2026-03-08 to 2026-03-08, imported before 6 lines\n"


@pytest.mark.usefixtures("site")
def test_anew_stores_once_more(run: CommandLine) -> None:
    run(*LOG_IMPORT, *DATA).succeeded()
    assert run(*LOG_IMPORT, *DATA, "--anew").err == DONE
    assert len(stored()) == 8


@pytest.mark.usefixtures("site")
def test_a_dry_run_changes_nothing(run: CommandLine, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    err = run(*LOG_IMPORT, *DATA, "--dry-run").err
    assert err == DONE.replace("imported", "nothing was changed; it would be:")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("site")
def test_standard_input_is_read_too(run: CommandLine) -> None:
    err = run("import", "-", "--format", "combined", *DATA, stdin=LOG.encode()).err
    assert err == DONE


@pytest.mark.usefixtures("site")
def test_a_pipe_is_read_to_its_end(run: CommandLine) -> None:
    run(*LOG_IMPORT, *DATA).succeeded()
    os.mkfifo("pipe")
    for _ in range(2):
        writer = threading.Thread(target=Path("pipe").write_text, args=(LOG,))
        writer.start()
        assert run("import", "pipe", "--format", "combined", *DATA, "--anew").err == DONE
        writer.join()
    assert len(stored()) == 12


@pytest.mark.usefixtures("site")
def test_rules_are_given_one_by_one(run: CommandLine) -> None:
    err = run(*LOG_IMPORT, *DATA, "--exclude", "path:/b", "--exclude", "user_agent:Googlebot").err
    assert "imported 3 hits" in err
    assert "left out 1 path:/b and 1 user_agent:Googlebot" in err
    assert "left out" not in run(*LOG_IMPORT, *DATA, "--anew", "--exclude=").err


@pytest.mark.usefixtures("site")
def test_no_address_and_no_agent_is_left_behind(run: CommandLine, tmp_path: Path) -> None:
    run(*LOG_IMPORT, *DATA).succeeded()
    Path("access.log").unlink()
    for file in tmp_path.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"192.0.2.7" not in content, file
            assert AGENT.encode() not in content, file


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("access.log",), "the name access.log has no suffix of a format; give --format csv, json, parquet, common"),
        (("access.log", "--format", "iis"), "unknown format: iis"),
        (("access.log", "--format", "log:$path"), r"the format '$path' needs $path or $url, and $datetime"),
        (("access.log", "--format", "combined", "--exclude", "x"), "--exclude accepts static, html, redirect, error"),
        (("hits.csv", "--exclude", "path:/a"), "--exclude is for logs"),
        (("hits.csv", "--follow"), "--follow is for logs"),
        (("-", "--format", "json"), "that is not possible with standard input"),
        (("nowhere.log", "--format", "common"), "nowhere.log: No such file or directory"),
        (("access.log", "--format", "csv"), "the first line is not the header of GoatCounter's CSV"),
        (("access.log", "--format", "json"), "a JSON import must be a .zip file"),
        (("access.log", "--format", "parquet"), "access.log is no Parquet export"),
        (("access.log", "--format", "combined", "--site", "7"), "there is no site 7"),
        (("access.log", "--format", "combined", "--data", "elsewhere"), "No Tallystick data in elsewhere. "),
        (("access.log", "--format", "common", "--site", "http://127.0.0.1:1"), "TALLYSTICK_TOKEN must be set"),
        (("access.log", "--format", "log:$date $time $path", "--date", "x"), "'x' is not a layout of a time"),
        (("access.log", "--format", "combined", "--datetime", "nonsense"), "'nonsense' is not a layout of a time"),
        (("access.log", "--format", "caddy", "--datetime", "nonsense"), "'nonsense' is not a layout of a time"),
        (("access.log", "--format", "common", "--date", "2006-01-02"), "--date is for formats with $date"),
        (("hits.csv", "--datetime", "rfc3339"), "--datetime is for logs"),
        (("hits.zip", "--time", "15:04"), "--time is for logs"),
    ],
)
@pytest.mark.usefixtures("site")
def test_what_makes_no_sense_is_refused(run: CommandLine, arguments: tuple[str, ...], reason: str) -> None:
    data = () if "--data" in arguments else DATA
    assert reason in run("import", *arguments, *data).refused()


@pytest.mark.parametrize(
    ("lines", "code", "summary"),
    [
        ("nonsense\n", 1, "0 hits, could not read 1 lines"),
        (line("/a").replace("2026", "2099"), 1, "0 hits, not accepted 1 (1 x created_at: in the future)"),
        (
            line("/a") + line("/" + "x" * 2_100) + "# comment\n",
            0,
            f"1 hits, not accepted 1 (1 x {LONG_PATH}), skipped 1 lines without a hit",
        ),
        (
            line("/favicon.ico", agent=BOT) + line("/a", agent="curl/8"),
            0,
            "1 hits, of which 1 bots, dropped 1 ignored path",
        ),
        (line("/a").replace("example.org/", "example.org/" + "x" * 2_500), 0, "1 hits, of which 1 " + CUT),
        ("", 0, "0 hits"),
    ],
)
@pytest.mark.usefixtures("site")
def test_sums_add_up_and_nothing_understood_is_a_failure(run: CommandLine, lines: str, code: int, summary: str) -> None:
    Path("access.log").write_text(lines)
    for options, begins in ((("--dry-run",), "nothing was changed; it would be: "), ((), "imported ")):
        ran = run(*LOG_IMPORT, *DATA, "--exclude=", *options)
        told = ran.err.splitlines()[-1].removeprefix(begins).replace(" from 2026-03-08 to 2026-03-08", "")
        assert (ran.code, told) == (code, summary)


@pytest.mark.usefixtures("site")
def test_a_utf_16_file_is_refused(run: CommandLine) -> None:
    Path("access.log").write_text(LOG, encoding="utf-16")
    assert run(*LOG_IMPORT, *DATA).refused().startswith("the file is UTF-16 or UTF-32; import it with: iconv ")


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
@pytest.mark.usefixtures("site")
def test_a_missing_file_comes_before_a_missing_server(run: CommandLine, options: tuple[str, ...]) -> None:
    for site in (("--site", "http://127.0.0.1:1"), ("--data", "elsewhere")):
        assert run("import", "nowhere.csv", *site, *options).refused() == "nowhere.csv: No such file or directory"


@pytest.mark.usefixtures("site")
def test_an_old_version_of_the_csv_is_told(run: CommandLine) -> None:
    Path("hits.csv").write_text("1Path,Title,Event,Bot,Session\n")
    reason = "wrong version of CSV database: 1 (expected: 2). Nothing was stored"
    assert run("import", "hits.csv", *DATA).refused() == reason


@pytest.mark.usefixtures("site")
def test_bad_rows_of_a_csv_are_told_and_the_others_stored(run: CommandLine) -> None:
    header = "2Path,Title,Event,UserAgent,Browser,System,Session,Bot,Referrer,Referrer scheme,Screen size,Location,"
    rows = [
        '/a,"two\nlines",0,,Firefox 140,Linux ,1-2,0,,o,"0,0,1",NL,1,2026-01-02T10:00:00Z',
        "/a,short",
        '/a,,maybe,,,,1-2,0,,o,"0,0,1",NL,1,2026-01-02T10:00:00Z',
        '/a,,0,,,,1-2,0,,o,"0,0,1",NL,1,yesterday',
        '/a,,0,,,,1-2,0,,x,"0,0,1",NL,1,2026-01-02T10:00:00Z',
        '/a,,0,,,,1-2,maybe,,o,"0,0,1",NL,1,2026-01-02T10:00:00Z',
        ',,0,,,,1-2,0,,o,"0,0,1",NL,1,2026-01-02T10:00:00Z',
        'click,,yes,,,,0-0,0,,o,"0,0,1",NL,1,2026-01-02T10:00:00Z',
    ]
    Path("hits.csv").write_text("\n".join([f"{header}FirstVisit,Date", *rows, ""]))
    assert run("import", "hits.csv", *DATA).err.splitlines() == [
        "line 3: wrong number of fields: 2 (want: 14)",
        "line 4: Event must be 0 or 1, not 'maybe'",
        "line 5: Date must be an RFC 3339 time, not 'yesterday'",
        "line 6: Referrer scheme must be h, g, c or o, not 'x'",
        "line 7: Bot must be a number from 0 to 255, not 'maybe'",
        f"line 8: {NO_PATH}.",
        f"imported 2 hits from 2026-01-02 to 2026-01-02, not accepted 1 (1 x {NO_PATH}), could not read 5 lines",
    ]


@pytest.mark.parametrize("name", ["hits.csv.gz", "hits.zip", "hits.parquet"])
def test_what_is_exported_can_be_imported(run: CommandLine, site: Prepared, name: str) -> None:
    run(*LOG_IMPORT, *DATA).succeeded()
    ran = run("export", name, *DATA, "--site", str(site.site.id))
    kind, rows = ("statistics", "12") if name == "hits.zip" else ("hits", "3")
    assert (ran.err, ran.out) == (f"{rows} {kind} exported\n", "" if name == "hits.zip" else "3\n")
    assert run("export", name, *DATA).refused() == f"{name} exists; --force replaces it"
    Path("other").mkdir()
    prepare(Path("other"), now=milliseconds())
    imported = run("import", name, "--data", "other").err
    assert imported.startswith(f"imported {2 if name == 'hits.zip' else 3} hits from 2026-03-08")
    assert "imported 0 hits" in run("import", name, "--data", "other").err


@pytest.mark.usefixtures("site")
def test_an_export_goes_on_behind_the_last_hit(run: CommandLine) -> None:
    run(*LOG_IMPORT, *DATA).succeeded()
    ran = run("export", "hits.csv.gz", "--after", "2", *DATA)
    assert (ran.err, ran.out) == ("1 hits exported\n", "3\n")


@pytest.mark.usefixtures("site")
def test_an_export_for_spreadsheets_has_no_formulas(run: CommandLine) -> None:
    header = "2Path,Title,Event,UserAgent,Browser,System,Session,Bot,Referrer,Referrer scheme,Screen size,Location,"
    row = '=1+1,@a,1,,,,1-2,0,-b,o,"0,0,1",NL,1,2026-01-02T10:00:00Z'
    Path("hits.csv").write_text(f"{header}FirstVisit,Date\n{row}\n")
    run("import", "hits.csv", *DATA).succeeded()
    for options, cell in (((), "=1+1,@a,1,"), (("--spreadsheet",), '"\'=1+1","\'@a","1",')):
        assert run("export", "out.csv.gz", "--force", *options, *DATA).err == "1 hits exported\n"
        assert gzip.decompress(Path("out.csv.gz").read_bytes()).decode().splitlines()[1].startswith(cell)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("hits.zip", "--spreadsheet"), "--spreadsheet is for csv; json has no formulas"),
        (("hits.txt",), "the name hits.txt has no suffix of a format; end it in .csv.gz, .zip, .parquet"),
        (("hits.zip", "--after", "3"), "--after is for csv and parquet"),
        (("hits.parquet", "--since", "2026-01-01"), "--since is for json"),
        (("hits.zip", "--since", "soon"), "--since accepts a day such as 2026-01-31, not 'soon'"),
        (("hits.zip", "--site", "http://127.0.0.1:1"), "TALLYSTICK_TOKEN must be set"),
    ],
)
@pytest.mark.usefixtures("site")
def test_an_export_that_makes_no_sense_is_refused(run: CommandLine, arguments: tuple[str, ...], reason: str) -> None:
    assert reason in run("export", *arguments, *DATA).refused()
    assert not list(Path().glob("hits*"))


@pytest.fixture
def served(site: Prepared) -> object:
    """A server that holds the data directory; only the count of hits is limited."""
    del site
    with running_server(Path("data").absolute(), "--rate-limit", "api:none,export:off,api-count:3/1") as server:
        yield server


def test_beside_a_server_the_data_directory_is_its_own(run: CommandLine, served: RunningServer) -> None:
    assert served.url
    assert "a server uses data: go through it, with --site http://HOST" in run(*LOG_IMPORT, *DATA).refused()
    assert "a server uses data" in run("export", "hits.csv.gz", *DATA).refused()


def test_through_the_api_every_line_is_stored_once(run: CommandLine, served: RunningServer, site: Prepared) -> None:
    Path("access.log").write_text("".join(line(f"/{n % 7}", n % 60) for n in range(2_600)))
    token = {"TALLYSTICK_TOKEN": site.token, "XDG_STATE_HOME": str(Path("state").absolute())}
    arguments = (*LOG_IMPORT, "--site", served.url)
    told = run(*arguments, variables=token)
    assert told.err == "imported 2,600 hits from 2026-03-08 to 2026-03-08\n"
    assert run(*arguments, variables=token).err == "imported 0 hits, imported before 2,600 lines\n"
    forgetful = {**token, "XDG_STATE_HOME": str(Path("elsewhere").absolute())}
    assert run(*arguments, variables=forgetful).err == told.err
    ran = run("export", "hits.csv.gz", "--site", served.url, variables=token)
    assert (ran.err, ran.out) == ("2,600 hits exported\n", "2600\n")
    assert len(gzip.decompress(Path("hits.csv.gz").read_bytes()).splitlines()) == 2_601


def test_other_lines_under_the_same_key_are_told(run: CommandLine, served: RunningServer, site: Prepared) -> None:
    token = {"GOATCOUNTER_API_KEY": site.token}
    run(*LOG_IMPORT, "--site", served.url, variables={**token, "XDG_STATE_HOME": str(Path("a").absolute())}).succeeded()
    elsewhere = {**token, "XDG_STATE_HOME": str(Path("b").absolute())}
    refusal = run(*LOG_IMPORT, "--exclude", "path:/b", "--site", served.url, variables=elsewhere).refused()
    assert refusal.startswith("these lines were sent before with other options or from another file; give --anew")


@pytest.mark.parametrize(
    ("token", "reason"),
    [("wrong", 'answered 401: {"error":"unknown token"}'), ("", "TALLYSTICK_TOKEN must be set to an API token")],
)
def test_a_bad_token_is_told(run: CommandLine, served: RunningServer, token: str, reason: str) -> None:
    for options in ((), ("--dry-run",)):
        refusal = run(*LOG_IMPORT, "--site", served.url, *options, variables={"TALLYSTICK_TOKEN": token}).refused()
        assert reason in refusal
        assert refusal.endswith("Nothing was stored")


def test_through_the_api_the_same_is_told(run: CommandLine, served: RunningServer, site: Prepared) -> None:
    variables = {"TALLYSTICK_TOKEN": site.token, "XDG_STATE_HOME": str(Path("state").absolute())}
    Path("access.log").write_text(LOG + line("/favicon.ico", 5) + line("/x", 6).replace("2026", "2099"))
    arguments = (*LOG_IMPORT, "--exclude=path:.css", "--site", served.url)
    told = run(*arguments, variables=variables).err.splitlines()[-1]
    assert told == (
        "imported 4 hits from 2026-03-08 to 2026-03-08, of which 1 bots, not accepted 1 (1 x created_at: in the "
        "future), dropped 1 ignored path, left out 1 path:.css, could not read 1 lines"
    )
    dry = run(*arguments, "--anew", "--dry-run", variables=variables).err.splitlines()[-1]
    assert dry == told.replace("imported", "nothing was changed; it would be:")


def test_an_entry_of_the_journal_tells_no_secret(run: CommandLine, served: RunningServer, site: Prepared) -> None:
    variables = {"TALLYSTICK_TOKEN": site.token, "XDG_STATE_HOME": str(Path("state").absolute())}
    run(*LOG_IMPORT, "--site", served.url, variables=variables).succeeded()
    (entry,) = Path("state/tallystick/imports").glob("*.json")
    told = json.loads(entry.read_text())
    assert told["target"] == served.url
    assert site.token not in entry.read_text()
