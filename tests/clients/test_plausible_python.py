"""PyPI ``plausible-mcp`` 0.1.2, ``kctl-plausible`` 0.10.3, ``airbyte-source-plausible`` 0.1.14, and a running server.

Server and clients have a clock of their own: it is Friday, 15 January 2027, 08:00 UTC. Every figure is counted by hand.
The clients' code is unmodified, but for what the scripts in ``plausible_python`` say of tables and of Python 3.11;
``kctl-plausible`` and its library ask for Python 3.12, and run with 3.11 as well.
"""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from support.analytics import CHROME, FIREFOX, HOST, AnalyticsServer, prepare
from support.published import INSTALLED_WITHIN_S, installed_packages, run_with
from support.server import running_server

pytestmark = pytest.mark.timeout(INSTALLED_WITHIN_S + 100)

HERE = Path(__file__).parent / "plausible_python"
SITE_MADE = int(datetime(2026, 2, 1, tzinfo=UTC).timestamp()) * 1000
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
    "Mobile/15E148 Safari/604.1"
)

ADA = {"ip": "192.0.2.1", "user_agent": FIREFOX, "location": "DE", "size": "1920"}
BOB = {"ip": "192.0.2.2", "user_agent": CHROME, "location": "US", "size": "1366"}
CEM = {"ip": "192.0.2.3", "user_agent": CHROME, "location": "US-CA"}
DAN = {"ip": "192.0.2.4", "user_agent": IPHONE, "size": "390"}
EVE = {"ip": "192.0.2.5", "user_agent": CHROME}
FAY = {"ip": "192.0.2.6", "user_agent": CHROME}
HITS = [
    {**FAY, "path": "/", "created_at": "2026-03-05T12:00:00Z"},
    {**EVE, "path": "/", "created_at": "2026-12-20T12:00:00Z"},
    {**ADA, "path": "/", "created_at": "2027-01-13T09:00:00Z", "ref": "https://www.google.com/"},
    {**ADA, "path": "/pricing", "created_at": "2027-01-13T09:01:00Z"},
    {**ADA, "path": "/blog/one", "created_at": "2027-01-13T09:05:00Z"},
    {**ADA, "path": "Signup", "event": True, "created_at": "2027-01-13T09:06:00Z"},
    {**CEM, "path": "/pricing", "created_at": "2027-01-14T10:00:00Z", "query": "utm_source=news&utm_campaign=spring"},
    {**CEM, "path": "/", "created_at": "2027-01-14T10:10:00Z"},
    {**BOB, "path": "/", "created_at": "2027-01-14T23:30:00Z"},
    {**DAN, "path": "/blog/two", "created_at": "2027-01-15T07:30:00Z", "ref": "https://news.ycombinator.com/item?id=1"},
]


@pytest.fixture(scope="module")
def installed(request: pytest.FixtureRequest) -> Path:
    """The MCP server and the command line tool."""
    return installed_packages(request.config, HERE / "requirements.txt", "--ignore-requires-python")


@pytest.fixture(scope="module")
def airbyte_installed(request: pytest.FixtureRequest) -> Path:
    """The connector: its framework needs old releases of what the others have newer ones of."""
    return installed_packages(request.config, HERE / "airbyte.txt", "--ignore-requires-python")


@pytest.fixture(scope="module")
def clock() -> dict[str, Any]:
    """Variables that set a process's clock. It stands at 08:00 when the process starts, and goes on from there."""
    asked = ("faketime", "-f", "+0", "printenv", "LD_PRELOAD")
    library = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    return {"LD_PRELOAD": library, "FAKETIME": "@2027-01-15 08:00:00", "TZ": "UTC"}


@pytest.fixture(scope="module")
def site(
    clock: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[AnalyticsServer]:
    """The site that the six have seen."""
    data = tmp_path_factory.mktemp("plausible") / "data"
    data.mkdir()
    prepared = prepare(data, now=SITE_MADE)
    with running_server(data, "--rate-limit", "off", **clock) as server:
        asked = AnalyticsServer(server, prepared)
        assert asked.api("POST", "/count", json={"hits": HITS}).status == 202
        yield asked


class Clients:
    """Runs the clients against a server, each with a home of its own and without any news to or from elsewhere."""

    def __init__(self, site: AnalyticsServer, installed: Path, home: Path, clock: dict[str, Any]) -> None:
        self.site, self._installed = site, installed
        self._variables = {
            **clock,
            "HOME": str(home),
            "DO_NOT_TRACK": "1",
            "PLAUSIBLE_BASE_URL": site.url,
            "PLAUSIBLE_API_KEY": site.token,
            "KCTL_NO_UPDATE_CHECK": "1",
            "KCTL_PLAUSIBLE_PROFILE": "test",
        }

    def tools(self, *calls: tuple[str, dict[str, Any]]) -> list[Any]:
        """What the tools of the MCP server said."""
        said: list[Any] = run_with(self._installed, HERE / "mcp_tools.py", json.dumps(calls), **self._variables)
        return said

    def kctl(self, *commands: str) -> list[tuple[int, str, str]]:
        """What commands said, once a profile was made. It sends two blanks behind ``Bearer``."""
        profile = f"config init --name test --url {self.site.url} --api-key {self.site.token}"
        lines = json.dumps([command.split() for command in (profile, *commands)])
        (made, *_), *done = run_with(self._installed, HERE / "kctl.py", lines, **self._variables)
        assert made == 0
        return [(code, output, errors) for code, output, errors in done]


@pytest.fixture
def clients(site: AnalyticsServer, installed: Path, tmp_path: Path, clock: dict[str, Any]) -> Clients:
    return Clients(site, installed, tmp_path, clock)


PERIODS = [
    # period, visitors, pageviews, bounce_rate, visit_duration
    ("day", 1, 1, 100, 0),
    ("today", 1, 1, 100, 0),
    ("yesterday", 2, 3, 50, 300),
    ("7d", 3, 6, 33, 320),
    ("30d", 4, 7, 50, 240),
    ("month", 4, 7, 50, 240),
    ("6mo", 5, 8, 60, 192),
    ("12mo", 6, 9, 67, 160),
    ("2027-01-13", 1, 3, 0, 360),
    ("2027-01-13,2027-01-14", 3, 6, 33, 320),
    ("2026-04-01, 2026-04-30", 0, 0, 0, 0),
]


def test_the_mcp_server_reads_totals_of_every_period(clients: Clients) -> None:
    answers = clients.tools(*(("get_aggregate_stats", {"site_id": HOST, "date_range": name}) for name, *_ in PERIODS))
    assert [(said["date_range"], *said["totals"].values()) for said in answers] == PERIODS
    every = ["visitors", "visits", "pageviews", "events", "views_per_visit", "bounce_rate", "visit_duration"]
    (told,) = clients.tools(
        ("get_aggregate_stats", {"site_id": f"https://{HOST}/", "date_range": "7d", "metrics": every})
    )
    assert told["totals"] == dict(zip(every, (3, 3, 6, 7, 2, 33, 320), strict=True))


BREAKDOWNS: list[tuple[str, str, list[tuple[str, int]]]] = [
    # property, key in the answer, rows
    ("page", "page", [("/", 3), ("/pricing", 2), ("/blog/one", 1), ("/blog/two", 1)]),
    ("source", "source", [("Direct / None", 1), ("Google", 1), ("Hacker News", 1), ("news", 1)]),
    ("country", "country", [("US", 2), ("DE", 1)]),
    ("region", "region", [("US-CA", 1)]),
    ("city", "city", []),
    ("browser", "browser", [("Chrome", 2), ("Firefox", 1), ("Safari", 1)]),
    ("os", "os", [("Windows", 2), ("GNU/Linux", 1), ("iOS", 1)]),
    ("device", "device", [("Desktop", 3), ("Mobile", 1)]),
    ("goal", "goal", [("Signup", 1)]),
    ("event:name", "name", [("pageview", 4), ("Signup", 1)]),
    ("visit:referrer", "referrer", [("Direct / None", 2), ("Google", 1), ("Hacker News", 1)]),
    ("visit:entry_page", "entry_page", [("/", 2), ("/blog/two", 1), ("/pricing", 1)]),
    ("visit:exit_page", "exit_page", [("/", 2), ("/blog/one", 1), ("/blog/two", 1)]),
    ("visit:utm_campaign", "utm_campaign", [("spring", 1)]),
    ("visit:utm_source", "utm_source", [("news", 1)]),
]


def test_the_mcp_server_divides_visitors_by_everything(clients: Clients) -> None:
    answers = clients.tools(
        *(
            ("get_breakdown", {"site_id": HOST, "property_name": name, "date_range": "2027-01-13,2027-01-15"})
            for name, _, _ in BREAKDOWNS
        )
    )
    told = [
        [(row[key], row["visitors"]) for row in said["results"]]
        for said, (_, key, _) in zip(answers, BREAKDOWNS, strict=True)
    ]
    assert told == [rows for _, _, rows in BREAKDOWNS]


def test_the_mcp_server_reads_times(clients: Clients) -> None:
    asked = (
        {"date_range": "7d"},
        {"date_range": "today"},
        {"date_range": "month"},
        {"date_range": "6mo", "interval": "month"},
        {"date_range": "12mo", "interval": "month"},
    )
    week, today, month, half, year = (
        [(row["date"], row["visitors"]) for row in said["timeseries"]]
        for said in clients.tools(*(("get_timeseries", {"site_id": HOST, **each}) for each in asked))
    )
    # The week ends yesterday, the month at its end.
    assert week == [(f"2027-01-{day:02}", {13: 1, 14: 2}.get(day, 0)) for day in range(8, 15)]
    assert today == [("2027-01-15", 1)]
    assert month == [(f"2027-01-{day:02}", {13: 1, 14: 2, 15: 1}.get(day, 0)) for day in range(1, 32)]
    recent = [("2026-08-01", 0), ("2026-09-01", 0), ("2026-10-01", 0), ("2026-11-01", 0), ("2026-12-01", 1)]
    assert half == [*recent, ("2027-01-01", 4)]
    earlier = [("2026-02-01", 0), ("2026-03-01", 1), *((f"2026-{month:02}-01", 0) for month in range(4, 8))]
    assert year == [*earlier, *recent, ("2027-01-01", 4)]


def test_the_mcp_server_reads_who_is_there_and_which_sites_there_are(clients: Clients) -> None:
    now, health = clients.tools(("get_realtime_visitors", {"site_id": HOST}), ("doctor", {}))
    assert now["realtime_visitors"] == 0
    assert (health["status"], health["sites_accessible"], health["sample_sites"]) == ("healthy", 1, [HOST])


STOP, CHANGE = "[ENVIRONMENT_FIXABLE: STOP & ASK HUMAN]", "[INPUT_FIXABLE]"
REFUSED: list[tuple[str, dict[str, Any], str, int]] = [
    ("get_aggregate_stats", {"site_id": HOST, "token": "unknown"}, STOP, 401),
    ("doctor", {"token": "unknown"}, STOP, 401),
    # An unknown site looks like one that the key does not reach.
    ("get_aggregate_stats", {"site_id": "example.net"}, STOP, 401),
    ("get_realtime_visitors", {"site_id": "example.net"}, STOP, 401),
    ("get_aggregate_stats", {"site_id": HOST, "metrics": ["visitors", "returning"]}, CHANGE, 400),
    ("get_aggregate_stats", {"site_id": HOST, "date_range": "17d"}, CHANGE, 400),
    ("get_aggregate_stats", {"site_id": HOST, "date_range": "2027-01-14,tomorrow"}, CHANGE, 400),
    ("get_timeseries", {"site_id": HOST, "interval": "hour"}, CHANGE, 400),
    # Its own short names for these are no properties of Plausible's either.
    ("get_breakdown", {"site_id": HOST, "property_name": "landing_page"}, CHANGE, 400),
    ("get_breakdown", {"site_id": HOST, "property_name": "exit_page"}, CHANGE, 400),
    ("get_breakdown", {"site_id": HOST, "property_name": "medium"}, CHANGE, 400),
    ("get_breakdown", {"site_id": HOST, "property_name": "campaign"}, CHANGE, 400),
    ("get_breakdown", {"site_id": HOST, "property_name": "event:props:"}, CHANGE, 400),
]


def test_the_mcp_server_understands_refusals(clients: Clients) -> None:
    for said, (_, _, kind, status) in zip(
        clients.tools(*((tool, asked) for tool, asked, _, _ in REFUSED)), REFUSED, strict=True
    ):
        assert said.startswith(kind), said
        assert f"HTTP {status}" in said


def told(done: tuple[int, str, str]) -> Any:
    """The rows of a table, or whatever else a command of the tool printed as JSON."""
    code, output, errors = done
    assert (code, errors) == (0, "")
    shown = json.loads(output)
    return shown["rows"] if isinstance(shown, dict) and "rows" in shown else shown


OF_GOAL = "--metrics visitors,events,conversion_rate --filters event:goal==Signup"
OF_VISITS = "--metrics visitors,pageviews,bounce_rate,visit_duration"


def test_the_command_line_tool_reads_statistics(clients: Clients) -> None:
    month, goal, day, sources, pages, days, hours = clients.kctl(
        f"stats aggregate {HOST}",
        f"stats aggregate {HOST} --period day --date 2027-01-13 {OF_GOAL}",
        f"stats aggregate {HOST} --period day --date 2027-01-14",
        f"stats breakdown {HOST}",
        f"stats breakdown {HOST} --property event:page --period month --limit 2 --filters visit:country==US|DE",
        f"stats timeseries {HOST} --period 7d --date 2027-01-15 {OF_VISITS}",
        f"stats timeseries {HOST} --period day --date 2027-01-14",
    )
    assert told(month) == [["visitors", 4], ["pageviews", 7], ["bounce_rate", 50], ["visit_duration", 240]]
    assert told(goal) == [["visitors", 1], ["events", 1], ["conversion_rate", 100]]
    assert told(day) == [["visitors", 2], ["pageviews", 3], ["bounce_rate", 50], ["visit_duration", 300]]
    assert told(sources) == [["Direct / None", 2, 2], ["Google", 1, 3], ["news", 1, 2]]
    assert told(pages) == [["/", 3, 3], ["/pricing", 2, 2]]
    nothing = [[f"2027-01-{day:02}", 0, 0, 0, None] for day in range(8, 13)]
    assert told(days) == [*nothing, ["2027-01-13", 1, 3, 0, 360], ["2027-01-14", 2, 3, 50, 300]]
    seen = {10: [1, 2], 23: [1, 1]}
    assert told(hours) == [[f"2027-01-14 {hour:02}:00:00", *seen.get(hour, [0, 0])] for hour in range(24)]


def test_the_command_line_tool_finds_the_server_its_sites_and_who_is_there(clients: Clients) -> None:
    (healthy, _, _), sites, site, now = clients.kctl(
        "config test", "sites list", f"sites info {HOST}", f"stats realtime {HOST}"
    )
    assert healthy == 0
    assert told(sites) == [[HOST, "UTC"]]
    assert told(site) == {"domain": HOST, "timezone": "UTC"}
    assert now == (0, f"  Site: {HOST}\n  Realtime Visitors: 0\n", "")


def test_the_command_line_tool_manages_goals(clients: Clients) -> None:
    _, made, _, listed, gone, _, nothing = clients.kctl(
        f"goals create {HOST} --event-name Signup",
        f"goals create {HOST} --event-name Signup",
        f"goals create {HOST} --type page_path --page-path /blog/*",
        f"goals list {HOST}",
        f"goals delete {HOST} 1 --force",
        f"goals delete {HOST} 2 --force",
        f"goals list {HOST}",
    )
    assert made[0] == 0
    assert '"event_name": "Signup"' in made[1]
    assert told(listed) == [[1, "event", "Signup", None], [2, "page", None, "/blog/*"]]
    assert gone == (0, f"OK Goal 1 deleted from {HOST}\n", "")
    assert told(nothing) == []


def test_the_command_line_tool_exports_breakdowns(clients: Clients) -> None:
    csv, rows, none = clients.kctl(
        f"export csv {HOST} --property visit:browser --period 7d",
        f"export json {HOST} --property visit:browser_version --period day --metrics visitors",
        f"export csv {HOST} --property visit:city",
    )
    assert csv == (0, "browser,visitors,pageviews\nChrome,2,3\nFirefox,1,3\n", "")
    assert told(rows) == [{"browser_version": "18.5", "browser": "Safari", "visitors": 1}]
    assert none == (0, "INFO No data to export.\n", "")


def test_the_command_line_tool_understands_refusals(clients: Clients) -> None:
    unknown, elsewhere, nothing, *missing = clients.kctl(
        "--api-key unknown sites list",
        "stats aggregate example.net",
        f"stats breakdown {HOST} --property visit:page",
        "sites info example.net",
        "sites create example.net",
        f"sites delete {HOST} --force",
    )
    for code, _, errors in (unknown, elsewhere):
        assert code == 1
        assert "AuthenticationError: the API key is not valid" in errors
    assert nothing[0] == 1
    assert "API error (400)" in nothing[2]
    for code, _, errors in missing:
        assert code == 1
        assert "API error (404)" in errors


def test_both_see_who_is_there_until_they_ask_too_often(installed: Path, clock: dict[str, Any], tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    prepared = prepare(data, now=SITE_MADE)
    with running_server(data, "--rate-limit", "plausible:1/3600", **clock) as server:
        asked = AnalyticsServer(server, prepared)
        clients = Clients(asked, installed, tmp_path, clock)
        assert asked.pixel(p="/").status == 200
        first, second = clients.tools(*[("get_realtime_visitors", {"site_id": HOST})] * 2)
        ((code, _, errors),) = clients.kctl(f"stats realtime {HOST}")
    assert first["realtime_visitors"] == 1
    assert second == "[TRANSIENT] Plausible API rate limit reached (HTTP 429). Retry after a short backoff."
    assert code == 1
    assert "API error (429)" in errors


def test_airbyte_reads_every_day(site: AnalyticsServer, airbyte_installed: Path, clock: dict[str, Any]) -> None:
    config = {"api_url": f"{site.url}/api/v1/stats", "api_key": site.token, "site_id": HOST}
    calls = [
        ("check", config),
        ("check", {**config, "api_key": "unknown"}),
        ("check", {**config, "site_id": "example.net"}),
        ("check", {**config, "start_date": "2027-02-01"}),
        ("discover", config),
        ("read", {**config, "start_date": "2027-01-10"}),
    ]
    found, unknown, elsewhere, (later,), catalog, messages = run_with(
        airbyte_installed, HERE / "airbyte.py", json.dumps(calls), **clock
    )
    assert found == [{"status": "SUCCEEDED", "message": None}]
    for (refused,) in (unknown, elsewhere):
        assert refused["status"] == "FAILED"
        assert "failed with status code 401 and error message the API key is not valid" in refused["message"]
    assert later["status"] == "FAILED"
    assert "status code 400 and error message date: 2027-02-01 is after 2027-01-15" in later["message"]
    stream = catalog[0]["catalog"]["streams"][0]
    records = [message["record"]["data"] for message in messages if message["type"] == "RECORD"]
    figures = ("visitors", "visits", "pageviews", "bounce_rate", "visit_duration")
    assert [set(record) for record in records] == [set(stream["json_schema"]["properties"])] * 6
    assert [(record["date"], *(record[name] for name in figures)) for record in records] == [
        ("2027-01-10", 0, 0, 0, 0, None),
        ("2027-01-11", 0, 0, 0, 0, None),
        ("2027-01-12", 0, 0, 0, 0, None),
        ("2027-01-13", 1, 1, 3, 0, 360),
        ("2027-01-14", 2, 2, 3, 50, 300),
        ("2027-01-15", 1, 1, 1, 100, 0),
    ]


def test_airbytes_usual_question_is_answered_with_all_days_since_2019(site: AnalyticsServer) -> None:
    """Asked as the connector asks without a start date; it takes the connector 6 ms a day to read the answer."""
    metrics = "visitors,pageviews,bounce_rate,visit_duration,visits"
    answer = site.server.get(
        f"/api/v1/stats/timeseries?site_id={HOST}&period=custom&metrics={metrics}&date=2019-01-01,2027-01-15",
        headers={"authorization": f"Bearer {site.token}"},
    )
    days = answer.json()["results"]
    # Eight years, two of them leap years, and fifteen days.
    assert (len(days), days[0]["date"], days[-1]["date"]) == (8 * 365 + 2 + 15, "2019-01-01", "2027-01-15")
    assert [sum(day[name] for day in days) for name in ("visitors", "visits", "pageviews")] == [6, 6, 9]
