"""What the server makes of an application's messages, in the right order and in the wrong one."""

import asyncio
from typing import Any, NamedTuple

import pytest
from structlog.testing import capture_logs

from support.http_server import serving
from support.raw_http import RawClient, request

Message = dict[str, Any]


def start(status: int = 200, *headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(content: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


LENGTH, CLOSE, CHUNKED = b"content-length: 5", b"connection: close", b"transfer-encoding: chunked"
KEEP = b"connection: keep-alive"


class Case(NamedTuple):
    """Messages, and what arrives for a GET, a HEAD and a GET of HTTP/1.0.

    Attributes:
        lines: headers, without Date.
        old: headers of the response to HTTP/1.0.
    """

    messages: list[Message]
    lines: list[bytes]
    content: bytes = b"hello"
    status: int = 200
    head: list[bytes] | None = None
    old: list[bytes] | None = None


CASES = {
    "at once": Case([start(), body(b"hello")], [LENGTH], old=[LENGTH, KEEP]),
    "with its length": Case([start(200, (b"content-length", b"5")), body(b"hello")], [LENGTH], old=[LENGTH, KEEP]),
    "in parts": Case(
        [start(), body(b"hel", more=True), body(b"", more=True), body(b"lo")], [CHUNKED], head=[], old=[CLOSE]
    ),
    "in parts with its length": Case(
        [start(200, (b"content-length", b"5")), body(b"hel", more=True), body(b"lo")], [LENGTH], old=[LENGTH, KEEP]
    ),
    "in parts with an empty end": Case([start(), body(b"hello", more=True), body()], [CHUNKED], head=[], old=[CLOSE]),
    "nothing": Case([start(), body()], [b"content-length: 0"], b"", old=[b"content-length: 0", KEEP]),
    "204": Case([start(204), body()], [], b"", 204, old=[KEEP]),
    "204 with a body": Case([start(204), body(b"hello")], [], b"", 204, old=[KEEP]),
    "304 with a length": Case([start(304, (b"content-length", b"5")), body()], [LENGTH], b"", 304, old=[LENGTH, KEEP]),
    "304 in parts": Case([start(304), body(b"hel", more=True), body(b"lo")], [], b"", 304, old=[KEEP]),
    "the last one": Case(
        [start(200, (b"connection", b"close")), body(b"hello")],
        [CLOSE, LENGTH],
        old=[CLOSE, LENGTH],
    ),
    "headers as they are": Case(
        [start(200, (b"x-b", b"1"), (b"x-a", b""), (b"x-b", b"\xc3\xbc")), body(b"hello")],
        [b"x-b: 1", b"x-a: ", b"x-b: \xc3\xbc", LENGTH],
        old=[b"x-b: 1", b"x-a: ", b"x-b: \xc3\xbc", LENGTH, KEEP],
    ),
}


def sending(messages: list[Message]) -> Any:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    return app


@pytest.mark.parametrize("case", CASES)
async def test_messages_become_a_response(case: str) -> None:
    messages, lines, content, status, head, old = CASES[case]
    asked = (("GET", "1.1", lines), ("HEAD", "1.1", lines if head is None else head), ("GET", "1.0", old))
    async with serving(sending(messages)) as started:
        for method, version, wanted in asked:
            async with RawClient.to(started.address) as client:
                more = ("Connection: keep-alive",) if version == "1.0" else ()
                response = await client.ask(request("/", *more, method=method, version=version))
                assert response.status == status
                received = [line for line in response.head.split(b"\r\n")[1:] if not line.startswith(b"date: ")]
                assert received == wanted
                assert response.body == (b"" if method == "HEAD" else content)
                if CLOSE in received:
                    assert await client.ends(3) == b""
                else:
                    assert (await client.ask(request("/"))).status == status


async def test_a_head_does_not_wait_long_for_the_body() -> None:
    going_on = asyncio.Event()

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send(start())
        await going_on.wait()
        await send(body(b"hello"))

    async with (
        serving(app) as started,
        RawClient.to(started.address) as client,
    ):
        await client.send(request("/"))
        assert CHUNKED in await client.reader.readuntil(b"\r\n\r\n")
        going_on.set()
        assert await client.reader.readuntil(b"0\r\n\r\n") == b"5\r\nhello\r\n0\r\n\r\n"


FAILING: dict[str, tuple[list[Message | Exception], bool]] = {
    # messages, and whether there is still an answer
    "nothing at all": ([], True),
    "an error": ([ValueError("a fault")], True),
    "an error behind the head": ([start(), ValueError("a fault")], True),
    "a head without a body": ([start()], True),
    "a body without a head": ([body(b"hello")], True),
    "two heads": ([start(), start()], True),
    "a line break in a header": ([start(200, (b"x-a", b"b\r\nx-c: d")), body()], True),
    "a bare LF in a header": ([start(200, (b"x-a", b"b\nc")), body()], True),
    "NUL in a header": ([start(200, (b"x-a", b"b\0c")), body()], True),
    "a body that is too short": ([start(200, (b"content-length", b"9")), body(b"hello")], False),
    "a body that is too long": ([start(200, (b"content-length", b"2")), body(b"hello")], False),
    "parts that are too short": ([start(200, (b"content-length", b"9")), body(b"hello", more=True), body()], False),
    "an error in the middle": ([start(), body(b"hello", more=True), ValueError("a fault")], False),
    "no end": ([start(), body(b"hello", more=True)], False),
}


@pytest.mark.parametrize("case", FAILING)
async def test_a_failed_application_is_never_taken_for_one_that_answered(case: str) -> None:
    messages, answered = FAILING[case]

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        for message in messages:
            if isinstance(message, Exception):
                raise message
            await send(message)

    async with (
        serving(app) as started,
        RawClient.to(started.address) as client,
    ):
        with capture_logs() as logged:
            await client.send(request("/"))
            if answered:
                response = await client.response()
                assert (response.status, response.closes, response.body) == (500, True, b"the request failed")
                assert await client.ends(3) == b""
            else:
                rest = await client.ends(3)
                assert not rest.endswith((b"0\r\n\r\n", b"123456789"))
        assert [line["log_level"] for line in logged] == ["error"]
        assert started.counts.refused["failed"] == 1


async def test_an_error_behind_the_response_is_only_logged() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send(start())
        await send(body(b"hello"))
        await asyncio.sleep(0.01)
        raise ValueError

    async with (
        serving(app) as started,
        RawClient.to(started.address) as client,
    ):
        with capture_logs() as logged:
            for _ in range(3):
                response = await client.ask(request("/"))
                assert (response.status, response.closes) == (200, False)
            await asyncio.sleep(0.1)
        assert len(logged) == 3


async def test_an_idle_connection_holds_no_request() -> None:
    async with (
        serving(sending([start(), body(b"hello")])) as started,
        RawClient.to(started.address) as client,
    ):
        large = request("/" + "x" * 20_000, "Cookie: " + "c" * 20_000, "Content-Length: 9000", method="POST")
        assert (await client.ask(large + b"x" * 9_000)).status == 200
        await client.send(b"")
        [connection] = started.server._state.connections  # noqa: SLF001
        exchange = connection.cycle  # type: ignore[union-attr]
        held = (connection.url, connection.headers, exchange.scope, exchange.body)  # type: ignore[union-attr]
        assert held == (b"", [], {}, b"")
        assert (await client.ask(request("/"))).status == 200


async def test_a_response_for_a_client_that_is_being_cut_off_is_no_failure() -> None:
    begun, going_on = asyncio.Event(), asyncio.Event()

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        begun.set()
        await going_on.wait()
        await send(start())
        await send(body(b"hello"))

    async with (
        serving(app) as started,
        RawClient.to(started.address) as client,
    ):
        with capture_logs() as logged:
            await client.send(request("/"))
            await begun.wait()
            [connection] = started.server._state.connections  # noqa: SLF001
            going_on.set()
            connection.transport.close()
            await started.all_closed()
        assert not logged
        assert started.counts.refused["failed"] == 0
