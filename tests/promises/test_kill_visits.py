"""kill -9 while hits are moved leaves every visit as its hits say, and questions with the oracle's answers."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from questions import oracle
from support.analytics import FIREFOX, HOST, Prepared, prepare
from support.server import RunningServer, running_server
from support.warehouses import opened_warehouse
from tallystick.model.dimensions import CHANNEL, ENTRY_PAGE, EXIT_PAGE, NEXT_PAGE, PAGE, SOURCE
from tallystick.model.dimensions import HOST as HOST_NAME
from tallystick.model.metrics import Metric
from tallystick.model.period import DAY_S, period
from tallystick.model.question import AllOf, Answer, Grouping, HasDone, Match, Question, TimeUnit
from tallystick.services.analytics.questions import ask
from tallystick.warehouse import WarehouseSession, warehouse_storage
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE

ROUNDS, CLIENTS, VISITORS, PAGES = 8, 6, 40, 12
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
