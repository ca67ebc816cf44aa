"""Fetching an export from a running server through its API."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec
from msgspec import Struct

from tallystick import __version__
from tallystick.errors import InputRefused

TIMEOUT_S = 60.0
POLLED_EVERY_S = 1.0
REFUSED_AT_MOST = 10
"""The most retries in a row after 429, or 503 with Retry-After."""
LONGEST_WAIT_S = 120
"""The longest Retry-After that is honoured."""
SHOWN = 200
"""Characters of an unexpected response in a message."""

Progress = Callable[[int, int], None]
"""Called with the bytes that are done, and the total."""


class RemoteExport(Struct):
    """An export in the API's form."""

    id: int
    finished_at: str | None = None
    num_rows: int | None = None
    last_hit_id: int | None = None
    error: str | None = None


class ExportClient:
    """A client of a server's exports.

    Args:
        url: of the server, with the site's host.
        token: needs the permission export.
        transport: sends the requests; httpx's own by default.
    """

    def __init__(self, url: str, token: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "User-Agent": f"tallystick/{__version__}",
        }
        self._client = httpx.AsyncClient(
            base_url=f"{url.rstrip('/')}/api/v0/", headers=headers, timeout=TIMEOUT_S, transport=transport
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def written(self, request: dict[str, Any]) -> RemoteExport:
        """Request an export, and wait until the server has written it.

        Args:
            request: the body, as in the API.

        Raises:
            InputRefused: the server cannot be reached, refuses, or has failed.
        """
        export = await self._export("POST", "export", json=request)
        while export.finished_at is None:
            await asyncio.sleep(POLLED_EVERY_S)
            export = await self._export("GET", f"export/{export.id}")
        if export.error:
            msg = f"the server could not write the export: {export.error}"
            raise InputRefused(msg)
        return export

    async def save(self, export: RemoteExport, file: Path, progress: Progress) -> None:
        """Download the file of an export.

        Raises:
            InputRefused: the server cannot be reached, or refuses.
        """
        retries = Retries()
        while not await self._saved(export, file, progress, retries):
            pass

    async def _saved(self, export: RemoteExport, file: Path, progress: Progress, retries: "Retries") -> bool:
        """Try one download. Returns False if the server was busy, after the wait that it requested."""
        try:
            async with self._client.stream("GET", f"export/{export.id}/download") as answer:
                if answer.status_code == httpx.codes.OK:
                    await _save(answer, file, progress)
                    return True
                await answer.aread()
        except httpx.HTTPError as error:
            raise _unreachable(self._client.base_url, error) from error
        await retries.wait(answer)
        return False

    async def _export(self, method: str, path: str, **options: Any) -> RemoteExport:  # noqa: ANN401  # httpx's
        retries = Retries()
        while not (answer := await self._answer(method, path, **options)).is_success:
            await retries.wait(answer)
        try:
            return msgspec.json.decode(answer.content, type=RemoteExport)
        except msgspec.DecodeError as error:
            raise _unexpected(answer) from error

    async def _answer(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401  # httpx's
        try:
            return await self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise _unreachable(self._client.base_url, error) from error


class Retries:
    """Limits the retries of one request to a busy server."""

    def __init__(self) -> None:
        self._refused = 0

    async def wait(self, answer: httpx.Response) -> None:
        """Wait for the ``Retry-After`` of a refusal.

        Raises:
            InputRefused: the refusal is not temporary, was repeated ``REFUSED_AT_MOST`` times, or lasts too long.
        """
        self._refused += 1
        # A POST that was refused with 429 or with 503 and Retry-After changed nothing, so it may be sent again.
        busy = answer.status_code == httpx.codes.TOO_MANY_REQUESTS or (
            answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and "Retry-After" in answer.headers
        )
        if not busy or self._refused > REFUSED_AT_MOST or (seconds := _wait(answer)) > LONGEST_WAIT_S:
            raise _unexpected(answer)
        await asyncio.sleep(seconds)


async def _save(answer: httpx.Response, file: Path, progress: Progress) -> None:
    total, done = int(answer.headers.get("Content-Length", "0")), 0
    stream = await asyncio.to_thread(file.open, "wb")
    try:
        # Raw: compressed data stays compressed.
        async for part in answer.aiter_raw():
            await asyncio.to_thread(stream.write, part)
            done += len(part)
            progress(done, total)
    finally:
        await asyncio.to_thread(stream.close)


def _wait(answer: httpx.Response) -> int:
    text = answer.headers.get("Retry-After", "1")
    return max(1, int(text)) if text.isascii() and text.isdigit() else 1


def _unexpected(answer: httpx.Response) -> InputRefused:
    return InputRefused(f"{answer.url} answered {answer.status_code}: {' '.join(answer.text.split())[:SHOWN]}")


def _unreachable(url: httpx.URL, error: httpx.HTTPError) -> InputRefused:
    return InputRefused(f"{url} cannot be reached: {type(error).__name__}: {error}")
