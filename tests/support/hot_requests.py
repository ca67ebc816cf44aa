"""Requests sent through a hot lane, and the same ones through the ASGI application, with the bytes that come back."""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from tallystick.server.hot_lane import Answer, HotLane, HotLanes, HotRequest, header_lines
from tallystick.web.asgi import AsgiApp

Fields = list[tuple[bytes, bytes]]


class Sent(NamedTuple):
    """A request without a body. Names of headers are in lower case."""

    method: bytes
    url: bytes
    headers: Fields


class HeldConnection:
    """A connection that keeps the answers of its requests, and whose client is not in a hurry."""

    client: tuple[str, int] | None = ("127.0.0.1", 1)
    server: tuple[str, int | None] | None = ("127.0.0.1", 8080)

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.answered = asyncio.Event()

    def respond(self, answer: Answer) -> None:
        """Keep an answer."""
        self.answers.append(answer)
        self.answered.set()


class Lanes:
    """The lanes of a surface, with its application behind them.

    Attributes:
        taken: how many requests the lanes took.
        left: how many they left, by reason.
    """

    def __init__(self, lanes: Mapping[bytes, HotLane], app: AsgiApp) -> None:
        self._lanes, self._app = HotLanes(lanes), app
        self.taken = 0
        self.left: dict[str, int] = {}

    async def send(self, sent: Sent) -> Answer:
        """Send a request as the server does: to the lane, and to the application what it leaves."""
        connection = HeldConnection()
        if self.offer(sent, connection) is not None:
            return await by_asgi(self._app, sent)
        async with asyncio.timeout(10):
            await connection.answered.wait()
        [answer] = connection.answers
        return answer

    def offer(self, sent: Sent, connection: HeldConnection) -> str | None:
        """Offer a request to its lane; the reason if it is left."""
        lane = self._lanes.find(sent.url)
        if lane is None:
            reason: str | None = "no lane"
        else:
            reason = lane.take(HotRequest(connection, lane, sent.method, sent.url, list(sent.headers)))
        if reason is None:
            self.taken += 1
        else:
            self.left[reason] = self.left.get(reason, 0) + 1
        return reason


async def by_asgi(app: AsgiApp, sent: Sent) -> Answer:
    """Send a request through the application; its answer in the form of the lane's."""
    raw_path, _, query = sent.url.partition(b"?")
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "method": sent.method.decode(),
        "path": unquote(raw_path.decode("ascii")),
        "raw_path": raw_path,
        "root_path": "",
        "query_string": query,
        "headers": list(sent.headers),
        "client": HeldConnection.client,
        "server": HeldConnection.server,
    }
    messages: list[Any] = []
    unread = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not unread:
            await asyncio.Event().wait()
        return unread.pop()

    async def send(message: Any) -> None:
        messages.append(message)

    await app(scope, receive, send)
    start, *bodies = messages
    body = b"".join(message.get("body", b"") for message in bodies)
    return start["status"], header_lines(start["headers"]), body
