"""kill -9 while hits are moved or visits are computed leaves every visit as its hits say."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from questions import oracle
from support.analytics import FIREFOX, HOST, Prepared, prepare
from support.server import FREE_PORT, RunningServer, running_server
from support.warehouses import NOW, opened_warehouse
from tallystick.model.dimensions import CHANNEL, ENTRY_PAGE, EXIT_PAGE, NEXT_PAGE, PAGE, SOURCE
from tallystick.model.dimensions import HOST as HOST_NAME
from tallystick.model.metrics import Metric
from tallystick.model.period import DAY_S, period
from tallystick.model.question import AllOf, Answer, Grouping, HasDone, Match, Question, TimeUnit
from tallystick.services.analytics.questions import ask
from tallystick.warehouse import WarehouseSession, warehouse_storage
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE

ROUNDS, CLIENTS, VISITORS, PAGES = 6, 6, 40, 12
ZONE = ZoneInfo("Europe/Berlin")
PROXY = "127.0.0.1"
SOURCES = ("", "https://www.google.com/", "https://news.example/today")
TOTALS = (
    *(Metric.VISITORS, Metric.PAGEVIEWS, Metric.EVENTS, Metric.COUNT, Metric.VIEWS_PER_VISIT, Metric.BOUNCE_RATE),
    *(Metric.VISIT_DURATION, Metric.PERCENTAGE),
)
ASKED: tuple[tuple[tuple[Metric, ...], tuple[Grouping, ...]], ...] = (
    (TOTALS, ()),
    (TOTALS, (SOURCE, CHANNEL)),
    ((*TOTALS, Metric.EXIT_RATE), (PAGE,)),
    ((Metric.VISITORS, Metric.PAGEVIEWS), (TimeUnit.MINUTE,)),
    ((Metric.VISITORS, Metric.BOUNCE_RATE), (ENTRY_PAGE, EXIT_PAGE)),
    ((Metric.PAGEVIEWS,), (NEXT_PAGE, HOST_NAME)),
)


async def look_until_killed(server: RunningServer, prepared: Prepared, after: int) -> int:
    """Visitors look at pages, and reads make the hits be moved all the time; the server is killed after some hits.

    Returns the number of hits that were acknowledged.
    """
    acknowledged = 0

    async def one() -> None:
        nonlocal acknowledged
        async with httpx.AsyncClient(base_url=server.url, headers={"host": HOST, "user-agent": FIREFOX}) as client:
            while True:
                page, event = f"/{random.randrange(PAGES)}", random.random() < 0.1
                sent = {"p": "Click" if event else page, "e": str(event).lower(), "r": random.choice(SOURCES)}
                visitor = {"x-forwarded-for": f"192.0.2.{random.randrange(VISITORS)}"}
                assert (await client.get("/count", params=sent, headers=visitor)).status_code == 200
                acknowledged += 1
                if acknowledged == after:
                    server.process.kill()

    async def read() -> None:
        asks = {"host": HOST, "authorization": f"Bearer {prepared.token}"}
        async with httpx.AsyncClient(base_url=server.url, headers=asks) as client:
            while True:
                assert (await client.get("/api/v0/stats/total")).status_code == 200

    ended = await asyncio.gather(read(), *(one() for _ in range(CLIENTS)), return_exceptions=True)
    assert all(isinstance(error, httpx.TransportError) for error in ended), ended
    return acknowledged


def all_rows(session: WarehouseSession) -> list[dict[str, Any]]:
    assert isinstance(session, DuckDbSession)
    found = session.connection.execute("SELECT * FROM hit")
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def figures(answer: Answer) -> dict[Any, Any]:
    return {row.values: rounded(row.figures) for row in answer.rows}


def rounded(each: Sequence[Any]) -> list[Any]:
    return [round(figure, 6) if isinstance(figure, float) else figure for figure in each]


async def check_answers(data: Path, site: int, acknowledged: int) -> None:
    """Questions have the answers that the rows of ``hit`` give, and visits have gone on after kills."""
    async with opened_warehouse(data / WAREHOUSE_FILE) as warehouse:
        rows = await warehouse.read(all_rows)
        newest = max(row["created"] for row in rows)
        span = period(newest - DAY_S, newest + DAY_S, ZONE)
        page = Match(dimension=PAGE, values=(rows[0]["path"],))
        for condition in (AllOf(()), page, HasDone(page), Match(dimension=SOURCE, values=("",))):
            for metrics, dimensions in ASKED:
                question = Question(
                    sites=(site,), period=span, metrics=metrics, dimensions=dimensions, condition=condition
                )
                found = figures(await warehouse.read(ask, question))
                expected = oracle.answer(rows, question, ZONE)
                assert found == {values: rounded(each) for values, each in expected.items()}, question
    assert len({row["session"] for row in rows}) == VISITORS
    # What was not acknowledged may be there: at most one request of each client a round.
    assert acknowledged <= len(rows) <= acknowledged + ROUNDS * CLIENTS


@pytest.mark.timeout(400)
def test_over_some_rounds(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    prepared = prepare(data)
    acknowledged = 0
    for _ in range(ROUNDS):
        with running_server(data, "--rate-limit", "off", "--trusted-proxy", PROXY) as server:
            acknowledged += asyncio.run(look_until_killed(server, prepared, random.randint(100, 240)))
            server.process.wait(timeout=30)
        # The journal may have hits that were not moved; those that were are in their visits.
        compared = warehouse_storage(data).compare_visits(in_use=False)
        assert compared.differing == 0
    asyncio.run(check_answers(data, prepared.site.id, acknowledged))
    compared = warehouse_storage(data).compare_visits(in_use=False)
    assert compared == (VISITORS, 0)


# While all visits are computed.

STORED = 200_000
MADE = f"""
INSERT INTO hit BY NAME
SELECT
    number + 1 AS id, 1 AS site, number % 9 AS path, 1 + number // 3 AS session, number % 3 = 0 AS first,
    false AS event, 0 AS bot, '' AS ref, 'o' AS ref_scheme, '' AS browser, '' AS browser_version, '' AS system,
    '' AS system_version, '' AS country, '' AS region, '' AS language, 0 AS width, {NOW} + number AS created
FROM range({STORED}) AS numbers(number)
"""


def make_hits(session: WarehouseSession) -> None:
    assert isinstance(session, DuckDbSession)
    session.connection.execute(MADE)


async def stored(data: Path) -> None:
    async with opened_warehouse(data / WAREHOUSE_FILE) as warehouse:
        await warehouse.write(make_hits)


def killed_while_it_computes(data: Path) -> None:
    """Start a server that computes all visits, and kill it at some moment of that, or shortly afterwards."""
    command = [sys.executable, "-m", "tallystick", "serve", "--listen", FREE_PORT, "--data", str(data)]
    with subprocess.Popen(
        [*command, "--recompute-visits"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=data
    ) as process:
        assert process.stdout is not None
        assert any("computing visits" in line for line in process.stdout)
        time.sleep(random.uniform(0, 0.4))
        process.kill()


@pytest.mark.timeout(400)
def test_visits_that_are_computed_are_all_there_or_none(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    asyncio.run(stored(data))
    storage = warehouse_storage(data)
    for _ in range(3):
        killed_while_it_computes(data)
        assert storage.compare_visits(in_use=False) in {(0, 0), (-(-STORED // 3), 0)}
    with running_server(data) as server:
        server.stop()
    assert storage.compare_visits(in_use=False) == (-(-STORED // 3), 0)
