"""Hot lanes without a server, beside the ASGI application that they are to agree with."""

import asyncio
from collections.abc import Sequence
from typing import Any

from tallystick.server.hot_lane import Answer, HotLane, HotRequest, header_lines
from tallystick.web.asgi import AsgiApp

RawHeaders = Sequence[tuple[bytes, bytes]]
SERVER = ("127.0.0.1", 8080)


class Client:
    """A connection that keeps its responses.

    Attributes:
        answers: everything that was written.
    """

    def __init__(self, address: str | None) -> None:
        self.client: tuple[str, int] | None = None if address is None else (address, 1)
        self.server: tuple[str, int | None] | None = SERVER
        self.answers: list[Answer] = []
        self._answered = asyncio.Event()

    def respond(self, answer: Answer) -> None:
        """See ``Responder``."""
        self.answers.append(answer)
        self._answered.set()

    async def answer(self) -> Answer:
        """Wait for the one response."""
        await self._answered.wait()
        (answer,) = self.answers
        return answer


async def ask_lane(
    lane: HotLane, url: bytes, headers: RawHeaders, *, method: bytes = b"GET", client: str | None = "192.0.2.1"
) -> Answer | str:
    """The lane's answer, or the reason why it left the request."""
    connection = Client(client)
    reason = lane.take(HotRequest(connection, lane, method, url, list(headers)))
    return reason or await connection.answer()


async def ask_asgi(
    app: AsgiApp, url: bytes, headers: RawHeaders, *, method: bytes = b"GET", client: str | None = "192.0.2.1"
) -> Answer:
    """The application's answer to the same request, in the same form."""
    path, _, query = url.partition(b"#")[0].partition(b"?")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "method": method.decode(),
        "path": path.decode(),
        "raw_path": path,
        "root_path": "",
        "query_string": query,
        "headers": list(headers),
        "client": None if client is None else (client, 1),
        "server": SERVER,
    }
    messages: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    await app(scope, receive, send)
    start, *bodies = messages
    return start["status"], header_lines(start["headers"]), b"".join(message.get("body", b"") for message in bodies)
