"""The guide to questions is true: commands print what it shows, names and definitions are those in force."""

import datetime as dt
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from support.analytics import CHROME, FIREFOX, HOST, analytics_server
from support.commands import CommandLine
from tallystick.cli.support.overview import METRICS
from tallystick.cli.support.query_body import COMPARISONS
from tallystick.cli.support.query_cells import title_of
from tallystick.client import GoatCounter
from tallystick.client.goatcounter_answers import Hit
from tallystick.model.dimension_names import DIMENSIONS, GOAL, OTHER_NAMES, TIMES
from tallystick.model.filter_text import OPERATORS, parse_filter
from tallystick.model.metrics import DEFINITIONS
from tallystick.model.named_period import NAMES

GUIDE = (Path(__file__).parents[2] / "docs" / "questions.md").read_text("utf-8")
REFERRERS = ("https://www.google.com/", "https://news.ycombinator.com/item?id=1", "https://example.org/links", "", "")
PAGES = ("/", "/", "/pricing", "/docs", "/blog/hello")
FIRST, DAYS, VISITS = dt.date(2026, 2, 1), 59, 240


def a_visit(number: int, random: Random) -> Iterator[Hit]:
    """Some pages, and perhaps a signup."""
    day = FIRST + dt.timedelta(days=int(DAYS * random.random() ** 0.8))
    at = dt.datetime.combine(day, dt.time(random.randrange(6, 22), random.randrange(60)), dt.UTC)
    common: dict[str, Any] = {
        "user_agent": random.choice((FIREFOX, CHROME)),
        "session": str(number),
        "location": random.choice(("NL", "DE", "US")),
        "size": random.choice(("390", "1920")),
    }
    referrer = random.choice(REFERRERS)
    for _ in range(random.choice((1, 1, 2, 3, 5))):
        yield Hit(path=random.choice(PAGES), ref=referrer, created_at=at, **common)
        referrer, at = "", at + dt.timedelta(seconds=random.randrange(10, 300))
    if random.random() < 0.1:
        yield Hit(path="Signup", event=True, created_at=at, **common)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with visits of February and March 2026."""
    folder, random = tmp_path_factory.mktemp("guide") / "data", Random(12)  # made-up data
    hits = [hit for number in range(VISITS) for hit in a_visit(number, random)]
    with analytics_server(folder, host=HOST) as server, GoatCounter(server.url, server.token) as api:
        assert api.count(hits).errors == {}
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(monkeypatch, capsys)


SHOWN = re.findall(r"```sh\ntallystick ((?:query|funnel show) [^\n]+)\n```\n\n```text\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize(("command", "printed"), SHOWN)
def test_a_command_prints_what_the_guide_shows(run: CommandLine, data: Path, command: str, printed: str) -> None:
    assert run(*shlex.split(command), "--data", data).succeeded() == printed


def test_examples_are_looked_at() -> None:
    assert len(SHOWN) >= 4


def section(title: str) -> str:
    return GUIDE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_the_definitions_are_those_of_the_metrics() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", section("Metrics"), re.MULTILINE)
    assert dict(rows) == {metric.value: text for metric, text in DEFINITIONS.items()}


def test_the_names_are_those_that_are_known() -> None:
    rows = re.findall(r"^\| ((?:`[a-z ]+`(?:, )?)+) \|", section("Dimensions"), re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row)} == {*DIMENSIONS, GOAL, *TIMES}
    others = re.findall(r"`([a-z ]+)` is also `([a-z ]+)`", " ".join(section("Dimensions").split()))
    assert {other: name for name, other in others} == {
        other: name for other, name in OTHER_NAMES.items() if other not in {"hostname", "hour of day"}
    }


def test_every_filter_is_understood() -> None:
    text = section("Filters")
    filters = re.findall(r"^\| `([^`]+)`", text, re.MULTILINE) + re.findall(r"^    (.+)$", text, re.MULTILINE)
    filters += re.findall(r'--filter "([^"]+)"', GUIDE)
    assert len(filters) >= 12
    parsed = str([parse_filter(filter_) for filter_ in filters])
    assert {wire for wire in OPERATORS.values() if f"'{wire}'" not in parsed} == set()
    assert all(f"'{word}'" in parsed for word in ("and", "or", "not", "has_done", "has_not_done"))


def test_bots_are_asked_about_and_brought_back_as_the_guide_says(run: CommandLine, data: Path) -> None:
    commands = re.findall(r"^tallystick (.+)$", section("Hits taken for bots"), re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        assert run(*shlex.split(command), "--data", data).code == 0, command


def test_every_period_is_named() -> None:
    told = set(re.findall(r"`(\w+)`", section("Periods and comparisons")))
    assert {*NAMES, *COMPARISONS} <= told


def test_the_overview_has_these_rows() -> None:
    (overview,) = re.findall(r"```sh\ntallystick stats\n```\n\n```text\n(.*?)```", GUIDE, re.DOTALL)
    assert [title_of(name) for name in METRICS] == re.findall(r"^(\w[\w ]+?)  +\d", overview, re.MULTILINE)[
        : len(METRICS)
    ]
