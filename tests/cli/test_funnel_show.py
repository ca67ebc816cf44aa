"""``tallystick funnel show``: the same answers from a running server and from its data."""

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.analytics import FIREFOX, HOST, AnalyticsServer, analytics_server
from support.commands import CommandLine
from tallystick.client import GoatCounter
from tallystick.client.goatcounter_answers import Hit

GOOGLE = "https://www.google.com/"
MAY = ("--period", "2024-05-01,2024-05-31")
STEPS = ("--step", "/shop/*", "--step", "/cart", "--step", "Purchase")
STRANGE = "=1+1\u202e"


def hits() -> list[Hit]:
    """Four visits of May 2024: one buys, one leaves from the cart, two from the shop."""
    visits: dict[str, list[tuple[int, str]]] = {
        "a": [(0, "/shop/tea"), (1, "/cart"), (6, "Purchase")],
        "b": [(0, "/shop/mugs"), (3, "/cart"), (4, STRANGE)],
        "c": [(0, "/shop/tea"), (1, "/about")],
        "d": [(0, "/shop/tea")],
    }
    return [
        Hit(
            path=path,
            event=not path.startswith("/"),
            session=session,
            ref=GOOGLE if session in "ab" else "",
            created_at=dt.datetime(2024, 5, 6, 12, minute, tzinfo=dt.UTC),
            user_agent=FIREFOX,
        )
        for session, listed in visits.items()
        for minute, path in listed
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsServer]:
    with analytics_server(tmp_path_factory.mktemp("funnel") / "data", host=HOST) as running:
        with GoatCounter(running.url, running.token, headers={"host": HOST}) as api:
            assert api.count(hits()).errors == {}
        yield running


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("funnel") / "data"
    with analytics_server(folder, host=HOST) as running, GoatCounter(running.url, running.token) as api:
        assert api.count(hits()).errors == {}
    return folder


@pytest.fixture(params=["data", "url", "beside"])
def told(request: pytest.FixtureRequest, run: CommandLine) -> Callable[..., str]:
    """What the command prints: from data that no server uses, from a running server, or beside it."""
    options: tuple[str, ...]
    if request.param == "data":
        options, variables = ("--data", str(request.getfixturevalue("data"))), dict[str, str]()
    elif request.param == "url":
        running: AnalyticsServer = request.getfixturevalue("server")
        options, variables = ("--url", running.url, "--site", HOST), {"TALLYSTICK_TOKEN": running.token}
    else:
        options, variables = ("--data", str(request.getfixturevalue("server").server.data)), {}

    def show(*arguments: str) -> str:
        return run("funnel", "show", *arguments, *options, variables=variables).succeeded()

    return show


TABLE = """\
2024-05-01 to 2024-05-31: 4 visits, 100 % of them took the first step

Step         Visits  Of first  Of previous  Dropped  Median time  Average time
───────────  ──────  ────────  ───────────  ───────  ───────────  ────────────
1. /shop/*        4   100.0 %            -        2            -             -
2. /cart          2    50.0 %       50.0 %        1       2m 00s        2m 00s
3. Purchase       1    25.0 %       50.0 %        0       5m 00s        5m 00s

After /shop/*  Visits
─────────────  ──────
/about              1
(exit)              1

After /cart  Visits
───────────  ──────
=1+1�             1
(exit)            0
"""

CSV = f"""\
step,optional,visits,of_first,of_previous,dropped,median_seconds,average_seconds,left_to,left_to_visits
/shop/*,false,4,100.0,,2,,,,
/shop/*,,,,,,,,/about,1
/shop/*,,,,,,,,(exit),1
/cart,false,2,50.0,50.0,1,120.0,120.0,,
/cart,,,,,,,,'{STRANGE},1
Purchase,false,1,25.0,50.0,0,300.0,300.0,,
"""


def test_every_form(told: Callable[..., str]) -> None:
    assert told(*STEPS, *MAY, "--left-to") == TABLE
    assert told(*STEPS, *MAY, "--left-to", "--format", "csv") == CSV
    answer = json.loads(told(*STEPS, *MAY, "--format", "json"))
    assert [step["visits"] for step in answer["results"]["steps"]] == [4, 2, 1]
    assert "left_to" not in answer["results"]["steps"][0]
    short = told(*STEPS, *MAY, "--format", "csv", "--filter", "source is Google", "--strict").splitlines()
    assert short[1:] == [
        "/shop/*,false,2,100.0,,0,,",
        "/cart,false,2,100.0,100.0,1,120.0,120.0",
        "Purchase,false,1,50.0,50.0,0,300.0,300.0",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give the id or the name of a funnel, or its steps with --step"),
        (("Buys", *STEPS), "give the id or the name of a funnel, or its steps with --step"),
        (("Buys", "--strict"), "--strict goes with --step"),
        (("Buys",), "the site has no funnel 'Buys'"),
        (("7",), "the site has no funnel 7"),
        (("--step", "/a"), "a funnel has 2 to 8 steps; this one has 1"),
        ((*STEPS, "--period", "never"), "--period: "),
        ((*STEPS, "--filter", "source was x"), "--filter: "),
    ],
)
def test_what_is_refused(run: CommandLine, data: Path, arguments: tuple[str, ...], said: str) -> None:
    assert said in run("funnel", "show", *arguments, "--data", str(data)).refused()
