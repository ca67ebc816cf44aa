"""``tallystick import umami`` and ``tallystick import ga4``, beside a server and without one."""

import gzip
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from support.analytics import HOST, Prepared, prepare
from support.commands import CommandLine, Ran
from support.server import RunningServer, clean_environment, running_server
from tallystick.ledger.ledger import milliseconds
from tallystick.model.props import decoded
from tallystick.services.imports import bounds

DATA = ("--data", "data")

UMAMI = """\
website_id,session_id,visit_id,event_id,hostname,browser,os,device,screen,language,country,region,city,url_path,\
url_query,utm_source,utm_medium,utm_campaign,referrer_path,referrer_query,referrer_domain,page_title,event_type,\
event_name,created_at
w1,s1,v1,e1,www.example.com,chrome,Windows 10,laptop,1920x1080,en-US,US,US-CA,Reno,/,\
utm_source=news&utm_campaign=spring,\
news,,spring,/,,google.com,Home,1,,2026-01-02 10:00:00
w1,s2,v3,e6,www.example.com,ios,iOS,mobile,390x844,de-DE,DE,DE-BE,Berlin,/a,,,,,/search,q=x,duckduckgo.com,A,1,,\
2026-01-03T09:00:00.123Z
w1,s1,v1,e2,www.example.com,chrome,Windows 10,laptop,1920x1080,en-US,US,US-CA,Reno,/a,,,,,/,,\
example.com,"A, ""quoted"",\r
and more",1,,2026-01-02 10:01:00
w1,s1,v1,e4,www.example.com,chrome,Windows 10,laptop,1920x1080,en-US,US,US-CA,Reno,/a,,,,,,,,A,2,\
Signup,2026-01-02 11:02:00+01
w1,s1,v1,e3,www.example.com,chrome,Windows 10,laptop,1920x1080,en-US,US,US-CA,Reno,/,,,,,,,,Home,1,,2026-01-02 10:01:30
w1,s1,v2,e5,www.example.com,chrome,Windows 10,laptop,1920x1080,en-US,US,US-CA,Reno,/,,,,,,,,Home,1,,2026-01-02 11:30:00
w1,s1,v2,e7,www.example.com,chrome,Windows 10,laptop,1920x1080,en-US,US,US-CA,Reno,/,,,,,,,,,5,,2026-01-02 11:30:01
"""
"""Two people in three visits: / /a / and Signup; / alone; /a alone. The order is not that of time."""
IMPORTED = "imported 6 hits in 3 visits from 2026-01-02 to 2026-01-03, left out 1 measurements of speed\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    """A site in a data directory below the working directory, which no server holds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    Path("data").mkdir()
    return prepare(Path("data"), now=milliseconds())


def asked(statement: str) -> list[tuple[Any, ...]]:
    with closing(duckdb.connect("data/warehouse.duckdb")) as connection:
        return connection.execute(statement).fetchall()


def names() -> dict[int, str]:
    """The site's paths, by id."""
    with closing(sqlite3.connect("data/ledger.sqlite3")) as connection:
        return dict(connection.execute("SELECT id, path FROM path"))


def by_path() -> dict[str, tuple[int, ...]]:
    """Hits, first hits and visits, by path."""
    rows = asked("SELECT path, count(*), sum(first::int), count(DISTINCT session) FROM hit GROUP BY path")
    return {names()[path]: (hits, int(firsts), visits) for path, hits, firsts, visits in rows}


def told_of_events() -> list[tuple[str, str, dict[str, str], str]]:
    """The name, the page, the properties and the device of each event."""
    rows = asked("SELECT path, page, props, device FROM hit WHERE event ORDER BY id")
    paths = names()
    return [(paths[path], paths[page], decoded(props), device) for path, page, props, device in rows]


VISITS = (
    "SELECT started, ended, pageviews, events, firsts, country, browser, system, system_version, width, utm_source,"
    " source, entry_host FROM visit ORDER BY started"
)


def at(time: str) -> int:
    return int(datetime.fromisoformat(f"2026-01-{time}+00:00").timestamp())


STORED = {"/": (3, 2, 2), "/a": (2, 2, 2), "Signup": (1, 1, 1)}
HOME = ("US", "Chrome", "Windows", "10", 1920)
STORED_VISITS = [
    (at("02T10:00:00"), at("02T10:02:00"), 3, 1, 3, *HOME, "news", "news", "example.com"),
    (at("02T11:30:00"), at("02T11:30:00"), 1, 0, 1, *HOME, "", "", "example.com"),
    (at("03T09:00:00"), at("03T09:00:00"), 1, 0, 1, "DE", "Safari", "iOS", "", 390, "", "DuckDuckGo", "example.com"),
]


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def zipped(name: str, content: Mapping[str, str]) -> None:
    with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in content.items():
            archive.writestr(member, text)


def summary(ran: Ran) -> str:
    assert ran.code == 0, ran
    return ran.err.splitlines()[-1]


@pytest.mark.usefixtures("site")
def test_hits_of_umami_keep_their_visits(run: CommandLine) -> None:
    Path("u.csv").write_bytes(UMAMI.encode())
    assert run("import", "umami", "u.csv", *DATA).err == IMPORTED
    assert by_path() == STORED
    assert asked(VISITS) == STORED_VISITS
    assert asked("SELECT ref, ref_scheme, count(*) FROM hit GROUP BY ALL ORDER BY ALL") == [
        ("", "o", 4),
        ("duckduckgo.com/search", "h", 1),
        ("news", "c", 1),
    ]
    (campaign,) = asked("SELECT DISTINCT campaign FROM hit WHERE campaign IS NOT NULL")
    with closing(sqlite3.connect("data/ledger.sqlite3")) as connection:
        assert connection.execute("SELECT name FROM campaign WHERE id = ?", campaign).fetchone() == ("spring",)
        titles = dict(connection.execute("SELECT path, title FROM path"))
    assert titles == {"/": "Home", "/a": 'A, "quoted",\r\nand more', "Signup": ""}


@pytest.mark.usefixtures("site")
def test_the_same_export_is_imported_once_in_every_form(run: CommandLine) -> None:
    Path("u.csv").write_bytes(UMAMI.encode())
    Path("u.csv.gz").write_bytes(gzip.compress(UMAMI.encode()))
    zipped("u.zip", {"website_event.csv": UMAMI})
    run("import", "umami", "u.zip", *DATA).succeeded()
    for name in ("u.zip", "u.csv", "u.csv.gz"):
        assert run("import", "umami", name, *DATA).err == "imported 0 hits, imported before 6 hits\n"
    assert by_path() == STORED
    assert summary(run("import", "umami", "u.csv", *DATA, "--anew")) == IMPORTED.strip()
    assert asked("SELECT count(*) FROM hit") == [(12,)]


@pytest.mark.usefixtures("site")
def test_a_dry_run_of_visits_changes_nothing(run: CommandLine, tmp_path: Path) -> None:
    Path("u.csv").write_bytes(UMAMI.encode())
    before = files(tmp_path)
    err = run("import", "umami", "u.csv", *DATA, "--dry-run").err
    assert err == IMPORTED.replace("imported", "nothing was changed; it would be:")
    assert files(tmp_path) == before


@pytest.mark.usefixtures("site")
def test_no_id_of_the_other_program_is_left_behind(run: CommandLine, tmp_path: Path) -> None:
    ids = {short: f"{short}-{'5e' * 8}" for short in ("s1", "s2", "v1", "v2", "v3", "e1")}
    text = UMAMI
    for short, long in ids.items():
        text = text.replace(f"{short},", f"{long},")
    Path("u.csv").write_bytes(text.encode())
    assert run("import", "umami", "u.csv", *DATA).err == IMPORTED
    Path("u.csv").unlink()
    assert not [file for file, content in files(tmp_path).items() if b"5e5e5e5e" in content]


EVENTS_V3 = """\
event_id,website_id,session_id,visit_id,created_at,url_path,url_query,referrer_domain,page_title,event_type,event_name,hostname
e1,w1,s1,v1,2026-01-02 10:00:00.5+00,/,,,Home,1,,example.com
e2,w1,s1,v1,2026-01-02 10:00:01+00,/,,,Home,2,Signup,example.com
e3,w1,s2,v2,2026-01-02 10:00:02+00,/,,,Home,1,,example.com
"""
SESSIONS_V3 = """\
session_id,website_id,browser,os,device,screen,language,country,region,city,created_at
s1,w1,firefox,Linux,desktop,2560x1440,fr-FR,FR,FR-IDF,Paris,2026-01-01 10:00:00+00
s2,w1,samsung,Android OS,mobile,360x800,it,IT,,,2026-01-01 10:00:00+00
"""
PROPS_V3 = """\
event_data_id,website_id,website_event_id,data_key,string_value,number_value,date_value,data_type,created_at
d1,w1,e2,plan,pro,,,1,2026-01-02 10:00:01+00
d2,w1,e2,price,9.9000,9.9000,,2,2026-01-02 10:00:01+00
"""


@pytest.mark.usefixtures("site")
def test_tables_of_a_database_are_joined(run: CommandLine) -> None:
    tables = {"event_data.csv": PROPS_V3, "session.csv": SESSIONS_V3, "website_event.csv": EVENTS_V3}
    zipped("dump.zip", {**tables, "user.csv": "user_id,username\nu1,admin\n"})
    told = summary(run("import", "umami", "dump.zip", *DATA))
    assert told == "imported 3 hits in 2 visits from 2026-01-02 to 2026-01-02"
    assert by_path() == {"/": (2, 2, 2), "Signup": (1, 1, 1)}
    rows = asked("SELECT country, browser, system, CAST(width AS INTEGER), host, event FROM hit ORDER BY id")
    assert rows == [
        ("FR", "Firefox", "Linux", 2560, "example.com", False),
        ("FR", "Firefox", "Linux", 2560, "example.com", True),
        ("IT", "Samsung Internet", "Android", 360, "example.com", False),
    ]
    assert told_of_events() == [("Signup", "/", {"plan": "pro", "price": "9.9"}, "Desktop")]


@pytest.mark.usefixtures("site")
def test_exports_that_overlap_count_once(run: CommandLine) -> None:
    header, *rows = EVENTS_V3.splitlines(keepends=True)
    zipped("two.zip", {"january.csv": EVENTS_V3, "february.csv": header + rows[2] + rows[2].replace("e3,", "e4,")})
    told = summary(run("import", "umami", "two.zip", *DATA))
    assert told == (
        "imported 4 hits in 2 visits from 2026-01-02 to 2026-01-02, left out 1 events that are in the file twice"
    )


@pytest.mark.usefixtures("site")
def test_the_first_version_of_umami_knew_no_visits(run: CommandLine) -> None:
    views = [
        "view_id,website_id,session_id,created_at,url,referrer",
        "1,1,7,2026-01-02 10:00:00+00,/?utm_source=news,https://google.com/",
        "2,1,7,2026-01-02 10:05:00+00,/a?x=1,/",
        "3,1,7,2026-01-02 23:00:00+00,/a,",
    ]
    events = [
        "event_id,website_id,session_id,created_at,url,event_type,event_value",
        "1,1,7,2026-01-02 10:06:00+00,/a,click,Buy",
    ]
    session = [
        "session_id,website_id,hostname,browser,os,device,screen,language,country",
        "7,1,example.com,chrome,Mac OS,laptop,1440x900,en,GB",
    ]
    zipped(
        "v1.zip",
        {
            f"{name}.csv": "\r\n".join(rows)
            for name, rows in (("pageview", views), ("event", events), ("session", session))
        },
    )
    assert (
        summary(run("import", "umami", "v1.zip", *DATA)) == "imported 4 hits in 2 visits from 2026-01-02 to 2026-01-02"
    )
    assert by_path() == {"/": (1, 1, 1), "/a": (2, 2, 2), "Buy": (1, 1, 1)}
    assert asked("SELECT DISTINCT country, system, CAST(width AS INTEGER) FROM hit") == [("GB", "macOS", 1440)]


@pytest.mark.usefixtures("site")
def test_one_of_several_websites_is_chosen(run: CommandLine) -> None:
    Path("u.csv").write_text(EVENTS_V3.replace("e3,w1", "e3,W2"))
    refusal = run("import", "umami", "u.csv", *DATA).refused()
    assert refusal == (
        "there are hits of several websites, for example 'w1' and 'w2'; choose one by --website. Nothing was stored"
    )
    told = summary(run("import", "umami", "u.csv", *DATA, "--website", "w2"))
    assert told == ("imported 1 hits in 1 visits from 2026-01-02 to 2026-01-02, left out 2 hits of other websites")
    told = summary(run("import", "umami", "u.csv", *DATA, "--website", "w1"))
    assert told.startswith("imported 2 hits in 1 visits")
    refusal = run("import", "umami", "u.csv", *DATA, "--website", "w3").refused()
    assert refusal.startswith("there is no hit of the website 'w3', only 3 of others")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no file has the columns of Umami's hits: created_at, and url_path or url"),
        ("a,b\n1,2\n", "the first line must name the columns of Umami's hits, at least created_at and url_path"),
        ("url_path,website_id\n/,w1\n", "the file has no column created_at, only url_path, website_id"),
        (SESSIONS_V3, "no file has the columns of Umami's hits"),
        ("\x00" * 5, "the file has nothing but NUL bytes, so no line can be read"),
        ("PK\x03\x04 torn", "the file is a ZIP"),
    ],
)
@pytest.mark.usefixtures("site")
def test_what_is_no_export_of_umami_is_refused(run: CommandLine, text: str, reason: str) -> None:
    Path("u.csv").write_text(text)
    assert reason in run("import", "umami", "u.csv", *DATA).refused()


@pytest.mark.usefixtures("site")
def test_hostile_rows_are_told_and_the_others_stored(run: CommandLine) -> None:
    rows = [
        "w1,s1,v1,yesterday,/a,1,",
        "w1,s1,v1,1969-01-01,/a,1,",
        "w1,s1",
        "w1,s1,v1,2026-01-02T10:00:00,/a,2,",
        f"w1,s1,v1,2026-01-02T10:00:00,/{'x' * 3_000},1,",
        f"w1,s1,v1,2026-01-02T10:00:00,/{'x' * 2_000_000},1,",
        'w1,s1,v1,2026-01-02T10:00:00,"/never closed,1,',
        "w1,s1,v1,2099-01-02T10:00:00,/a,1,",
        "w1,s1,v1,2026-01-02T10:00:00,'=HYPERLINK(1),2,'+1",
        "w1,s1,v1,2026-01-02T10:00:00,/\x1b[31m\x00<script>,1,\\N",
        "NULL,\\N,,2026-01-02T10:00:00,/last,1,\r",
    ]
    header = "\ufeffwebsite_id,session_id,visit_id,created_at,url_path,event_type,event_name\r\n"
    zipped("bad.zip", {"x/website_event.csv": header + "\n".join(rows) + "\n", "__MACOSX/._website_event.csv": "?"})
    ran = run("import", "umami", "bad.zip", *DATA, "--website", "w1")
    assert ran.err.splitlines() == [
        "x/website_event.csv, line 2: created_at must be a time, not 'yesterday'",
        "x/website_event.csv, line 3: created_at must be a time after 1991-08-06, not '1969-01-01'",
        "x/website_event.csv, line 4: wrong number of fields: 2 (want: 7)",
        "x/website_event.csv, line 5: event_name is empty",
        "x/website_event.csv, line 7: it is not valid CSV: field larger than field limit (131072)",
        "x/website_event.csv, line 8: it is not valid CSV: a quotation mark is not closed",
        "x/website_event.csv, line 6: path: must be shorter than 2048 characters.",
        "x/website_event.csv, line 9: created_at: in the future.",
        (
            "imported 2 hits in 1 visits from 2026-01-02 to 2026-01-02, not accepted 2 (1 x path: must be shorter than"
            " 2048 characters; 1 x created_at: in the future), left out 1 hits of other websites,"
            " could not read 6 lines"
        ),
    ]
    assert set(by_path()) == {"+1", "/\x1b[31m\N{REPLACEMENT CHARACTER}<script>"}


def test_a_small_file_cannot_become_huge(run: CommandLine, site: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    assert site
    monkeypatch.setattr(bounds, "PLAUSIBLE_SIZE", 3_000_000)
    header, row = EVENTS_V3.splitlines()[:2]
    text = f"{header}\n" + f"{row}\n" * 80_000
    zipped("bomb.zip", {"website_event.csv": text})
    Path("bomb.csv.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("bomb.zip", "bomb.csv.gz"):
        assert (
            "times its size when it is uncompressed: it is no export" in run("import", "umami", name, *DATA).refused()
        )
    assert asked("SELECT count(*) FROM hit") == [(0,)]


def many(count: int) -> str:
    """Visits of three hits: / /a /, which begin every ten minutes; their rows stand far apart."""
    header = "website_id,session_id,visit_id,event_id,created_at,url_path,event_type"
    rows = []
    for part, path in enumerate(("/", "/a", "/")):
        for visit in range(count):
            moment = datetime.fromtimestamp(at("01T00:00:00") + 600 * visit + 60 * part, UTC)
            rows.append(f"w1,s{visit},v{visit},e{visit}-{part},{moment:%Y-%m-%d %H:%M:%S},{path},1")
    return "\n".join([header, *rows, ""])


@pytest.mark.usefixtures("site")
def test_an_import_that_is_killed_goes_on_without_dividing_visits(tmp_path: Path) -> None:
    Path("u.csv").write_text(many(12_000))
    command = [sys.executable, "-c", SLOWLY, "import", "umami", "u.csv", *DATA]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, env=clean_environment(XDG_STATE_HOME=str(tmp_path))
    ) as killed:
        while not [
            entry for entry in Path("data/imports").glob("*.json") if json.loads(entry.read_text())["mark"]["position"]
        ]:
            time.sleep(0.05)
            assert killed.poll() is None, killed.stderr
        os.kill(killed.pid, signal.SIGKILL)
    ran = subprocess.run(
        [sys.executable, "-m", "tallystick", *command[3:]],
        capture_output=True,
        text=True,
        check=True,
        env=clean_environment(),
    )
    told = re.fullmatch(
        r"imported ([\d,]+) hits in ([\d,]+) visits from .*, imported before ([\d,]+) hits\n", ran.stderr
    )
    assert told, ran.stderr
    hits, visits, before = (int(number.replace(",", "")) for number in told.groups())
    assert hits + before == 36_000
    assert before >= 4_998
    assert visits == hits // 3
    assert by_path() == {"/": (24_000, 12_000, 12_000), "/a": (12_000, 12_000, 12_000)}
    assert asked("SELECT count(*), min(pageviews), max(pageviews) FROM visit") == [(12_000, 3, 3)]


SLOWLY = """
import asyncio, sys
from tallystick.cli.main import main
from tallystick.services.imports.direct_sink import DirectSink
send = DirectSink.send
async def slowly(*arguments):
    result = await send(*arguments)
    await asyncio.sleep(0.3)
    return result
DirectSink.send = slowly
main()
"""


def param(key: str, **value: object) -> dict[str, object]:
    return {"key": key, "value": {"string_value": None, **value}}


def ga4_event(  # noqa: PLR0913  # one a part of an event
    name: str,
    time: str,
    *params: dict[str, object],
    page: str = "https://www.example.com/",
    visitor: str | None = "p1.1",
    session: str = "101",
    country: str = "Germany",
    **more: object,
) -> dict[str, object]:
    return {
        "event_date": "20260102",
        "event_timestamp": f"{at(time)}123456",
        "event_name": name,
        "event_params": [param("page_location", string_value=page), param("ga_session_id", int_value=session), *params],
        "user_pseudo_id": visitor,
        "device": {
            "category": "desktop",
            "operating_system": "Macintosh",
            "operating_system_version": "Intel 10.15",
            "language": "de-de",
            "web_info": {"browser": "Chrome", "browser_version": "143.0.0.0", "hostname": "www.example.com"},
        },
        "geo": {"country": country, "region": "Berlin", "city": "Berlin"},
        "platform": "WEB",
        **more,
    }


GA4 = [
    ga4_event("session_start", "02T10:00:00"),
    ga4_event("first_visit", "02T10:00:00"),
    ga4_event(
        "page_view",
        "02T10:00:00",
        param("page_title", string_value="Home"),
        param("page_referrer", string_value="https://www.google.com/"),
        page="https://www.example.com/?utm_source=news&utm_campaign=spring&utm_medium=email",
    ),
    ga4_event("scroll", "02T10:00:09"),
    ga4_event(
        "page_view",
        "02T10:01:00",
        param("page_referrer", string_value="https://www.example.com/"),
        page="https://www.example.com/a?x=1#y",
    ),
    ga4_event(
        "click",
        "02T10:02:00",
        param("link_url", string_value="https://other.example/"),
        param("outbound", string_value="true"),
    ),
    ga4_event(
        "sign_up",
        "02T10:03:00",
        param("plan", string_value="pro"),
        param("seats", int_value="3"),
        param("ga_session_number", int_value=1),
    ),
    ga4_event("user_engagement", "02T10:04:00"),
    ga4_event(
        "page_view",
        "02T12:00:00",
        session="102",
        country="Türkiye",
        collected_traffic_source={
            "manual_source": "bing",
            "manual_medium": "cpc",
            "manual_campaign_name": None,
            "gclid": None,
        },
    ),
    ga4_event("page_view", "02T13:00:00", visitor=None, country="Hong Kong"),
    {**ga4_event("screen_view", "02T14:00:00"), "platform": "ANDROID"},
]
GA4_IMPORTED = (
    "imported 6 hits in 2 visits from 2026-01-02 to 2026-01-02, left out 1 session_start and 1 first_visit and 1 scroll"
    " and 1 user_engagement and 1 of apps\n"
)


def ndjson(events: Sequence[Mapping[str, object]]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


@pytest.mark.parametrize("name", ["events.json", "events.json.gz", "events.zip", "-"])
@pytest.mark.usefixtures("site")
def test_events_of_bigquery_are_hits(run: CommandLine, name: str) -> None:
    text = ndjson(list(reversed(GA4))).encode()
    if name.endswith(".zip"):
        zipped(name, {"events_000000000000.json": text[:0].decode(), "events_000000000001.json": text.decode()})
    elif name != "-":
        Path(name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    ran = run("import", "ga4", name, *DATA, stdin=text)
    assert sorted(ran.err.split()) == sorted(GA4_IMPORTED.split())
    assert by_path() == {
        "/": (3, 3, 3),
        "/a": (1, 1, 1),
        "Outbound Link: Click": (1, 1, 1),
        "sign_up": (1, 1, 1),
    }
    browser = ("Chrome", "macOS", "10.15", 0)
    assert asked(VISITS) == [
        (at("02T10:00:00"), at("02T10:03:00"), 2, 2, 4, "DE", *browser, "news", "news", "example.com"),
        (at("02T12:00:00"), at("02T12:00:00"), 1, 0, 1, "TR", *browser, "bing", "Bing", "example.com"),
    ]
    assert asked("SELECT country, session, ref FROM hit WHERE session = 0") == [("HK", 0, "")]
    assert told_of_events() == [
        ("Outbound Link: Click", "/", {"url": "https://other.example/"}, "Desktop"),
        ("sign_up", "/", {"plan": "pro", "seats": "3"}, "Desktop"),
    ]


@pytest.mark.usefixtures("site")
def test_properties_beyond_the_limits_are_cut_or_left_out(run: CommandLine) -> None:
    many_names = {f"n{number:02}": "x" for number in range(29)}
    sent = {"long": "é" * 1_500, "n" * 301: "x", "blank": " ", **many_names, "one": "too many"}
    parameters = [param(name, string_value=value) for name, value in sent.items()]
    Path("e.json").write_text(ndjson([ga4_event("sign_up", "02T10:00:00", *parameters)]))
    run("import", "ga4", "e.json", *DATA).succeeded()
    assert told_of_events() == [("sign_up", "/", {"long": "é" * 1_000, **many_names}, "Desktop")]


@pytest.mark.usefixtures("site")
def test_no_id_of_a_person_is_left_behind_by_ga4(run: CommandLine, tmp_path: Path) -> None:
    Path("e.json").write_text(ndjson(GA4).replace("p1.1", "5e5e5e5e.17"))
    run("import", "ga4", "e.json", *DATA).succeeded()
    Path("e.json").unlink()
    assert not [file for file, content in files(tmp_path).items() if b"5e5e5e5e" in content]


@pytest.mark.usefixtures("site")
def test_bad_events_are_told(run: CommandLine) -> None:
    good = json.dumps(ga4_event("page_view", "02T10:00:00"))
    lines = [
        "[]",
        '{"event_name":"page_view"}',
        good.replace(str(at("02T10:00:00")), "12"),
        good.replace("page_location", "page_place"),
        good.replace("https://www", "https://[www"),
        "",
        good,
        "x" * 70_000,
        '{"event_name":"page_view","event_timestamp":"soon"}',
    ]
    Path("e.jsonl").write_text("\n".join(lines))
    ran = run("import", "ga4", "e.jsonl", *DATA)
    assert ran.err.splitlines() == [
        "line 1: it is no event of BigQuery's export: Expected `object`, got `array`",
        "line 2: it is no event of BigQuery's export: Object missing required field `event_timestamp`",
        "line 3: event_timestamp must be in microseconds and after 1991-08-06, not '12123456'",
        "line 4: page_location is missing",
        "line 5: page_location is no URL: 'https://[www.example.com/'",
        "line 8: it is longer than 65536 bytes",
        "line 9: event_timestamp must be in microseconds and after 1991-08-06, not 'soon'",
        "imported 1 hits in 1 visits from 2026-01-02 to 2026-01-02, could not read 7 lines",
    ]


REPORT = """\
# ----------------------------------------
# Free form 1
# Account: Example
# 20260101-20260131
# ----------------------------------------

Date,Page path,Country,Views,Active users
,,,7,4,Grand total
20260102,/,Germany,3,2
20260102,/a,France,2,1
20260103,/,Nowhere,2,1
"""


@pytest.mark.usefixtures("site")
def test_a_report_by_day_and_page_is_counted_without_visits(run: CommandLine) -> None:
    Path("pages.csv").write_bytes(REPORT.replace("\n", "\r\n").encode("utf-8-sig"))
    told = run("import", "ga4", "pages.csv", *DATA).err
    assert told == "imported 7 hits from 2026-01-02 to 2026-01-03, left out 1 rows of totals\n"
    assert by_path() == {"/": (5, 5, 1), "/a": (2, 2, 1)}  # one number, 0, stands for no visit
    assert asked("SELECT created, country, count(*) FROM hit GROUP BY ALL ORDER BY ALL") == [
        (at("02T12:00:00"), "DE", 3),
        (at("02T12:00:00"), "FR", 2),
        (at("03T12:00:00"), "", 2),
    ]
    assert asked("SELECT count(*) FROM visit") == [(0,)]
    assert run("import", "ga4", "pages.csv", *DATA).err == "imported 0 hits, imported before 7 hits\n"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("p.csv", REPORT.replace("Date,", "Dates,"), "the report has no column Date, only dates, page path, country"),
        ("p.csv", "Page path and screen class,Views\n/,3\n", "make an exploration with the rows Date and Page path"),
        ("p.csv", "# Account\n\n", "the file has no table; in Google Analytics make an exploration"),
        ("p.json", REPORT, "no line is an event of BigQuery's export"),
        ("p.json", "{}\n" * 2_000, "no line is an event of BigQuery's export"),
    ],
)
@pytest.mark.usefixtures("site")
def test_what_is_no_export_of_ga4_is_refused(run: CommandLine, name: str, text: str, reason: str) -> None:
    Path(name).write_text(text)
    assert reason in run("import", "ga4", name, *DATA).refused()


@pytest.mark.usefixtures("site")
def test_bad_rows_of_a_report_are_told(run: CommandLine) -> None:
    Path("p.csv").write_text(
        "Date,Page path,Views\n2026-01-02,/,1.0\n20261301,/,1\n20260102,/,many\n20260102,/,9999999\n"
    )
    assert run("import", "ga4", "p.csv", *DATA).err.splitlines() == [
        "line 3: Date must be a day such as 20260131, not '20261301'",
        "line 4: Views must be a number up to 1,000,000, not 'many'",
        "line 5: Views must be a number up to 1,000,000, not '9999999'",
        "imported 1 hits from 2026-01-02 to 2026-01-02, could not read 3 lines",
    ]


@pytest.fixture
def served(site: Prepared) -> Iterator[RunningServer]:
    """A server that holds the data directory."""
    del site
    with running_server(Path("data").absolute(), "--rate-limit", "api:none,api-count:none") as server:
        yield server


def test_through_the_api_visits_are_the_same(run: CommandLine, served: RunningServer, site: Prepared) -> None:
    props = "event_id,data_key,string_value,number_value,date_value,data_type\ne4,plan,pro,,,1\n"
    zipped("u.zip", {"website_event.csv": UMAMI, "event_data.csv": props})
    Path("many.csv").write_text(many(400))
    variables = {"TALLYSTICK_TOKEN": site.token, "XDG_STATE_HOME": str(Path("state").absolute())}
    assert run("import", "umami", "u.zip", "--url", served.url, "--dry-run", variables=variables).err == (
        IMPORTED.replace("imported", "nothing was changed; it would be:")
    )
    assert run("import", "umami", "u.zip", "--url", served.url, variables=variables).err == IMPORTED
    assert run("import", "umami", "u.zip", "--url", served.url, variables=variables).err == (
        "imported 0 hits, imported before 6 hits\n"
    )
    forgetful = {**variables, "XDG_STATE_HOME": str(Path("elsewhere").absolute())}
    for _ in range(2):
        told = run("import", "umami", "u.zip", "--url", served.url, "--site", HOST, variables=forgetful).err
        assert told in (IMPORTED, "imported 0 hits, imported before 6 hits\n")  # the server knows the batch
    told = run("import", "umami", "many.csv", "--site", served.url, variables=variables).err
    assert told == "imported 1,200 hits in 400 visits from 2026-01-01 to 2026-01-03\n"
    served.stop()
    assert by_path() == {"/": (3 + 800, 2 + 400, 2 + 400), "/a": (2 + 400, 2 + 400, 2 + 400), "Signup": (1, 1, 1)}
    assert asked(f"SELECT * FROM ({VISITS}) WHERE entry_host = 'example.com'") == STORED_VISITS
    assert told_of_events() == [("Signup", "/a", {"plan": "pro"}, "Desktop")]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--url", "example.com"), "--url must begin with http:// or https://, not 'example.com'"),
        (("--url", "http://127.0.0.1:1", "--site", "http://x"), "with --url, --site is the host of a site"),
        (("--url", "http://127.0.0.1:1"), "TALLYSTICK_TOKEN must be set to an API token with the permission count"),
    ],
)
@pytest.mark.usefixtures("site")
def test_options_of_other_programs_imports_fit_together(
    run: CommandLine, options: tuple[str, ...], reason: str
) -> None:
    Path("u.csv").write_text(UMAMI)
    assert reason in run("import", "umami", "u.csv", *options).refused()
    assert run("import", "umami", "nowhere.csv", *options[:0]).refused() == "nowhere.csv: No such file or directory"


@pytest.mark.usefixtures("site")
def test_ctrl_c_ends_the_reading_of_a_file_at_once() -> None:
    Path("u.csv").write_text(many(50_000))
    command = [sys.executable, "-c", READS_SLOWLY, "import", "umami", "u.csv", *DATA]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=clean_environment()) as process:
        assert process.stderr
        assert process.stderr.readline() == "reading\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "tallystick: interrupted. Nothing was stored\n"
    assert process.returncode == 130


READS_SLOWLY = """
import sys
from tallystick.cli.main import main
from tallystick.services.imports.export_files import Gathered
move = Gathered.move
def told(gathered):
    print("reading", file=sys.stderr, flush=True) if not moved else None
    moved.append(1)
    move(gathered)
moved = []
Gathered.move = told
main()
"""
