"""What type checkers see of the client (mypy reads this file, strictly), and what importing it brings along."""

import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from typing import assert_type

import httpx

from support.clients import Script
from tallystick.client import AsyncCountApi, AsyncCountTogether, AsyncGoatCounter, CountApi, CountTogether, GoatCounter
from tallystick.client.countapi import Info
from tallystick.client.counttogether_answers import Counter, Entry
from tallystick.client.events import Event
from tallystick.client.goatcounter_answers import Counted, Hit, Row
from tallystick.client.query_answers import QueryAnswer, QueryRow
from tallystick.client.query_filters import is_

VALUE = httpx.Response(200, json={"value": 1})


def test_a_call_that_blocks_has_its_result() -> None:
    with CountApi("http://server.test", transport=httpx.MockTransport(Script(VALUE, VALUE))) as api:
        assert_type(api.get("visits"), int | None)
        assert assert_type(api.hit("visits"), int) == 1
        # A comment that is needed: mypy reports those that are not.
        wrong = lambda: api.hit(3)  # type: ignore[arg-type]  # noqa: E731
        assert callable(wrong)


async def test_a_call_that_is_awaited_has_it_then() -> None:
    async with AsyncCountApi("http://server.test", transport=httpx.MockTransport(Script(VALUE))) as api:
        assert assert_type(await api.hit("visits"), int) == 1


def test_the_rest_is_only_looked_at() -> None:
    def blocking(together: CountTogether, analytics: GoatCounter) -> None:
        assert_type(together.counters(), list[Counter])
        assert_type(together.history("a-counter"), Generator[Entry, None, None])
        assert_type(analytics.count([Hit(path="/")]), Counted)
        assert_type(analytics.stats("browsers", country="NL"), Generator[Row, None, None])
        analytics.stats("browser")  # type: ignore[arg-type]
        analytics.total(contry="NL")  # type: ignore[call-arg]
        assert_type(analytics.ask(["visitors"], filters=[is_("source", "Google")]), QueryAnswer)
        assert_type(
            analytics.ask_rows(["visitors"], site=["a", "b"], dimensions=["page"]), Generator[QueryRow, None, None]
        )
        analytics.ask(["visitor"])  # type: ignore[list-item]
        analytics.ask(["visitors"], compare="last year")  # type: ignore[arg-type]
        is_("sorce", "Google")  # type: ignore[arg-type]

    async def awaited(public: AsyncCountApi, together: AsyncCountTogether, analytics: AsyncGoatCounter) -> None:
        assert_type(await public.info("visits"), Info | None)
        assert_type(await together.increment("a-counter", 2), int)
        assert_type(together.events(), AsyncGenerator[Event, None])
        assert_type(await analytics.ask(["visitors"]), QueryAnswer)
        assert_type(analytics.ask_rows(["visitors"]), AsyncGenerator[QueryRow, None])

    assert callable(blocking)
    assert callable(awaited)


def test_the_client_needs_nothing_of_the_server() -> None:
    script = "import sys, tallystick.client; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    ours = {".".join(name.split(".")[:2]) for name in told if name.startswith("tallystick")}
    assert ours == {"tallystick", "tallystick.client"}
    assert not {"apsw", "duckdb", "httptools", "psycopg", "starlette", "structlog", "uvicorn"} & set(told)
