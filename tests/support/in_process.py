"""The whole application without a process: its clock and its clients' addresses are the test's."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from builders import NOW
from support.asking import Answer
from support.prepared import copy_migrated_ledger, copy_migrated_warehouse
from tallystick.app import SURFACES, Application
from tallystick.ledger import Ledger, open_database
from tallystick.services.ingest.ingest import Knowledge
from tallystick.services.opening import Stores
from tallystick.settings import Settings
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse
from tallystick.web.asgi import AsgiApp
from tallystick.web.surface import Surface


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        """Unix milliseconds."""
        return self.now

    def advance(self, *, seconds: float) -> None:
        """Let time pass."""
        self.now += round(seconds * 1000)


class Asgi:
    """An ASGI application that is sent requests without a server."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def ask(  # the parts of a request
        self,
        target: str,
        *,
        method: str = "GET",
        headers: Iterable[tuple[str, str]] = (),
        client: str | None = "127.0.0.1",
        body: bytes | None = None,
    ) -> Answer:
        """Send one request; ``client`` is the peer's address, None for a peer without one."""
        path, _, query = target.partition("?")
        return await self.send(
            unquote(path),
            query.encode(),
            method=method,
            headers=headers,
            client=client,
            body=body,
            raw_path=path.encode(),
        )

    async def send(  # noqa: PLR0913  # the parts of a request
        self,
        path: str,
        query: bytes = b"",
        *,
        method: str = "GET",
        headers: Iterable[tuple[str, str]] = (),
        client: str | None = "127.0.0.1",
        body: bytes | None = None,
        raw_path: bytes | None = None,
    ) -> Answer:
        """Send one request as an ASGI server would hand it in: the path decoded, the query not."""
        if body is not None:
            headers = [*headers, ("content-length", str(len(body)))]
        scope = {
            "type": "http",
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": path,
            "raw_path": quote(path, errors="surrogatepass").encode() if raw_path is None else raw_path,
            "root_path": "",
            "query_string": query,
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
            "client": None if client is None else (client, 1),
            "server": ("127.0.0.1", 8080),
        }
        messages: list[Any] = []
        unread = [{"type": "http.request", "body": body or b"", "more_body": False}]

        async def receive() -> dict[str, Any]:
            if not unread:
                await asyncio.Event().wait()  # a client that stays, and has said everything
            return unread.pop()

        async def send(message: Any) -> None:
            messages.append(message)

        await self._app(scope, receive, send)
        start, *bodies = messages
        received = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
        return Answer(start["status"], received, b"".join(message.get("body", b"") for message in bodies))


class InProcess(Asgi):
    """An open application, the clock of its stores and its data directory."""

    def __init__(self, application: Application, clock: Clock, data: Path) -> None:
        super().__init__(application)
        self.application, self.clock, self.data = application, clock, data


_load = lru_cache(Knowledge.load)


async def knowledge() -> Knowledge:
    """What hits are judged by; read once for all tests."""
    return await asyncio.to_thread(_load)


@asynccontextmanager
async def in_process(data: Path, surfaces: Sequence[Surface] = SURFACES, **settings: Any) -> AsyncIterator[InProcess]:
    """Open the application on SQLite; the creation limit is off unless it is asked for."""
    clock = Clock()
    copy_migrated_ledger(data)
    copy_migrated_warehouse(data)
    most_keys = settings.get("namespace_keys")
    ledger = await Ledger.open(open_database(None, data, most_keys=most_keys), clock)
    warehouse = await DuckDbWarehouse.open(data / WAREHOUSE_FILE, clock=lambda: clock.now // 1000)
    settings.setdefault("creation_limit", 0)
    application = Application(Settings(data=data, **settings), Stores(ledger, warehouse), await knowledge(), surfaces)
    application.tasks.start()
    try:
        yield InProcess(application, clock, data)
    finally:
        await application.close()
