"""PyPI ``plausible-events`` 0.1.0, unmodified, and a running server: a program tells pageviews and events."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.analytics import FIREFOX, HOST, AnalyticsServer, analytics_server
from support.asking import ask
from support.published import INSTALLED_WITHIN_S, installed_packages, run_with
from support.warehouses import opened_warehouse, rows
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE

pytestmark = pytest.mark.timeout(INSTALLED_WITHIN_S + 100)

HERE = Path(__file__).parent / "plausible_python"
COLUMNS = "event, bot, host, utm_source, utm_medium, session"


@pytest.fixture(scope="module")
def installed(request: pytest.FixtureRequest) -> Path:
    return installed_packages(request.config, HERE / "events.txt")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AnalyticsServer]:
    with analytics_server(tmp_path / "data", "--trusted-proxy", "127.0.0.1") as running:
        yield running


def tell(server: AnalyticsServer, installed: Path, *calls: tuple[str, dict[str, Any]], **headers: str) -> list[str]:
    """What the program says at its end: that it could tell everything, or nothing."""
    arguments = (f"{server.url}/api/event", f"www.{HOST}", json.dumps(headers), json.dumps(calls))
    told: list[str] = run_with(installed, HERE / "events.py", *arguments)
    return told


def stored(server: AnalyticsServer) -> list[tuple[Any, ...]]:
    async def read() -> list[tuple[Any, ...]]:
        async with opened_warehouse(server.server.data / WAREHOUSE_FILE) as warehouse:
            return await rows(warehouse, COLUMNS)

    return asyncio.run(read())


CALLS: list[tuple[str, dict[str, Any]]] = [
    ("pageview", {"path": "/login/user"}),
    ("pageview", {"path": "/letter", "utm": {"source": "news", "medium": "email"}}),
    ("event", {"name": "my event", "props": {"os": "mac", "var": 1}}),
    ("event", {"name": "my event", "headers": {"X-Forwarded-For": "198.51.100.8"}}),
]


def test_a_program_tells_what_its_visitors_do(server: AnalyticsServer, installed: Path) -> None:
    assert tell(server, installed, *CALLS, **{"User-Agent": FIREFOX}) == ["all"]
    # Without a browser's User-Agent it is a program.
    assert tell(server, installed, CALLS[0]) == ["all"]
    query = {"site_id": HOST, "metrics": ["visitors", "events"], "date_range": "all", "dimensions": ["event:name"]}
    answer = ask(
        server.url,
        "/api/v2/query",
        method="POST",
        headers={"authorization": f"Bearer {server.token}"},
        body=json.dumps(query).encode(),
    )
    assert answer.json()["results"] == [
        {"dimensions": ["my event"], "metrics": [2, 2]},
        {"dimensions": ["pageview"], "metrics": [1, 2]},
    ]
    assert server.server.stop() == 0
    people = [hit for hit in stored(server) if not hit[1]]
    assert [hit[:5] for hit in people] == [
        (False, 0, "localhost", "", ""),
        (False, 0, "localhost", "news", "email"),
        (True, 0, "localhost", "", ""),
        (True, 0, "localhost", "", ""),
    ]
    assert sorted(Counter(session for *_, session in people).values()) == [1, 3]
    assert len(stored(server)) == 5
