"""Fetching an export from a server that asks for patience."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tallystick.errors import InputRefused
from tallystick.services.exports.fetching import REFUSED_AT_MOST, ExportClient, RemoteExport

DONE = httpx.Response(200, json={"id": 7, "finished_at": "2026-11-28T00:00:00Z", "num_rows": 3})
FILE = b"a file"


def busy(status: int = 429, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited, each time."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return waits


def client(answers: Iterator[httpx.Response]) -> ExportClient:
    return ExportClient("http://server", "token", httpx.MockTransport(lambda _: next(answers)))


async def fetched(answers: list[httpx.Response], way: str, folder: Path) -> None:
    async with client(iter(answers)) as server:
        if way == "written":
            assert (await server.written({"format": "csv"})).num_rows == 3
        else:
            await server.save(RemoteExport(7), folder / "file", lambda _done, _total: None)
            assert await asyncio.to_thread((folder / "file").read_bytes) == FILE


def success(way: str) -> httpx.Response:
    return DONE if way == "written" else httpx.Response(200, stream=Streamed())


class Streamed(httpx.AsyncByteStream):
    """A body that is read once."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield FILE[:2]
        yield FILE[2:]


BOTH = pytest.mark.parametrize("way", ["written", "save"])


@BOTH
@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (busy(retry_after="7"), 7),
        (busy(), 1),
        (busy(retry_after="0"), 1),
        (busy(retry_after="soon"), 1),
        (busy(503, retry_after="5"), 5),
    ],
)
async def test_a_server_that_asks_for_patience_is_asked_again(
    waited: list[float], tmp_path: Path, way: str, answer: httpx.Response, seconds: float
) -> None:
    await fetched([answer, answer, success(way)], way, tmp_path)
    assert waited == [seconds] * 2


@BOTH
@pytest.mark.parametrize("status", [429, 503])
async def test_but_not_without_end(waited: list[float], tmp_path: Path, way: str, status: int) -> None:
    with pytest.raises(InputRefused, match=f"answered {status}"):
        await fetched([busy(status, retry_after="1")] * 1_000, way, tmp_path)
    assert len(waited) == REFUSED_AT_MOST


@BOTH
@pytest.mark.parametrize(
    "answer", [busy(retry_after="86400"), busy(429, retry_after="9" * 40), busy(503), busy(500, retry_after="1")]
)
async def test_nor_where_waiting_makes_no_sense(
    waited: list[float], tmp_path: Path, way: str, answer: httpx.Response
) -> None:
    with pytest.raises(InputRefused, match=f"answered {answer.status_code}"):
        await fetched([answer, success(way)], way, tmp_path)
    assert not waited
