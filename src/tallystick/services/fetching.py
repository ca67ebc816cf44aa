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
ASKED_EVERY_S = 1.0
SHOWN = 200
"""Characters of an answer that nobody expected."""

Progress = Callable[[int, int], None]
"""Hears of bytes: so many, of so many."""


class RemoteExport(Struct):
    """An export as the API tells it."""

    id: int
    finished_at: str | None = None
    num_rows: int | None = None
    last_hit_id: int | None = None
    error: str | None = None


class ExportClient:
    """Asks a server for exports.

    Args:
        url: of the server, at the site's host.
        token: needs the permission export.
    """

    def __init__(self, url: str, token: str) -> None:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "User-Agent": f"tallystick/{__version__}",
        }
        self._client = httpx.AsyncClient(base_url=f"{url.rstrip('/')}/api/v0/", headers=headers, timeout=TIMEOUT_S)

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def written(self, wanted: dict[str, Any]) -> RemoteExport:
        """Ask for an export, and wait until the server has written it.

        Args:
            wanted: the body, in the API's words.

        Raises:
            InputRefused: the server cannot be reached, refuses, or has failed.
        """
        export = await self._told("POST", "export", json=wanted)
        while export.finished_at is None:
            await asyncio.sleep(ASKED_EVERY_S)
            export = await self._told("GET", f"export/{export.id}")
        if export.error:
            msg = f"the server could not write the export: {export.error}"
            raise InputRefused(msg)
        return export

    async def save(self, export: RemoteExport, file: Path, progress: Progress) -> None:
        """Download the file of an export.

        Raises:
            InputRefused: the server cannot be reached, or refuses.
        """
        try:
            async with self._client.stream("GET", f"export/{export.id}/download") as answer:
                if answer.status_code != httpx.codes.OK:
                    await answer.aread()
                    raise _unexpected(answer)
                await _save(answer, file, progress)
        except httpx.HTTPError as error:
            raise _unreachable(self._client.base_url, error) from error

    async def _told(self, method: str, path: str, **options: Any) -> RemoteExport:  # noqa: ANN401  # httpx's
        try:
            answer = await self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise _unreachable(self._client.base_url, error) from error
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            await asyncio.sleep(_wait(answer))
            return await self._told(method, path, **options)
        if not answer.is_success:
            raise _unexpected(answer)
        try:
            return msgspec.json.decode(answer.content, type=RemoteExport)
        except msgspec.DecodeError as error:
            raise _unexpected(answer) from error


async def _save(answer: httpx.Response, file: Path, progress: Progress) -> None:
    total, done = int(answer.headers.get("Content-Length", "0")), 0
    stream = await asyncio.to_thread(file.open, "wb")
    try:
        # Raw: what is compressed stays so.
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
