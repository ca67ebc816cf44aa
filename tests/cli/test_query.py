"""``tallystick query`` and the overview of ``stats``: the same answers from a running server and from its data."""

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.analytics import CHROME, FIREFOX, HOST, AnalyticsServer, analytics_server
from support.commands import CommandLine
from tallystick.cli.support.aligned import print_aligned
from tallystick.cli.support.query_cells import change_text, figure_text, title_of, value_text
from tallystick.cli.support.query_forms import span
from tallystick.client import GoatCounter
from tallystick.client.goatcounter_answers import Hit

GOOGLE = "https://www.google.com/"
MAY = ("--period", "2024-05-01,2024-05-31")


def at(day: int, minute: int = 0) -> dt.datetime:
    return dt.datetime(2024, 5, day, 12, minute, tzinfo=dt.UTC)


def hits() -> list[Hit]:
    """Five visits of May 2024, one of April; one of a bot."""
    return [
        Hit(path="/", session="a", ref=GOOGLE, created_at=at(6), user_agent=FIREFOX, location="NL"),
        Hit(path="/blog", session="a", created_at=at(6, 2), user_agent=FIREFOX, location="NL"),
        Hit(path="/", session="b", ref=GOOGLE, created_at=at(7), user_agent=CHROME, size="390"),
        Hit(path="/blog", session="c", created_at=at(7), user_agent=CHROME, query="utm_campaign=%3D1%2B1%2C%22x%22"),
        Hit(path="Signup", event=True, session="c", created_at=at(7, 5), user_agent=CHROME),
        Hit(path="/", session="d", created_at=at(10), user_agent=CHROME),
        Hit(path="/docs", session="e", ref=GOOGLE, created_at=at(31), user_agent=FIREFOX),
        Hit(path="/", session="f", ref=GOOGLE, created_at=at(6) - dt.timedelta(days=30), user_agent=FIREFOX),
        Hit(path="/", session="g", created_at=at(6), user_agent=FIREFOX, bot=5),
    ]


TODAY = dt.datetime.now(dt.UTC)


def recent_hits() -> list[Hit]:
    """A visit of now, one of three days ago, one of ten days ago."""
    days = ((0, "", ("/now", "/a")), (3, GOOGLE, ("/a", "/b")), (10, "", ("/a",)))
    return [
        Hit(
            path=path, session=f"{ago} days ago", ref=ref, created_at=TODAY - dt.timedelta(days=ago), user_agent=FIREFOX
        )
        for ago, ref, paths in days
        for path in paths
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsServer]:
    with analytics_server(tmp_path_factory.mktemp("query") / "data", host=HOST) as running:
        with GoatCounter(running.url, running.token, headers={"host": HOST}) as api:
            assert api.count(hits() + recent_hits()).errors == {}
        yield running


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("query") / "data"
    with analytics_server(folder, host=HOST) as running, GoatCounter(running.url, running.token) as api:
        assert api.count(hits() + recent_hits()).errors == {}
    return folder


@pytest.fixture(params=["data", "site", "url", "beside"])
def told(request: pytest.FixtureRequest, run: CommandLine) -> Callable[..., str]:
    """What a command prints: from data that no server uses, from a running server, named in two ways, or beside it."""
    options: tuple[str, ...]
    if request.param == "data":
        options, variables = ("--data", str(request.getfixturevalue("data"))), dict[str, str]()
    else:
        running: AnalyticsServer = request.getfixturevalue("server")
        variables = {"TALLYSTICK_TOKEN": running.token}
        if request.param == "beside":
            return lambda *command: run(*command, "--data", str(running.server.data)).succeeded()
        options = ("--site", running.url) if request.param == "site" else ("--url", running.url, "--site", HOST)
    return lambda *command: run(*command, *options, variables=variables).succeeded()


QUESTIONS: dict[tuple[str, ...], str] = {
    (*MAY,): """\
2024-05-01 to 2024-05-31

Visitors  Pageviews
────────  ─────────
       5          6
""",
    ("--by", "source", "--metrics", "visitors, views per visit,bounce-rate,visit_duration,percentage", *MAY): """\
2024-05-01 to 2024-05-31

Source         Visitors  Views per visit  Bounce rate  Visit duration  Percentage
─────────────  ────────  ───────────────  ───────────  ──────────────  ──────────
Google                3             1.33         67 %             40s        60 %
Direct / None         2             1.00         50 %          2m 30s        40 %
""",
    ("--by", "day", "--compare", "previous", "--metrics", "visitors", "--period", "2024-05-06,2024-05-07"): """\
2024-05-06 to 2024-05-07, compared with 2024-05-04 to 2024-05-05

Day         Compared with  Visitors  Before  Change
──────────  ─────────────  ────────  ──────  ──────
2024-05-06  2024-05-04            1       0     new
2024-05-07  2024-05-05            2       0     new
""",
    (
        "--by",
        "day",
        "--compare",
        "2024-04-06,2024-04-08",
        "--metrics",
        "visitors",
        "--period",
        "2024-05-06,2024-05-07",
    ): """\
2024-05-06 to 2024-05-07, compared with 2024-04-06 to 2024-04-08

Day         Compared with  Visitors  Before  Change
──────────  ─────────────  ────────  ──────  ──────
2024-05-06  2024-04-06            1       1     0 %
2024-05-07  2024-04-07            2       0     new
""",
    ("--by", "day", "--compare", "2024-04-05,2024-04-08", "--metrics", "visitors", "--period", "2024-05-07"): """\
2024-05-07, compared with 2024-04-05 to 2024-04-08

Day         Compared with  Visitors  Before  Change
──────────  ─────────────  ────────  ──────  ──────
2024-05-07  2024-04-05            2       0     new
-           2024-04-06            0       1       -
""",
    (
        *("--by", "day,source", "--compare", "2024-04-06", "--metrics", "visitors", "--format", "csv"),
        *("--period", "2024-05-06,2024-05-07"),
    ): """\
day,day_before,source,visitors,visitors_before,visitors_change
2024-05-06,2024-04-06,Google,1,1,0
2024-05-07,,Direct / None,1,,
2024-05-07,,Google,1,,
""",
    ("--compare", "2024-04-01,2024-04-30", "--metrics", "visitors,bounce_rate", *MAY): """\
2024-05-01 to 2024-05-31, compared with 2024-04-01 to 2024-04-30

Visitors  Before  Change  Bounce rate  Before      Change
────────  ──────  ──────  ───────────  ──────  ──────────
       5       1  +400 %         60 %   100 %  -40 points
""",
    (
        "--by",
        "weekday,hour of the day",
        "--metrics",
        "visitors",
        "--order",
        "-visitors,weekday",
        "--limit",
        "2",
        *MAY,
    ): """\
2024-05-01 to 2024-05-31

Weekday  Hour of the day  Visitors
───────  ───────────────  ────────
Tuesday  12:00                   2
Friday   12:00                   2
""",
    (
        *("--by", "page", "--metrics", "visitors", "--filter", "source is Google", "--filter", "page is /, /docs"),
        *("--filter", "has not done (page is /blog)", "--timezone", "Europe/Amsterdam", "--offset", "1", *MAY),
    ): """\
2024-05-01 to 2024-05-31

Page   Visitors
─────  ────────
/docs         1
""",
    ("--bots", "--by", "bot", *MAY): """\
2024-05-01 to 2024-05-31

Bot    Events
─────  ──────
known       1
""",
    (
        *("--by", "goal", "--metrics", "visitors,conversion_rate", *MAY),
        *("--filter", 'goal is Signup and (source is "" and not (country is AT))'),
    ): """\
2024-05-01 to 2024-05-31

Goal    Visitors  Conversion rate
──────  ────────  ───────────────
Signup         1             50 %
""",
    ("--by", "prop:The plan,goal", "--metrics", "events", "--filter", 'prop:"The plan" is ""', *MAY): """\
2024-05-01 to 2024-05-31

prop:The plan  Goal    Events
─────────────  ──────  ──────
(none)         Signup       1
""",
    ("--by", "campaign,country", "--format", "csv", "--compare", "year", *MAY): """\
campaign,country,visitors,visitors_before,visitors_change,pageviews,pageviews_before,pageviews_change
(not set),,3,0,100,3,0,100
(not set),NL,1,0,100,2,0,100
"'=1+1,""x""\",,1,0,100,1,0,100
""",
}


@pytest.mark.parametrize("options", QUESTIONS)
def test_an_answer(told: Callable[..., str], options: tuple[str, ...]) -> None:
    assert told("query", *options) == QUESTIONS[options]


def test_json_is_the_answer_of_the_api(told: Callable[..., str]) -> None:
    answer = json.loads(told("query", "--by", "source", "--format", "json", "--limit", "1", *MAY))
    assert answer["results"] == [{"dimensions": ["Google"], "metrics": [3, 4]}]
    assert answer["meta"]["total_rows"] == 2
    assert answer["query"]["date_range"] == ["2024-05-01T00:00:00+00:00", "2024-05-31T23:59:59+00:00"]


def test_rows_that_are_not_shown_are_told(run: CommandLine, data: Path) -> None:
    ran = run("query", "--by", "source", "--limit", "1", *MAY, "--data", data)
    assert ran.err == "1 of 2 rows; --limit and --offset show others\n"
    assert run("query", "--by", "source", *MAY, "--data", data).err == ""


def test_figures_that_are_not_exact_are_told(run: CommandLine, tmp_path: Path) -> None:
    with analytics_server(tmp_path / "data", host=HOST) as running, GoatCounter(running.url, running.token) as api:
        api.count([Hit(path="/", created_at=at(6))], no_sessions=True)
    ran = run("query", *MAY, "--data", tmp_path / "data")
    assert ran.err.startswith("Some hits have no session.")
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--metrics", "visitor"), '--metrics: there is no "visitor": did you mean "visitors"?'),
        (("--metrics", ","), "--metrics needs at least one metric"),
        (("--by", "sorce"), '--by: there is no "sorce": did you mean "source"?'),
        (("--filter", "sorce is a"), '--filter: character 1: there is no "sorce": did you mean "source"?'),
        (("--filter", "page is"), '--filter: character 8 (the end): expected a value after "is"'),
        (("--period", "week"), "--period: 'week' is not a period. It accepts 7d, 6mo, day, 24h, month, year, all,"),
        (("--period", "2026-02-30"), "--period: "),
        (("--period", "2026-02-02,2026-02-01"), "--period: 2026-02-02 is after 2026-02-01. It accepts"),
        (("--compare", "before"), "--compare accepts previous, year, or the first and the last day with a comma"),
        (("--compare", "2026-02-02,2026-02-01"), "--compare: 2026-02-02 is after 2026-02-01."),
        (("--same-weekdays",), "--same-weekdays needs --compare"),
        (("--order", "-pagevews"), '--order: there is no "pagevews": '),
        (("--by", "page", "--order", "source"), 'order_by: "visit:source" is not among the metrics and dimensions'),
        (("--metrics", "visits,visits"), "#/metrics/1: "),
        (("--metrics", "bounce rate", "--by", "event"), "the metric bounce_rate is of visits, and cannot"),
        (("--timezone", "Mars"), "#/timezone: "),
        (("--limit", "0"), "invalid value for --limit: it accepts whole numbers from 1 to 10000, not '0'"),
        (("--format", "xml"), 'invalid value "xml" for --format.'),
        (("--site", "nowhere.example.com"), "there is no site nowhere.example.com"),
        (("--url", "http://127.0.0.1:1", "--site", "http://127.0.0.1:1"), "the URL of the server is given twice"),
        (("--url", "http://127.0.0.1:1"), "TALLYSTICK_TOKEN must be set to an API token with the permission stats"),
    ],
)
def test_what_makes_no_sense_is_refused(run: CommandLine, data: Path, options: tuple[str, ...], reason: str) -> None:
    assert run("query", *options, "--data", data).refused().startswith(reason)


def test_what_the_server_refuses_is_told(run: CommandLine, server: AnalyticsServer) -> None:
    command = ("query", "--url", server.url)
    secret = {"TALLYSTICK_TOKEN": server.token}
    refused = run(*command, "--site", "nowhere.example.com", variables=secret).refused()
    assert refused.startswith(f"{server.url}: 401 the API key is not valid for this: ")
    refused = run(*command, "--by", "page", "--order", "source", variables=secret).refused()
    assert refused.startswith(f'{server.url}: 400 order_by: "visit:source" is not among')


def test_a_terminal_obeys_no_character_of_a_path() -> None:
    assert value_text("event:page", "/a\x1b[31m\r\n/b") == "/a\ufffd[31m\ufffd\ufffd/b"
    assert value_text("event:page", "/\u202egnp.a\u2028\x9b\udc80") == "/\ufffdgnp.a\ufffd\ufffd\ufffd"
    assert (
        value_text("event:page", "/10\u00a0\u20ac \U0001f469\u200d\U0001f4bb")
        == "/10\u00a0\u20ac \U0001f469\u200d\U0001f4bb"
    )


# The overview of stats.

OVERVIEW = """\
Today until now is compared with yesterday until then, the days before today with as many before them.

                 Today  Change  7 days       Change  28 days  Change
───────────────  ─────  ──────  ──────  ───────────  ───────  ──────
Visitors             1     new       1          0 %        2     new
Visits               1     new       1          0 %        2     new
Pageviews            2     new       2       +100 %        3     new
Views per visit   2.00     new    2.00       +100 %     1.50     new
Bounce rate        0 %       -     0 %  -100 points     50 %       -
Visit duration      0s     0 %      0s          0 %       0s     0 %

Top pages, 28 days  Visitors
──────────────────  ────────
/a                         2
/b                         1

Top sources, 28 days  Visitors
────────────────────  ────────
Direct / None                1
Google                       1
"""


@pytest.mark.parametrize("told", ["data", "site"], indirect=True)
def test_stats_begin_with_an_overview(told: Callable[..., str]) -> None:
    assert told("stats") == OVERVIEW
    assert told("stats", "--limit", "1").splitlines()[-5:] == [
        *("/a                         2", "", "Top sources, 28 days  Visitors"),
        *("────────────────────  ────────", "Direct / None                1"),
    ]


@pytest.mark.parametrize("told", ["data", "site"], indirect=True)
def test_stats_with_a_first_day_are_days(told: Callable[..., str]) -> None:
    days = ("--start", "2024-05-06", "--end", "2024-05-07")
    assert told("stats", *days) == told("stats", "days", *days) == "2024-05-06\t2\n2024-05-07\t3\ntotal\t5\n"


# Texts.


@pytest.mark.parametrize(
    ("metric", "figure", "text"),
    [
        ("visitors", 0, "0"),
        ("visitors", 1234567, "1,234,567"),
        ("bounce_rate", 41, "41 %"),
        ("percentage", 12.5, "12.5 %"),
        ("exit_rate", 7, "7 %"),
        ("views_per_visit", 2, "2.00"),
        ("visit_duration", 5, "5s"),
        ("visit_duration", 125, "2m 05s"),
        ("visit_duration", 3_600, "1h 00m"),
        ("visit_duration", None, "-"),
    ],
)
def test_a_figure(metric: str, figure: float | None, text: str) -> None:
    assert figure_text(metric, figure) == text


@pytest.mark.parametrize(
    ("metric", "change", "before", "text"),
    [
        ("visitors", 1200, 3, "+1,200 %"),
        ("visitors", -3, 3, "-3 %"),
        ("visitors", 0, 0, "0 %"),
        ("visitors", 100, 0, "new"),
        ("visitors", None, 0, "-"),
        ("bounce_rate", -3, 40, "-3 points"),
        ("percentage", 0.5, 1, "+0.5 points"),
    ],
)
def test_a_change(metric: str, change: float | None, before: float, text: str) -> None:
    assert change_text(metric, change, before) == text


def test_values_and_titles() -> None:
    assert value_text("time:weekday", 7) == "Sunday"
    assert value_text("time:hour_of_day", 9) == "09:00"
    assert value_text("visit:country", "") == "-"
    assert title_of("views_per_visit") == "Views per visit"


def test_a_period_is_shown_as_days_or_as_moments() -> None:
    first, last = at(6), at(6, 5)
    assert span(first, last) == "2024-05-06 12:00:00 to 2024-05-06 12:05:00"
    whole = first.replace(hour=0), first.replace(hour=23, minute=59, second=59)
    assert span(*whole) == "2024-05-06"


def test_wide_letters_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_aligned(("Page", "N"), [("/日本", "1"), ("/a", "20")], {1})
    assert capsys.readouterr().out == "Page    N\n─────  ──\n/日本   1\n/a     20\n"


def test_a_narrow_terminal_gets_a_cell_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "8")
    print_aligned(("Page", "N"), [("/long", "1"), ("/a", "20")], {1})
    assert capsys.readouterr().out == "Page  /long\nN     1\n\nPage  /a\nN     20\n"
