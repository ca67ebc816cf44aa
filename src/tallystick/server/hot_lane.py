"""The hot lane: requests that are answered without a task, a scope and ASGI messages. See DESIGN.md.

A surface offers a ``HotLane`` for the URLs that begin with a prefix. The connection passes it each request that is
usual in every way the server can see: GET or POST over HTTP/1.1, no body, nothing else unanswered on its connection.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

INDEXED = 5
"""Bytes of a prefix by which lanes are looked up; no prefix is shorter."""

Answer = tuple[int, bytes, bytes]
"""Status; header lines, each ended by CRLF, with Content-Length among them; body."""

Headers = Iterable[tuple[bytes, bytes]]


class HotRequest:
    """A request of the hot lane. It stands where a future would: whoever carries it out resolves it once.

    Attributes:
        method: ``b"GET"`` or ``b"POST"``.
        url: path and query, as they were sent.
        headers: names in lower case.
        context: free for the lane.
    """

    __slots__ = ("_connection", "_lane", "context", "headers", "method", "url")

    def __init__(
        self, connection: "Responder", lane: "HotLane", method: bytes, url: bytes, headers: list[tuple[bytes, bytes]]
    ) -> None:
        self._connection: Responder | None = connection
        self._lane = lane
        self.method, self.url, self.headers = method, url, headers
        self.context: Any = None

    @property
    def scope(self) -> dict[str, Any]:
        """The parts of an ASGI scope that tell who the client is."""
        connection = self._connection
        assert connection is not None, "it is not answered yet"
        return {"type": "http", "client": connection.client, "server": connection.server, "headers": self.headers}

    def done(self) -> bool:
        """Whether it was resolved. If the client has hung up, it is carried out all the same."""
        return self._connection is None

    def set_result(self, result: Any) -> None:  # noqa: ANN401  # what the lane's service returns
        """Respond with the lane's answer to a result. Called on the event loop."""
        try:
            answer: Answer | None = self._lane.answer(self, result)
        except Exception as error:  # noqa: BLE001  # the lane turns errors into answers
            answer = self._lane.refuse(self, error)
        if answer is not None:
            self.respond(answer)

    def set_exception(self, error: Exception) -> None:
        """Respond with the lane's answer to an error. Called on the event loop."""
        self.respond(self._lane.refuse(self, error))

    def respond(self, answer: Answer) -> None:
        """Respond at once."""
        connection, self._connection = self._connection, None
        assert connection is not None, "a request is resolved once"
        connection.respond(answer)


class Responder(Protocol):
    """What a hot request needs of its connection."""

    client: tuple[str, int] | None
    server: tuple[str, int | None] | None

    def respond(self, answer: Answer) -> None:
        """Write a response, and go on with the next request."""


class HotLane(Protocol):
    """What a surface offers. Every answer is the one that its ASGI application would give, byte by byte."""

    def take(self, request: HotRequest) -> str | None:
        """Begin to carry a request out, without waiting.

        Returns:
            None when the request is taken: it is then resolved once, by ``set_result``, ``set_exception`` or
            ``respond``, now or later. Otherwise the reason why it is left to the ASGI application, from a fixed set of
            names for the metrics; then nothing has been changed: nothing counted, nothing taken from a limit.
        """

    def answer(self, request: HotRequest, result: Any) -> Answer | None:  # noqa: ANN401
        """The answer to a result. Counts it for the metrics.

        None if the result shows that the request needs more than the lane does: then the lane has begun to carry it
        out in another way, and responds itself.
        """

    def refuse(self, request: HotRequest, error: Exception) -> Answer:
        """The answer to an error, of whatever type. Counts it for the metrics; raises nothing."""


class LaneUnder:
    """A lane for URLs with a base path in front, around one that knows nothing of it."""

    def __init__(self, lane: HotLane, base_path: str) -> None:
        self._lane, self._begin = lane, len(base_path)

    def take(self, request: HotRequest) -> str | None:
        """Offer the request without the base path."""
        request.url = request.url[self._begin :]
        return self._lane.take(request)

    def answer(self, request: HotRequest, result: Any) -> Answer | None:  # noqa: ANN401
        """The lane's own."""
        return self._lane.answer(request, result)

    def refuse(self, request: HotRequest, error: Exception) -> Answer:
        """The lane's own."""
        return self._lane.refuse(request, error)


class HotLanes:
    """Finds the lane of a URL.

    Args:
        lanes: by prefix of the URL, for example ``b"/hit/"``; at least five bytes.
    """

    def __init__(self, lanes: Mapping[bytes, HotLane]) -> None:
        self._by_beginning: dict[bytes, tuple[tuple[bytes, HotLane], ...]] = {}
        for prefix, lane in sorted(lanes.items(), key=lambda each: -len(each[0])):
            assert len(prefix) >= INDEXED
            beginning = prefix[:INDEXED]
            self._by_beginning[beginning] = (*self._by_beginning.get(beginning, ()), (prefix, lane))

    def find(self, url: bytes) -> HotLane | None:
        """The lane of the longest prefix of a URL."""
        for prefix, lane in self._by_beginning.get(url[:INDEXED], ()):
            if url.startswith(prefix):
                return lane
        return None


def decoded_path(raw_path: bytes) -> str:
    """The path of an ASGI scope."""
    if b"%" not in raw_path and raw_path.isascii():
        return raw_path.decode("ascii")
    return unquote_to_bytes(raw_path).decode("utf-8", "replace")


def header_lines(headers: Headers) -> bytes:
    """Encode headers as they are sent. For a lane's answers, which are prepared once."""
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])


def with_length(lines: bytes, body: bytes) -> bytes:
    """Header lines with the Content-Length of a body at their end."""
    return b"%bcontent-length: %d\r\n" % (lines, len(body))
