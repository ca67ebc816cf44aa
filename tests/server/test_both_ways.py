"""Every answer of a hot lane is the one of the ordinary way, byte by byte; only the Date may differ.

Each request goes to two servers over equal data: one has the lanes, the other has none.
"""

import asyncio
import gc
import random
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from support.analytics import FIREFOX, HOST, UNLIMITED, prepare
from support.http_server import Serving, serving_application
from support.in_process import InProcess, in_process
from support.raw_http import RawClient, Received, request
from tallystick.errors import StoreFailed, StoreFull
from tallystick.gathering import GatheringThread, Resolvable
from tallystick.ledger import Ledger
from tallystick.model.counter import INT64_MAX, INT64_MIN
from tallystick.model.key import Key

CLIENTS, REQUESTS = 8, 300
SEEDS = (1, 2)

_trace = re.compile(rb'"traceId":"[0-9a-f]{16}"')


class World(NamedTuple):
    """A server, and what it runs."""

    running: InProcess
    serving: Serving

    async def metrics(self) -> list[str]:
        """What is counted of requests."""
        text = (await self.running.ask("/metrics")).text
        counted = r"tallystick_(requests|refusals|dropped)\w*\{.*"
        return sorted(line for line in text.splitlines() if re.match(counted, line))


class Worlds(NamedTuple):
    """The server with the lanes, and the one without.

    Attributes:
        names: what stands in a request for an id or a secret that is not known before.
    """

    hot: World
    ordinary: World
    names: dict[str, str]

    @asynccontextmanager
    async def client(self) -> AsyncIterator["TwoClients"]:
        """A client with one connection to each."""
        clients = TwoClients(self)
        try:
            yield clients
        finally:
            await clients.close()


class TwoClients:
    """Sends each request to both servers."""

    def __init__(self, worlds: Worlds) -> None:
        self._worlds = worlds
        self._open: list[tuple[Any, RawClient]] = []

    async def close(self) -> None:
        """Close both connections."""
        for context, _ in self._open:
            await context.__aexit__(None, None, None)
        self._open = []

    async def compare(self, sent: bytes) -> Received:
        """Send a request; the answer, which is the same from both."""
        if not self._open:
            contexts = [RawClient.to(world.serving.address) for world in self._worlds[:2]]
            self._open = [(context, await context.__aenter__()) for context in contexts]
        sent = re.sub(rb"\{([a-z0-9-]+)\}", lambda match: self._worlds.names[match[1].decode()].encode(), sent)
        hot, ordinary = await asyncio.gather(*(client.ask(sent) for _, client in self._open))
        assert _trace.sub(b"", hot.timeless) == _trace.sub(b"", ordinary.timeless), sent
        if hot.closes:
            ends = [await client.ends() for _, client in self._open]
            assert ends == [b"", b""]
            await self.close()
        return hot


@asynccontextmanager
async def two_worlds(folder: Path, **settings: Any) -> AsyncIterator[Worlds]:
    """Two servers over equal data, with a site, shared counters and a token; rate limits are off."""
    settings.setdefault("rate_limit", UNLIMITED)
    base = folder / "base"
    base.mkdir()
    prepared = await asyncio.to_thread(prepare, base)
    names = {"token": prepared.token}
    async with in_process(base, rate_limit=UNLIMITED) as running:
        headers = [("authorization", f"Bearer {prepared.token}")]
        for number in range(CLIENTS):
            body = b'{"displayName":"Visitors","type":"UpDown","data":{}}'
            made = await running.ask("/v1/counters", method="POST", headers=headers, body=body)
            assert made.status == 201, made.text
            names[f"counter-{number}"] = made.json()["id"]
    for name in ("hot", "ordinary"):
        await asyncio.to_thread(shutil.copytree, base, folder / name)
    async with (
        in_process(folder / "hot", **settings) as one,
        in_process(folder / "ordinary", **settings) as other,
        serving_application(one.application) as hot,
        serving_application(other.application, hot=False) as ordinary,
    ):
        yield Worlds(World(one, hot), World(other, ordinary), names)


HEADERS = (
    *[()] * 60,
    ("User-Agent: " + FIREFOX, "Accept: */*", "Accept-Language: nl", "Accept-Encoding: gzip, br", "Cookie: a=b"),
    ("Origin: https://example.com", "Referer: https://example.com/page", "Sec-Fetch-Mode: cors"),
    ("Connection: keep-alive",),
    ("connection: Keep-Alive",),
    ("Connection: close",),
    ("Connection: keep-alive, x-other", "X-Other: a"),
    ("Connection:",),
    ("Content-Length: 0",),
    ("Content-Length: 00",),
    ("Sec-Purpose: prefetch",),
    ("Sec-Purpose: prefetch;prerender",),
    ("Purpose: preview",),
    ("X-Moz: prefetch",),
    ("X-Purpose: other",),
    ("Idempotency-Key: 0123456789abcdef0123",),
    ("Idempotency-Key: no",),
    ("Idempotency-Key: 0123456789abcdef0123", "Idempotency-Key: 0123456789abcdef0123"),
    ("X-Forwarded-For: 192.0.2.7",),
    ("Expect: 100-continue", "Content-Length: 0"),
    ("Expect: other",),
    ("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk"),
    ("Upgrade: websocket",),
    ("Trailer: X-A",),
    ("TE: trailers",),
    ("Host: other",),
    ("Accept: application/problem+json",),
    ("X-Empty:",),
    ("X-Long: " + "x" * 5_000,),
    ("X-Beyond: \u00fc",),
    ("If-None-Match: *", "Range: bytes=0-1"),
    tuple(f"X-{number}: a" for number in range(99)),
    tuple(f"X-{number}: a" for number in range(100)),
)
BODIES = (
    (("Content-Length: 5",), b"12345"),
    (("Transfer-Encoding: chunked",), b"5\r\n12345\r\n0\r\n\r\n"),
    (("Content-Type: application/json", "Content-Length: 2"), b"{}"),
)
METHODS = ("GET",) * 60 + ("POST",) * 12 + ("HEAD", "OPTIONS", "PUT", "DELETE", "FETCH")

KEYS = (
    *["visits"] * 16,
    *["bounded", "full", "empty", "another"] * 2,
    "ab",
    "a" * 64,
    "a" * 65,
    "a%2Eb",
    "%76isits",
    "a%2Fb",
    "a%20b",
    "a+b",
    "%C3%BC%C3%BC%C3%BC",
    "%FF%FF%FF",
    "\u00fc\u00fc\u00fc",
    "%",
    "%zz",
    ":HOST:",
    ":PATHNAME:",
    "..",
    "a;b",
    "visits#part",
    "v%00v",
)
AMOUNTS = (
    *["1", "-1", "2"] * 3,
    *["0", "+5", "%2B5", "-0", "1e3", "", "null", "undefined", "007", "1.0", "\u0661", "%20 1".replace(" ", "%20")],
    *map(str, (INT64_MAX, INT64_MIN, INT64_MAX + 1, 10**20, -(10**25))),
    "9" * 50,
)
DRESSES = (
    *[""] * 30,
    "_=1732500000000",
    "img",
    "img=1",
    "img&callback=f",
    "callback=f",
    "callback=a.b.c",
    "callback=",
    "callback=(bad)",
    "callback=%3Cscript%3E",
    "amount=1&amount=2",
    "%",
    "=",
    "&&",
    "?",
    "a=%FF",
    "\u20ac",
    "x" * 600,
    "x" * 9_000,
    "#fragment",
)


class Requests:
    """Requests of one client, which touches no counter of another one.

    Args:
        number: of the client.
    """

    def __init__(self, number: int, seed: int) -> None:
        self._number, self._random = number, random.Random(f"{seed}-{number}")
        self._namespace = f"site{number}.example"

    def beginning(self) -> Iterator[bytes]:
        """Counters of every kind."""
        for created in (
            "key=bounded&value=0&update_lowerbound=-3&update_upperbound=3",
            f"key=full&value={INT64_MAX - 1}&update_upperbound={INT64_MAX}",
            f"key=empty&value={INT64_MIN + 1}&update_lowerbound={INT64_MIN}",
        ):
            yield request(f"/create?namespace={self._namespace}&{created}")

    def any(self) -> bytes:
        """A request, often with something odd about it."""
        make = self._random.choices([self.public, self.pixel, self.addition], [7, 2, 2])[0]
        return make()

    def public(self) -> bytes:
        """A request about a public counter."""
        choice = self._random.choice
        verb = self._random.choices(["hit", "get", "update", "info", "set", "Hit", "hits"], [50, 20, 30, 3, 3, 1, 1])[0]
        key = choice(KEYS)
        place = f"{self._namespace}/{key}" if self._random.random() < 0.95 else f"{self._namespace}{key}"
        query = [choice(DRESSES)]
        if verb in {"update", "set"} and self._random.random() < 0.95:
            name = "amount" if verb == "update" else "value"
            query.insert(self._random.randrange(2), f"{name}={choice(AMOUNTS)}")
        text = "&".join(part for part in query if part)
        end = choice([""] * 12 + ["/", "/", "//", "/x"])
        return self._sent(f"/{verb}/{place}{end}{'?' if text else ''}{text}")

    def pixel(self) -> bytes:
        """A pageview or an event."""
        choice = self._random.choice
        said = {
            "p": choice(["/", "/a", "/a/b?c=d", "signup", "", "/\u00fc", "/" + "p" * 2_050, "/favicon.ico"]),
            "t": choice(["", "Title", "t" * 1_100]),
            "r": choice(["", "https://www.example.org/x", "localhost", "//"]),
            "s": choice(["", "1920,1080,1", "x"]),
            "b": choice(["", "0", "150", "1", "x"]),
            "e": choice(["", "", "", "true", "x"]),
            "q": choice(["", "?utm_source=x&utm_campaign=y"]),
            "rnd": choice(["", "x1y2z"]),
        }
        query = "&".join(f"{name}={quote(value)}" for name, value in said.items() if value)
        query += choice(["", "", "", "&%", "&%FF", "#x", "&x=" + "x" * 70])
        host = choice([HOST] * 8 + ["nobody.example", HOST.upper(), f"{HOST}:80", ""])
        agent = choice([f"User-Agent: {FIREFOX}"] * 5 + ["User-Agent: Googlebot/2.1", "User-Agent: curl/8", "X-A: b"])
        return self._sent(f"/count{choice(['?', '?', '?', '?', '/?', ''])}{query}", agent, host=host)

    def addition(self) -> bytes:
        """An increment or a decrement of a shared counter."""
        choice = self._random.choice
        counter = choice([f"{{counter-{self._number}}}"] * 6 + ["018f5b5c-1f21-7c3a-9b1e-3f1f2a7c9d10", "x"])
        verb = choice(["increment", "decrement", "increment/5", "decrement/2", "increment/0", "set"])
        query = choice([""] * 5 + ["?timezone=UTC", "?timezone=No", "?", "?amount=3", "?token={token}"])
        token = choice(
            ["Authorization: Bearer {token}"] * 8 + ["Authorization: Bearer x", "Authorization: y", "X-A: b"]
        )
        method = choice(["POST"] * 8 + ["GET", "OPTIONS", "PUT"])
        return self._sent(f"/{choice(['v1', 'v2'])}/counters/{counter}/{verb}{query}", token, method=method)

    def _sent(self, url: str, *headers: str, method: str | None = None, host: str | None = "x") -> bytes:
        choice = self._random.choice
        version = choice(["1.1"] * 20 + ["1.0"])
        method = method or choice(METHODS)
        if self._random.random() < 0.03:
            url = f"http://example.com{url}"
        more: tuple[str, ...] = choice(HEADERS)
        body = b""
        if self._random.random() < 0.04:
            more, body = choice(BODIES)
        if self._random.random() < 0.02:
            host = None
        return request(url, *headers, *more, method=method, version=version, host=host) + body


@pytest.mark.parametrize("seed", SEEDS)
async def test_thousands_of_requests(tmp_path: Path, seed: int) -> None:
    async with two_worlds(tmp_path) as worlds:
        statuses: set[int] = set()

        async def client(number: int) -> None:
            requests = Requests(number, seed)
            async with worlds.client() as clients:
                for sent in requests.beginning():
                    assert (await clients.compare(sent)).status == 200
                for _ in range(REQUESTS):
                    statuses.add((await clients.compare(requests.any())).status)

        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(client(number))
        counts = worlds.hot.serving.counts
        assert worlds.ordinary.serving.counts.hot == 0
        assert counts.hot > CLIENTS * REQUESTS / 6
        assert len(counts.left) > len(REASONS) / 2
        assert statuses >= {200, 204, 400, 401, 403, 404, 405, 417, 431}
        assert counts.refused == worlds.ordinary.serving.counts.refused
        assert await worlds.hot.metrics() == await worlds.ordinary.metrics()
        stats = [(await world.running.ask("/stats")).json() for world in worlds[:2]]
        assert stats[0] == stats[1]


PUBLIC = "/hit/site.example/visits"
PIXEL = "/count?p=/a&t=A%20page&s=1920,1080,1&b=0&rnd=x1y2z"
INCREMENT = "/v1/counters/{counter-0}/increment"
AGENT, TOKEN = f"User-Agent: {FIREFOX}", "Authorization: Bearer {token}"

USUAL = {
    "hit": request(PUBLIC),
    "hit, as a browser sends it": request(
        PUBLIC + "?_=1732500000000",
        "Connection: keep-alive",
        AGENT,
        "Accept: */*",
        "Origin: https://example.com",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Mode: cors",
        "Referer: https://example.com/",
        "Accept-Encoding: gzip, deflate, br, zstd",
        "Accept-Language: en-GB,en;q=0.9",
    ),
    "hit by POST": request(PUBLIC, "Content-Length: 0", method="POST"),
    "hit as an image": request(PUBLIC + "?img"),
    "hit with a key alone": request("/hit/visits/"),
    "get": request("/get/site.example/visits"),
    "get of nothing": request("/get/site.example/nothing"),
    "update": request("/update/site.example/visits?amount=-3"),
    "update of nothing": request("/update/site.example/nothing?amount=1"),
    "update beyond bounds": request(f"/update/site.example/visits?amount={10**30}"),
    "a pageview": request(PIXEL, AGENT, host=HOST),
    "a bot": request(PIXEL, "User-Agent: Googlebot/2.1", host=HOST),
    "an event by a beacon": request("/count?p=signup&e=true", AGENT, "Content-Length: 0", method="POST", host=HOST),
    "increment": request(INCREMENT, TOKEN, method="POST"),
    "decrement": request("/v2/counters/{counter-0}/decrement/5", TOKEN, "Content-Length: 0", method="POST"),
    "increment of nothing": request("/v1/counters/x/increment", TOKEN, method="POST"),
}
"""What nearly all requests are, and what the lanes take."""

REASONS = {
    # why a request is left, and one that is
    "method": request(PUBLIC, method="HEAD"),
    "last request": request(PUBLIC, "Connection: close"),
    "connection header": request(PUBLIC, "Connection: keep-alive, x-other"),
    "body": request(PUBLIC, "Content-Length: 1", method="POST") + b"1",
    "unusual head": request(PUBLIC, *(f"X-{number}: a" for number in range(100))),
    "long url": request(PUBLIC + "?" + "x" * 600),
    "prefetch or idempotency key": request(PUBLIC, "Sec-Purpose: prefetch"),
    "no endpoint": request("/hit/site.example/visits/x"),
    "key of the page": request("/hit/:HOST:/visits"),
    "callback": request(PUBLIC + "?callback=f"),
    "bad amount": request("/update/site.example/visits?amount=x"),
    "fragment": request(PIXEL + "#x", AGENT, host=HOST),
    "refused": request("/count?p=/a&b=x", AGENT, host=HOST),
    "path": request("/v1/counters/{counter-0}/set", TOKEN, method="POST"),
    "authorization": request(INCREMENT, "Authorization: Bearer x", method="POST"),
    "idempotency key": request(INCREMENT, TOKEN, "Idempotency-Key: 0123456789abcdef0123", method="POST"),
    "accept": request(INCREMENT, TOKEN, "Accept: application/problem+json", method="POST"),
}


async def test_usual_requests_take_the_lane_and_the_others_say_why_not(tmp_path: Path) -> None:
    async with two_worlds(tmp_path) as worlds, worlds.client() as clients:
        counts = worlds.hot.serving.counts
        for sent in USUAL.values():  # sites and tokens are looked up once before a lane knows them
            await clients.compare(sent)
        for name, sent in USUAL.items():
            taken = counts.hot
            await clients.compare(sent)
            assert counts.hot == taken + 1, (name, counts.left)
        for reason, sent in REASONS.items():
            taken, left = counts.hot, counts.left[reason]
            await clients.compare(sent)
            assert (counts.hot, counts.left[reason]) == (taken, left + 1), reason


async def test_where_the_creation_limit_is_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with two_worlds(tmp_path, creation_limit=3) as worlds, worlds.client() as clients:
        monkeypatch.setattr("tallystick.web.rate_limit.time", SimpleNamespace(monotonic=lambda: 1_000.0))
        sent = [request(f"/hit/site.example/new-{number}{dress}") for number in range(6) for dress in ("", "?img")]
        statuses = [(await clients.compare(each)).status for each in sent]
        assert statuses == [200] * 6 + [429] * 6
        assert worlds.hot.serving.counts.hot == len(sent)


@pytest.mark.parametrize(("public", "statuses", "taken"), [("existing", [200, 200, 403], 3), ("off", [403] * 3, 0)])
async def test_where_requests_may_not_create_counters(
    tmp_path: Path, public: str, statuses: list[int], taken: int
) -> None:
    async with two_worlds(tmp_path, public_counters=public) as worlds, worlds.client() as clients:
        if public == "existing":
            for world in worlds[:2]:
                application = world.running.application
                counting = application.services.counting
                await counting.add(Key("site.example", "visits"), counting.hit)
        answered = [
            (await clients.compare(request(f"/{verb}"))).status
            for verb in ("hit/site.example/visits", "get/site.example/visits", "hit/site.example/other")
        ]
        assert answered == statuses
        assert worlds.hot.serving.counts.hot == taken


@pytest.mark.parametrize("error", [StoreFull("the disk is full"), StoreFailed("broken"), ValueError("a fault")])
async def test_where_the_store_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def failing(ledger: Ledger, future: Resolvable, *_: object) -> None:
        ledger._loop.call_soon(future.set_exception, error)  # noqa: SLF001

    async with two_worlds(tmp_path) as worlds, worlds.client() as clients:
        monkeypatch.setattr(Ledger, "count_into", failing)
        with capture_logs():
            answers = [
                await clients.compare(sent) for name, sent in USUAL.items() if name.startswith(("hit", "update"))
            ]
        assert {answer.status for answer in answers} == {503 if isinstance(error, StoreFull) else 500}
        assert worlds.hot.serving.counts.hot == len(answers)


async def test_where_the_queue_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with two_worlds(tmp_path) as worlds, worlds.client() as clients:
        for sent in USUAL.values():
            await clients.compare(sent)
        with monkeypatch.context() as patched:
            for thread in gc.get_objects():
                if type(thread) is GatheringThread:  # isinstance would look into weak references
                    patched.setattr(thread, "queue_limit", 0)
            answers = {name: await clients.compare(sent) for name, sent in USUAL.items()}
        refused = {name for name, answer in answers.items() if answer.status == 503}
        assert refused == USUAL.keys()
        assert all(answers[name].header("retry-after") for name in refused)
        for sent in USUAL.values():
            await clients.compare(sent)
