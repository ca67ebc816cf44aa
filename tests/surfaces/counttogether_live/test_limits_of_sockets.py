"""What ends or refuses a WebSocket: the application in this process, in less time than a person waits."""

import asyncio
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import InvalidStatus

from support.counting_together import Person, Together, counting_together
from support.http_server import Serving, serving
from support.ledgers import until
from tallystick.hub import hub
from tallystick.hub.pending import PLAIN_AT_MOST
from tallystick.server import http_server, websocket
from tallystick.surfaces.counttogether.realtime import channel, sockets
from tallystick.web.rate_limit import Rate

PAGE: Any = "https://page.example"
UPGRADE = (
    "GET /v2/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {token}\r\n\r\n"
)


class Listening:
    """The surface behind the HTTP server."""

    def __init__(self, together: Together, running: Serving) -> None:
        self.together, self.address, self.url = together, running.address, running.sockets_url
        self.sockets = together.surface.sockets
        self.hub = together.services.following.hub

    def socket(self, person: Person | None = None, **options: Any) -> connect:
        """A WebSocket of the websockets client."""
        headers = {"authorization": f"Bearer {person.token}"} if person else {}
        return connect(f"{self.url}/v2/ws", additional_headers=headers, proxy=None, **options)

    async def raw(self, person: Person, receive_buffer: int = 4_096) -> tuple[StreamReader, StreamWriter]:
        """A client that answers nothing; what it sends and reads is up to the test."""
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.setblocking(False)  # noqa: FBT003  # its only argument
        await asyncio.get_running_loop().sock_connect(client, self.address)
        reader, writer = await asyncio.open_connection(sock=client, limit=receive_buffer)
        writer.write(UPGRADE.format(token=person.token).encode())
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        return reader, writer


@asynccontextmanager
async def listening(data: Path, **settings: Any) -> AsyncIterator[Listening]:
    async with counting_together(data, **settings) as together, serving(together.surface.websocket) as running:
        try:
            yield Listening(together, running)
        finally:
            await together.surface.sockets.close_all(5)


async def closed(connection: ClientConnection) -> int | None:
    """The code with which a connection is closed."""
    async with asyncio.timeout(10):
        await connection.wait_closed()
    return connection.close_code


async def status_of(attempt: connect) -> tuple[int, str | None]:
    """What is answered in the place of 101, and when to come again."""
    with pytest.raises(InvalidStatus) as refused:
        await attempt
    response = refused.value.response
    return response.status_code, response.headers.get("Retry-After")


async def test_who_does_not_answer_a_ping_is_closed_with_4408(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "PING_EVERY_S", 0.05)
    monkeypatch.setattr(http_server, "PONG_WITHIN_S", 0.05)
    monkeypatch.setattr(websocket, "CLOSED_WITHIN_S", 0.05)
    async with listening(tmp_path) as there:
        ada = await there.together.person()
        async with there.socket(ada) as answering:
            reader, writer = await there.raw(ada)
            async with asyncio.timeout(10):
                told = await reader.read()
            writer.close()
            assert told.startswith(b"\x89"), "first it is pinged"
            closing = told[2 + told[1] :]  # behind the ping, whose payload is random
            assert (closing[:1], closing[2:4]) == (b"\x88", (4408).to_bytes(2, "big"))
            assert await answering.ping()
        await until(lambda: not there.hub)


async def test_who_does_not_read_is_held_and_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "SENT_WITHIN_S", 0.3)
    monkeypatch.setattr(websocket, "CLOSED_WITHIN_S", 0.05)
    async with listening(tmp_path) as there:
        ada = await there.together.person()
        counter = await ada.new_counter("A counter with a long name to tell")
        _, writer = await there.raw(ada)
        (subscription,) = there.hub.subscriptions()
        longest = 0
        operations = {"operations": [{"operation": "increment"}] * 60}
        while there.hub:
            await ada.ask("POST", f"/v1/counters/{counter}/batch", operations)
            longest = max(longest, len(subscription._pending))  # noqa: SLF001  # what is bounded
        assert longest <= PLAIN_AT_MOST
        assert subscription.ending in {None, hub.Ending.SLOW}
        writer.close()


async def test_who_does_not_say_who_it_is_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "FIRST_MESSAGE_WITHIN_S", 0.05)
    async with listening(tmp_path) as there, there.socket(origin=PAGE) as stranger:
        assert await closed(stranger) == channel.Closing.UNAUTHORIZED


async def test_strangers_are_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "UNAUTHENTICATED_OF_ONE_ADDRESS", 1)
    async with listening(tmp_path) as there:
        async with there.socket(origin=PAGE), there.socket(origin=PAGE) as second:
            assert await closed(second) == channel.Closing.TRY_LATER
        async with there.socket(origin=PAGE) as third:
            await third.send('{"method":"authenticate","params":{"token":"unknown"}}')
            assert await closed(third) == channel.Closing.UNAUTHORIZED


async def test_one_person_has_so_many_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "SUBSCRIPTIONS_OF_ONE", 1)
    async with listening(tmp_path) as there:
        ada = await there.together.person()
        async with there.socket(ada):
            assert await status_of(there.socket(ada)) == (429, "30")
            async with there.socket(origin=PAGE) as late:
                await late.send(f'{{"method":"authenticate","params":{{"token":"{ada.token}"}}}}')
                assert await closed(late) == channel.Closing.TOO_MANY
        await until(lambda: not there.hub)
        async with there.socket(ada):
            assert len(there.hub) == 1


async def test_a_server_has_so_many_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "SUBSCRIPTIONS_AT_MOST", 1)
    async with listening(tmp_path) as there:
        ada = await there.together.person()
        async with there.socket(ada):
            assert await status_of(there.socket(ada)) == (503, "30")
            events = await ada.ask("GET", "/v1/events")
            assert (events.status, events.json()["code"]) == (503, -1503)


async def test_opening_takes_one_of_the_requests_and_who_hangs_up_gives_its_place_back(tmp_path: Path) -> None:
    async with listening(tmp_path, rate_limit=(Rate("counttogether", 1, 60),)) as there:
        ada = await there.together.person()
        async with there.socket(ada):
            waiting = [asyncio.create_task(_opened(there.socket(ada))) for _ in range(2)]
            await until(lambda: in_queue(there) == 2)
            assert (await status_of(there.socket(ada)))[0] == 429
            waiting[0].cancel()
            await until(lambda: in_queue(there) == 1)
            waiting[1].cancel()
            await asyncio.gather(*waiting, return_exceptions=True)


def in_queue(there: Listening) -> int:
    windows = there.sockets._gate._windows  # noqa: SLF001  # nobody else needs to know who waits
    assert windows is not None
    return sum(len(log.waiting) for log in windows._logs.values())  # noqa: SLF001


async def _opened(attempt: connect) -> None:
    async with attempt:
        pass


async def test_a_restart_closes_everybody_and_lets_nobody_in(tmp_path: Path) -> None:
    async with listening(tmp_path) as there:
        ada = await there.together.person()
        async with there.socket(ada) as known, there.socket(origin=PAGE) as stranger:
            await there.sockets.close_all(5)
            assert [await closed(known), await closed(stranger)] == [1012, 1012]
            assert await status_of(there.socket(ada)) == (503, "1")


async def test_on_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with counting_together(tmp_path) as together, serving(together.surface.websocket, path=path):
        ada = await together.person()
        async with unix_connect(str(path), "ws://x.example/v2/ws", origin=PAGE) as opened:
            await opened.send(f'{{"method":"authenticate","params":{{"token":"{ada.token}"}},"id":1}}')
            assert await opened.recv() == '{"jsonrpc":"2.0","id":1,"result":true}'
            await ada.new_counter("Of a page")
            assert b"Of a page" in await opened.recv(decode=False)
        await together.surface.sockets.close_all(5)


async def test_a_server_that_cannot_refuse_an_upgrade_closes_it(tmp_path: Path) -> None:
    async with counting_together(tmp_path) as together:
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "websocket", "path": "/v1/ws", "query_string": b"", "headers": [], "client": ("127.0.0.1", 1)}
        await together.surface.websocket(scope, receive, send)
        assert sent == [{"type": "websocket.close", "code": 1000}]
