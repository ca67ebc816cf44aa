"""Imports through the API of a server: a batch that is sent again is waited for, and stored once."""

from collections.abc import Callable

import httpx
import pytest

from tallystick.errors import InputRefused
from tallystick.services.imports import api_sink
from tallystick.services.imports.api_sink import RETRIES_AFTER_S, ApiSink
from tallystick.services.ingest.arrival import Arrival

ME = httpx.Response(200, json={"token": {"name": "import", "permissions": 2}})
IN_FLIGHT = httpx.Response(409, json={"error": "in flight"}, headers={"Retry-After": "1"})
STORED = httpx.Response(202, json={"status": "ok"})


def answering(*results: httpx.Response | Exception) -> tuple[httpx.MockTransport, list[str]]:
    """A server that answers batches so, one after the other, and the keys that they came with."""
    keys: list[str] = []
    left = iter(results)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return ME
        keys.append(request.headers["Idempotency-Key"])
        result = next(left)
        if isinstance(result, Exception):
            raise result
        return result

    return httpx.MockTransport(answer), keys


def noting(waits: list[float]) -> Callable[[float, str], None]:
    return lambda seconds, _reason: waits.append(seconds)


async def test_a_batch_in_flight_is_waited_for_and_sent_again_with_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_sink, "RETRIES_AFTER_S", (0, 0, 0, 0))
    transport, keys = answering(httpx.ReadError("the connection broke"), IN_FLIGHT, IN_FLIGHT, STORED)
    waits: list[float] = []
    async with ApiSink("http://stats.example.com", "secret", waits=noting(waits), transport=transport) as sink:
        taken = await sink.send("import-1", [Arrival(path="/a", received=0)])
    assert taken.refused == {}
    assert keys == ["import-1"] * 4
    assert len(waits) == 3


async def test_a_batch_that_stays_in_flight_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_sink, "RETRIES_AFTER_S", (0,) * len(RETRIES_AFTER_S))
    transport, keys = answering(*[IN_FLIGHT] * (len(RETRIES_AFTER_S) + 1))
    async with ApiSink("http://stats.example.com", "secret", waits=noting([]), transport=transport) as sink:
        with pytest.raises(InputRefused, match=r"gave up after 7 attempts: .*409"):
            await sink.send("import-1", [Arrival(path="/a", received=0)])
    assert len(keys) == len(RETRIES_AFTER_S) + 1
