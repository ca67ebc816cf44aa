"""Pipelined requests are answered one after the other, in their order, however they arrive."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from support.asking import new_name
from support.http_server import Serving, serving, serving_application
from support.in_process import InProcess, in_process
from support.raw_http import RawClient, request
from tallystick.server.connection import Connection
from tallystick.server.hot_lane import Answer, HotRequest

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[InProcess]:
    async with in_process(tmp_path_factory.mktemp("pipelining")) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def started(running: InProcess) -> AsyncIterator[Serving]:
    async with serving_application(running.application) as started:
        yield started


class Counted:
    """One counter, and what requests about it have to answer."""

    def __init__(self) -> None:
        self.key, self.value = f"example.com/{new_name()}", 0

    def hit(self) -> tuple[bytes, bytes]:
        self.value += 1
        return request(f"/hit/{self.key}"), self._body()

    def cold_hit(self) -> tuple[bytes, bytes]:
        self.value += 1
        return request(f"/hit/{self.key}?callback=f"), b'/**/f({"value":%d,"status":200,"code":200});' % self.value

    def update(self) -> tuple[bytes, bytes]:
        self.value += 1
        return request(f"/update/{self.key}?amount=1", "Content-Length: 0", method="POST"), self._body()

    def with_body(self) -> tuple[bytes, bytes]:
        self.value += 1
        return request(f"/hit/{self.key}", "Content-Length: 11", method="POST") + b"GET / HTTP/", self._body()

    def with_chunks(self) -> tuple[bytes, bytes]:
        self.value += 1
        head = request(f"/hit/{self.key}", "Transfer-Encoding: chunked", method="POST")
        return head + b"3;x=y\r\nGET\r\n2\r\n /\r\n0\r\nX-A: b\r\n\r\n", self._body()

    def get(self) -> tuple[bytes, bytes]:
        return request(f"/get/{self.key}"), self._body()

    def nothing(self) -> tuple[bytes, bytes]:
        return request("/get/example.com/nothing"), b'{"value":null}'

    def offer(self) -> tuple[bytes, bytes]:
        self.value += 1
        head = request(f"/hit/{self.key}", "Connection: Upgrade", "Upgrade: h2c", "Content-Length: 3", method="POST")
        return head + b"GET", self._body()

    def preflight(self) -> tuple[bytes, bytes]:
        return request(f"/hit/{self.key}", method="OPTIONS"), b""

    def _body(self) -> bytes:
        return b'{"value":%d}' % self.value

    def mixed(self, number: int, seed: object) -> Iterator[tuple[bytes, bytes]]:
        chance = random.Random(str(seed))
        kinds = [self.cold_hit, self.update, self.with_body, self.with_chunks, self.nothing, self.offer, self.preflight]
        yield self.hit()
        for _ in range(number - 1):
            yield chance.choice([self.hit, self.hit, self.get, *kinds])()


async def answers(client: RawClient, number: int) -> list[bytes]:
    return [(await client.response()).body for _ in range(number)]


def parts(data: bytes, cuts: list[int]) -> list[bytes]:
    return [data[start:end] for start, end in pairwise([0, *sorted(cuts), len(data)]) if start < end]


@pytest.mark.parametrize("order", ["hot cold", "cold hot", "hot hot", "cold cold", "hot cold hot cold"])
async def test_two_kinds_of_requests_keep_their_order(started: Serving, order: str) -> None:
    counted = Counted()
    wanted = [counted.hit() if kind == "hot" else counted.cold_hit() for kind in order.split()]
    hot = started.counts.hot
    async with RawClient.to(started.address) as client:
        await client.send(b"".join(sent for sent, _ in wanted))
        assert await answers(client, len(wanted)) == [body for _, body in wanted]
    assert started.counts.hot == hot + order.startswith("hot")


@pytest.mark.parametrize("seed", range(3))
async def test_a_thousand_requests_in_one_packet(started: Serving, seed: int) -> None:
    wanted = list(Counted().mixed(1_000, seed))
    async with RawClient.to(started.address) as client:
        await client.send(b"".join(sent for sent, _ in wanted))
        assert await answers(client, len(wanted)) == [body for _, body in wanted]


@pytest.mark.parametrize("seed", range(3))
async def test_a_thousand_requests_in_pieces(started: Serving, seed: int) -> None:
    wanted = list(Counted().mixed(1_000, seed))
    data = b"".join(sent for sent, _ in wanted)
    chance = random.Random(seed)
    pieces = parts(data, [chance.randrange(len(data)) for _ in range(chance.choice([5, 100, 2_000]))])
    async with RawClient.to(started.address) as client:
        sending = asyncio.create_task(client.send(*pieces))
        assert await answers(client, len(wanted)) == [body for _, body in wanted]
        await sending


async def test_every_boundary_of_a_few_requests(started: Serving) -> None:
    kinds = ("hit", "cold_hit", "with_body", "with_chunks", "offer", "get")
    size = len(b"".join(getattr(Counted(), kind)()[0] for kind in kinds))

    async def cut_at(place: int) -> None:
        counted = Counted()
        wanted = [getattr(counted, kind)() for kind in kinds]
        data = b"".join(sent for sent, _ in wanted)
        async with RawClient.to(started.address) as client:
            await client.send(data[:place])
            await asyncio.sleep(0.01)
            await client.send(data[place:])
            assert await answers(client, len(wanted)) == [body for _, body in wanted], place

    for start in range(1, size, 50):
        async with asyncio.TaskGroup() as group:
            for place in range(start, min(start + 50, size)):
                group.create_task(cut_at(place))


@pytest.mark.parametrize("last", ["Connection: close", "connection: Close, x"])
@pytest.mark.parametrize("packets", [1, 2])
async def test_nothing_behind_the_last_request_is_carried_out(
    running: InProcess, started: Serving, last: str, packets: int
) -> None:
    counted = Counted()
    wanted = list(counted.mixed(20, last))
    final = request(f"/get/{counted.key}", last)
    behind = request(f"/hit/{counted.key}") * 3
    async with RawClient.to(started.address) as client:
        before = b"".join(sent for sent, _ in wanted) + final
        await client.send(*([before + behind] if packets == 1 else [before, behind]))
        assert await answers(client, 20) == [body for _, body in wanted]
        response = await client.response()
        assert response.closes
        assert response.body == b'{"value":%d}' % counted.value
        assert await client.ends(3) == b""
    assert (await running.ask(f"/get/{counted.key}")).json() == {"value": counted.value}


@pytest.mark.parametrize(
    ("malformed", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nExpect: y\r\n\r\n", 417),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    ],
)
@pytest.mark.parametrize("good", [1, 2, 7, 200])
async def test_good_requests_before_a_malformed_one_are_answered(
    running: InProcess, started: Serving, malformed: bytes, status: int, good: int
) -> None:
    counted = Counted()
    wanted = list(counted.mixed(good, malformed))
    async with RawClient.to(started.address) as client:
        await client.send(b"".join(sent for sent, _ in wanted) + malformed + request(f"/hit/{counted.key}"))
        assert await answers(client, good) == [body for _, body in wanted]
        response = await client.response()
        assert response.status == status
        assert response.closes
        assert await client.ends(3) == b""
    assert (await running.ask(f"/get/{counted.key}")).json()["value"] == (counted.value or None)


class Slow:
    """An application and a lane whose requests wait until they are let go.

    Attributes:
        begun: URLs in the order in which they were begun.
    """

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.waiting: dict[str, asyncio.Event] = {}
        self.hot: list[HotRequest] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        self.begun.append(path)
        if path.startswith("/slow"):
            await self.waiting.setdefault(path, asyncio.Event()).wait()
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": path.encode() + body})

    def take(self, request: HotRequest) -> None:
        self.begun.append(request.url.decode())
        if request.url == b"/hot/now":
            request.respond(self.answer(request, None))
        else:
            self.hot.append(request)

    def answer(self, request: HotRequest, _: Any) -> Answer:
        return 200, b"content-length: %d\r\n" % len(request.url), request.url

    def refuse(self, request: HotRequest, error: Exception) -> Answer:  # noqa: ARG002
        return 500, b"content-length: 0\r\n", b""


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def quiet(client: RawClient) -> None:
    """Nothing arrives."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await client.reader.read(1)


async def test_behind_a_slow_request_the_others_wait() -> None:
    app = Slow()
    async with (
        serving(app, lanes={b"/hot/": app}) as started,
        RawClient.to(started.address) as client,
    ):
        paths = ["/slow/1", "/a", "/hot/2", "/slow/3", "/hot/now", "/b"]
        await client.send(b"".join(map(request, paths)))
        await until(lambda: app.begun)
        await quiet(client)
        assert app.begun == ["/slow/1"]
        app.waiting["/slow/1"].set()
        assert await answers(client, 3) == [b"/slow/1", b"/a", b"/hot/2"]
        await quiet(client)
        assert app.begun == paths[:4]
        app.waiting["/slow/3"].set()
        assert await answers(client, 3) == [b"/slow/3", b"/hot/now", b"/b"]
        assert started.counts.hot == 0


async def test_behind_a_slow_request_of_the_lane_the_others_wait() -> None:
    app = Slow()
    async with (
        serving(app, lanes={b"/hot/": app}) as started,
        RawClient.to(started.address) as client,
    ):
        await client.send(request("/hot/1") + request("/hot/2") + request("/a") + request("/hot/3"))
        await until(lambda: app.hot)
        await quiet(client)
        assert app.begun == ["/hot/1"]
        app.hot.pop().set_result(None)
        assert await answers(client, 4) == [b"/hot/1", b"/hot/2", b"/a", b"/hot/3"]
        assert (started.counts.hot, started.counts.left["pipelined"]) == (1, 2)
        await client.send(request("/hot/now") * 3)
        assert await answers(client, 3) == [b"/hot/now"] * 3
        assert started.counts.hot == 4


async def test_a_body_belongs_to_its_own_request() -> None:
    app = Slow()
    offer = request("/c", "Connection: Upgrade", "Upgrade: h2c", "Content-Length: 2", method="POST") + b"cc"
    async with (
        serving(app, lanes={b"/hot/": app}) as started,
        RawClient.to(started.address) as client,
    ):
        with_bodies = [request(path, "Content-Length: 2", method="POST") + body for path, body in BODIES]
        await client.send(with_bodies[0] + offer + with_bodies[1] + offer)
        await until(lambda: app.begun)
        app.waiting["/slow/1"].set()
        assert await answers(client, 4) == [b"/slow/1aa", b"/ccc", b"/bbb", b"/ccc"]


BODIES = (("/slow/1", b"aa"), ("/b", b"bb"))


async def test_a_large_body_behind_a_slow_request_arrives_whole() -> None:
    app = Slow()
    large = random.Random(1).randbytes(3_000_000)
    async with (
        serving(app) as started,
        RawClient.to(started.address) as client,
    ):
        sending = asyncio.create_task(
            client.send(request("/slow/1") + request("/b", f"Content-Length: {len(large)}", method="POST") + large)
        )
        await until(lambda: app.begun)
        await asyncio.sleep(0.1)
        [connection] = started.server._state.connections  # noqa: SLF001
        assert isinstance(connection, Connection)
        assert connection.cycle is not None
        assert len(connection.cycle.body) < 600_000
        app.waiting["/slow/1"].set()
        assert await answers(client, 2) == [b"/slow/1", b"/b" + large]
        await sending


async def test_a_failed_lane_does_not_hold_its_connection_up() -> None:
    class Broken(Slow):
        def take(self, request: HotRequest) -> None:
            raise RuntimeError(request.url)

    app = Broken()
    async with (
        serving(app, lanes={b"/hot/": app}) as started,
        RawClient.to(started.address) as client,
    ):
        with capture_logs() as logged:
            response = await client.ask(request("/hot/1") + request("/b"))
        assert response.status == 400
        assert [line["event"] for line in logged] == ["a request could not be read"]
        assert await client.ends(3) == b""
