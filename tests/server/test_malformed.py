"""What is not HTTP gets one refusal and the end of the connection; what only looks odd is answered."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from support.http_server import Serving, serving_application
from support.in_process import InProcess, in_process
from support.raw_http import RawClient, Received, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

BEHIND = b"GET /hit/example.com/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
"""What must never be carried out."""

HIT = b"GET /hit/example.com/malformed "
HOST = b"Host: x\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
UPDATE = b"POST /hit/example.com/malformed HTTP/1.1\r\nHost: x\r\n"
BODY_WANTED = b"POST /v1/counters HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Type: application/json\r\n"

MALFORMED: dict[str, tuple[int, bytes]] = {
    # what is sent, and the status of the one response
    "words": (400, b"hello, is there somebody?\r\n\r\n"),
    "no URL": (400, b"GET HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a relative URL": (400, b"GET hit/example.com/malformed HTTP/1.1\r\n" + HOST + b"\r\n"),
    "another scheme": (400, b"GET ftp://x/hit/example.com/malformed HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a port that is none": (400, b"GET http://x:99999/hit/example.com/malformed HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a space in the URL": (400, b"GET /hit/example.com/mal formed HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a control character in the URL": (400, b"GET /hit/example.com/mal\x01formed HTTP/1.1\r\n" + HOST + b"\r\n"),
    "NUL in the URL": (400, b"GET /hit/example.com/mal\0formed HTTP/1.1\r\n" + HOST + b"\r\n"),
    "NUL in a header": (400, HIT + b"HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n"),
    "a bare LF behind the request line": (400, HIT + b"HTTP/1.1\n" + HOST + b"\r\n"),
    "a bare LF behind a header": (400, HIT + b"HTTP/1.1\r\nHost: x\nX-A: b\r\n\r\n"),
    "bare LFs": (400, HIT + b"HTTP/1.1\nHost: x\n\n"),
    "a bare CR in a header": (400, HIT + b"HTTP/1.1\r\nHost: x\r\nX-A: a\rb\r\n\r\n"),
    "a folded header": (400, HIT + b"HTTP/1.1\r\nHost: x\r\nX-A: a\r\n b\r\n\r\n"),
    "a folded header with a tab": (400, HIT + b"HTTP/1.1\r\nHost: x\r\nX-A: a\r\n\tb\r\n\r\n"),
    "a space before the colon": (400, HIT + b"HTTP/1.1\r\nHost : x\r\n\r\n"),
    "a space before the colon of a length": (400, UPDATE + b"Content-Length : 5\r\n\r\n12345"),
    "a space before the first header": (400, HIT + b"HTTP/1.1\r\n Host: x\r\n\r\n"),
    "a header without a name": (400, HIT + b"HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n"),
    "a header without a colon": (400, HIT + b"HTTP/1.1\r\nHost: x\r\nnothing\r\n\r\n"),
    "a header beyond ASCII": (400, HIT + b"HTTP/1.1\r\nHost: x\r\nX-\xc3\xbc: a\r\n\r\n"),
    "no Host": (400, HIT + b"HTTP/1.1\r\nX-A: b\r\n\r\n"),
    "no header at all": (400, HIT + b"HTTP/1.1\r\n\r\n"),
    "two Hosts": (400, HIT + b"HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
    "two Hosts in HTTP/1.0": (400, HIT + b"HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n"),
    "HTTP/0.9": (400, b"GET /hit/example.com/malformed\r\n"),
    "HTTP/1.2": (400, HIT + b"HTTP/1.2\r\n" + HOST + b"\r\n"),
    "HTTP/2.0": (400, HIT + b"HTTP/2.0\r\n" + HOST + b"\r\n"),
    "HTTP/11.1": (400, HIT + b"HTTP/11.1\r\n" + HOST + b"\r\n"),
    "a version in lower case": (400, HIT + b"http/1.1\r\n" + HOST + b"\r\n"),
    "HTTP/2 with prior knowledge": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"),
    "TLS": (400, bytes.fromhex("16030100c8010000c40303") + bytes(range(190))),
    "SSH": (400, b"SSH-2.0-OpenSSH_9.9\r\n"),
    "an unknown method": (405, b"FETCH /hit/example.com/malformed HTTP/1.1\r\n" + HOST + b"\r\n"),
    "an unknown method on the pixel": (405, b"FETCH /count?p=/a HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a method in lower case": (405, b"get /hit/example.com/malformed HTTP/1.1\r\n" + HOST + b"\r\n"),
    "CONNECT": (405, b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"),
    "an expectation that is none": (417, UPDATE + b"Expect: the best\r\nContent-Length: 5\r\n\r\n12345"),
    "two lengths": (400, UPDATE + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n12345"),
    "two different lengths": (400, UPDATE + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n12345"),
    "a list of lengths": (400, UPDATE + b"Content-Length: 5, 5\r\n\r\n12345"),
    "a negative length": (400, UPDATE + b"Content-Length: -5\r\n\r\n12345"),
    "a length with a sign": (400, UPDATE + b"Content-Length: +5\r\n\r\n12345"),
    "a length in hexadecimal": (400, UPDATE + b"Content-Length: 0x5\r\n\r\n12345"),
    "a length with a fraction": (400, UPDATE + b"Content-Length: 5.0\r\n\r\n12345"),
    "an empty length": (400, UPDATE + b"Content-Length:\r\n\r\n12345"),
    "a length of 64 bits and more": (400, UPDATE + b"Content-Length: 18446744073709551617\r\n\r\n1"),
    "CL.TE": (400, UPDATE + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n"),
    "TE.CL": (400, UPDATE + CHUNKED + b"Content-Length: 3\r\n\r\n0\r\n\r\n"),
    "TE.TE": (400, UPDATE + CHUNKED + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    "TE.TE, an unknown one first": (400, UPDATE + b"Transfer-Encoding: x\r\n" + CHUNKED + b"\r\n0\r\n\r\n"),
    "chunked twice": (400, UPDATE + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n"),
    "chunked twice in a list": (400, UPDATE + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    "an unknown coding": (400, UPDATE + b"Transfer-Encoding: gzip\r\n\r\n12345"),
    "gzip, chunked": (400, UPDATE + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "chunked, identity": (400, UPDATE + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    "xchunked": (400, UPDATE + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    "chunked with a vertical tab": (400, UPDATE + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    "chunked in HTTP/1.0": (400, HIT + b"HTTP/1.0\r\nHost: x\r\n" + CHUNKED + b"\r\n0\r\n\r\n"),
    "a chunk that is none": (400, BODY_WANTED + CHUNKED + b"\r\nzz\r\n12345\r\n0\r\n\r\n"),
    "a chunk that is longer than it says": (400, BODY_WANTED + CHUNKED + b"\r\n2\r\n12345\r\n0\r\n\r\n"),
    "a chunk with a sign": (400, BODY_WANTED + CHUNKED + b"\r\n+5\r\n12345\r\n0\r\n\r\n"),
    "a chunk of more than 64 bits": (400, BODY_WANTED + CHUNKED + b"\r\n" + b"f" * 17 + b"\r\n1"),
    "a chunk's bare LF": (400, BODY_WANTED + CHUNKED + b"\r\n5\n12345\r\n0\r\n\r\n"),
    "bare LFs in an extension": (400, BODY_WANTED + CHUNKED + b"\r\n5;a\nb\r\n12345\r\n0\r\n\r\n"),
    "a space behind a chunk's size": (400, BODY_WANTED + CHUNKED + b"\r\n5 \r\n12345\r\n0\r\n\r\n"),
    "a header that is too large": (431, HIT + b"HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n"),
    "a URL that is too large": (431, b"GET /hit/" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a head that does not end": (431, HIT + b"HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 10_000),
    "too many headers": (431, HIT + b"HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 101 + b"\r\n"),
    "an extension that does not end": (431, BODY_WANTED + CHUNKED + b"\r\n5;" + b"a" * 70_000),
    "trailers that do not end": (431, BODY_WANTED + CHUNKED + b"\r\n0\r\n" + b"X-A: b\r\n" * 120),
    "a trailer that does not end": (431, BODY_WANTED + CHUNKED + b"\r\n0\r\nX-A:" + b"a" * 70_000),
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[InProcess]:
    async with in_process(tmp_path_factory.mktemp("malformed")) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def started(running: InProcess) -> AsyncIterator[Serving]:
    async with serving_application(running.application, head_within_s=5.0) as started:
        yield started


async def counted(running: InProcess, name: str) -> int:
    return int((await running.ask(f"/get/example.com/{name}")).json()["value"] or 0)


@pytest.mark.parametrize("split", [False, True], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("case", MALFORMED)
async def test_one_refusal_and_the_end(running: InProcess, started: Serving, case: str, split: bool) -> None:  # noqa: FBT001
    status, sent = MALFORMED[case]
    if split and len(sent) > 2_000:
        return
    refused, before = started.counts.refused.total(), await counted(running, "malformed")
    async with RawClient.to(started.address) as client:
        try:
            if split:
                for byte in sent:
                    await client.send(bytes([byte]))
                    await asyncio.sleep(0)
                await client.send(BEHIND)
            else:
                await client.send(sent + BEHIND)
        except ConnectionError:
            pass
        response = await client.response()
        assert await client.ends(3) == b""
    allowed = {status}
    if split and status == 405:
        allowed.add(400)  # what stands behind the method has not arrived
    if sent.startswith(BODY_WANTED):
        allowed.add(401)  # the request is answered before its body is read
    assert response.status in allowed, response
    assert response.closes or response.status == 401
    assert started.counts.refused.total() == refused + 1
    assert await counted(running, "malformed") == before
    assert await counted(running, "smuggled") == 0


def _in_dialect(response: Received) -> bool:
    return (
        response.header("content-type") == "application/json; charset=utf-8"
        and response.header("access-control-allow-origin") == "*"
        and response.body.startswith(b'{"error":"')
    )


@pytest.mark.parametrize("case", ["two Hosts", "two lengths", "too many headers", "an unknown method", "words", "TLS"])
async def test_refusals_are_readable_for_pages(started: Serving, case: str) -> None:
    async with RawClient.to(started.address) as client:
        assert _in_dialect(await client.ask(MALFORMED[case][1]))


async def test_a_head_that_does_not_arrive_in_time(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running, serving_application(running.application, head_within_s=0.2) as started:
        async with RawClient.to(started.address) as client:
            response = await client.ask(HIT + b"HTTP/1.1\r\nHost:")
            assert response.status == 408
            assert response.closes
            assert _in_dialect(response)
            assert await client.ends(3) == b""
        assert started.counts.refused["head too slow"] == 1


async def value(client: RawClient, sent: bytes) -> object:
    response = await client.ask(sent)
    assert response.status == 200, response
    return response.body


ODD = {
    "raw UTF-8 in the query": request("/hit/example.com/odd?x=\u00fc\u20ac"),
    "Latin-1 in the query": b"GET /hit/example.com/odd?x=\xfc HTTP/1.1\r\nHost: x\r\n\r\n",
    "two spaces": request(" /hit/example.com/odd"),
    "line breaks before it": b"\r\n\r\n" + request("/hit/example.com/odd"),
    "an empty value": request("/hit/example.com/odd", "X-A:", "X-B: "),
    "many spaces": request("/hit/example.com/odd", "X-A:   \t a \t ", "X-B:b"),
    "a value beyond ASCII": b"GET /hit/example.com/odd HTTP/1.1\r\nHost: x\r\nX-A: \xc3\xbc\xff\r\n\r\n",
    "names in capitals": b"GET /hit/example.com/odd HTTP/1.1\r\nHOST: x\r\nCONTENT-LENGTH: 0\r\n\r\n",
    "an empty Host": request("/hit/example.com/odd", host=""),
    "a body": request("/hit/example.com/odd", "Content-Length: 5") + b"12345",
    "a POST without a length": request("/hit/example.com/odd", method="POST"),
    "a POST with a body": request("/hit/example.com/odd", "Content-Length: 5", method="POST") + b"12345",
    "chunks": request("/hit/example.com/odd", "Transfer-Encoding: chunked", method="POST") + b"5\r\n12345\r\n0\r\n\r\n",
    "chunks with extensions": request("/hit/example.com/odd", "Transfer-Encoding: Chunked", method="POST")
    + b'5;a=b;c="d"\r\n12345\r\n0;e\r\n\r\n',
    "chunks with trailers": request("/hit/example.com/odd", "Transfer-Encoding: chunked", "Trailer: X-A", method="POST")
    + b"5\r\n12345\r\n0\r\nX-A: b\r\nX-C: d\r\n\r\n",
    "an absolute URL": request("http://example.com/hit/example.com/odd", host="other"),
    "an absolute URL with a port": request("http://example.com:8080/hit/example.com/odd", host="other"),
    "an absolute URL, https": request("HTTPS://example.com/hit/example.com/odd", host="other"),
    "100-continue": request("/hit/example.com/odd", "Expect: 100-continue", "Content-Length: 0", method="POST"),
    "an offer of h2c": request(
        "/hit/example.com/odd", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"
    ),
    "an offer of h2c with a body": request(
        "/hit/example.com/odd",
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABk",
        "Content-Length: 5",
        method="POST",
    )
    + b"12345",
    "an offer of TLS": request("/hit/example.com/odd", "Connection: Upgrade", "Upgrade: TLS/1.0"),
    "an upgrade that is not asked for": request("/hit/example.com/odd", "Upgrade: websocket"),
    "HTTP/1.0, to be kept": request("/hit/example.com/odd", "Connection: keep-alive", version="1.0"),
    "HTTP/1.0 without Host": request("/hit/example.com/odd", "Connection: Keep-Alive", version="1.0", host=None),
    "a long URL": request("/hit/example.com/odd?" + "x" * 6_000),
    "long headers": request("/hit/example.com/odd", "Cookie: " + "c" * 30_000),
}


@pytest.mark.parametrize("split", [False, True], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("case", ODD)
async def test_what_looks_odd_is_counted_once_and_the_connection_goes_on(
    running: InProcess,
    started: Serving,
    case: str,
    split: bool,  # noqa: FBT001
) -> None:
    sent = ODD[case]
    before = await counted(running, "odd")
    async with RawClient.to(started.address) as client:
        for _ in range(2):
            await client.send(*(sent[n : n + 1] for n in range(len(sent))) if split else (sent,))
            response = await client.response()
            assert response.status == 200, response
            assert not response.closes
        assert (await client.ask(request("/get/example.com/odd"))).body == b'{"value":%d}' % (before + 2)


async def test_head_has_the_head_of_get(running: InProcess, started: Serving) -> None:
    await running.ask("/hit/example.com/head")
    async with RawClient.to(started.address) as client:
        head = await client.ask(request("/hit/example.com/head", method="HEAD"))
        get = await client.ask(request("/get/example.com/head"))
    assert head.head.split(b"\r\n")[1:] == get.head.split(b"\r\n")[1:]


async def test_a_refused_head_has_no_body(started: Serving) -> None:
    async with RawClient.to(started.address) as client:
        response = await client.ask(request("/hit/example.com/malformed", "Host: y", method="HEAD"))
        assert response.status == 400
        assert await client.ends(3) == b""


async def test_http_1_0_closes(started: Serving) -> None:
    async with RawClient.to(started.address) as client:
        response = await client.ask(request("/get/example.com/odd", version="1.0"))
        assert response.closes
        assert await client.ends(3) == b""


async def test_http_1_0_is_told_that_it_may_go_on(started: Serving) -> None:
    async with RawClient.to(started.address) as client:
        response = await client.ask(request("/get/example.com/odd", "Connection: keep-alive", version="1.0"))
        assert response.header("connection") == "keep-alive"


async def test_options_of_the_server(started: Serving) -> None:
    async with RawClient.to(started.address) as client:
        response = await client.ask(request("*", method="OPTIONS"))
        assert response.status == 204
        assert response.header("access-control-allow-origin") == "*"
        assert (await client.ask(request("/health/live"))).status == 200


async def test_a_client_that_has_closed_its_side_gets_its_responses(running: InProcess, started: Serving) -> None:
    before = await counted(running, "half")
    for behind in (1, 2, 300):
        async with RawClient.to(started.address) as client:
            await client.send(request("/hit/example.com/half") * behind)
            client.half_close()
            responses = [await client.response() for _ in range(behind)]
            assert await client.ends(3) == b""
        assert [each.status for each in responses] == [200] * behind
        before += behind
        assert responses[-1].body == b'{"value":%d}' % before
