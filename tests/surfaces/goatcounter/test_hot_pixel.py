"""The pixel in the hot lane and as ASGI: the same answers, rows, limits and metrics."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_plus

import pytest

from support.analytics import CHROME, FIREFOX, HOST, UNLIMITED, Analytics, analytics_in_process
from support.hot_lane import Client, RawHeaders, ask_asgi, ask_lane
from support.warehouses import rows
from tallystick.errors import StoreBusy, StoreClosed, StoreFailed
from tallystick.server.hot_lane import Answer, HotRequest
from tallystick.services.ingest.new_names import TOO_MANY_REFERRERS
from tallystick.surfaces.goatcounter.pixel.hot import HotPixel
from tallystick.web import rate_limit
from tallystick.web.rate_limit import Rate

PREFIX = b"/count?"
REQUESTS = 2_000
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
STORED = (
    "id, site, path, first, event, bot, ref, ref_scheme, campaign, browser, browser_version, system, country, region"
    ", props, device, page, interactive"
)
REST = "language, width, utm_source, utm_medium, utm_content, utm_term, host, source, channel, created, session"


class Way:
    """The application, asked in the hot lane first or only as ASGI."""

    def __init__(self, analytics: Analytics, *, hot: bool) -> None:
        self.analytics = analytics
        self.app, self.lane = analytics.running.application, lane_of(analytics)
        self.hot, self.taken = hot, 0
        self.left: set[str] = set()

    async def ask(self, query: bytes, headers: RawHeaders, **options: Any) -> Answer:
        if self.hot:
            await self.analytics.services.sites.all()
            answer = await ask_lane(self.lane, PREFIX + query, headers, **options)
            if not isinstance(answer, str):
                self.taken += 1
                return answer
            self.left.add(answer)
        return await ask_asgi(self.app, PREFIX + query, headers, **options)

    async def kept(self) -> tuple[object, ...]:
        """What was stored and counted; sessions, whose ids are random, by their first hit."""
        seen: dict[int, int] = {}
        hits = [
            (*row[:-1], seen.setdefault(row[-1], row[0]))
            for row in await rows(self.analytics.services.warehouse, f"{STORED}, {REST}")
        ]
        traffic = self.lane.pixel.traffic
        return hits, dict(traffic.answers), +traffic.refusals


def headers_of(*more: tuple[str, str], host: str = HOST, agent: str = FIREFOX) -> list[tuple[bytes, bytes]]:
    pairs = [("host", host), ("user-agent", agent), *more]
    return [(name.encode(), value.encode("latin-1")) for name, value in pairs]


def lane_of(analytics: Analytics) -> HotPixel:
    lane = analytics.running.application.hot_lanes[PREFIX]
    assert isinstance(lane, HotPixel)
    return lane


async def hot(analytics: Analytics, query: bytes, headers: RawHeaders = (), **options: Any) -> Answer | str:
    await analytics.services.sites.all()  # what is cached lasts for an eighth of a second, which a slow machine needs
    return await ask_lane(lane_of(analytics), PREFIX + query, headers or headers_of(), **options)


@asynccontextmanager
async def warm(folder: Path, **settings: Any) -> AsyncIterator[Analytics]:
    """A site that knows the page /a, the page /b with a title, and a referrer."""
    async with analytics_in_process(folder, **settings) as analytics:
        for query in ("p=/a", "p=/b&t=B&r=https://example.org/", "p=/a"):
            await analytics.ask(f"/count?{query}", headers={"user-agent": FIREFOX}, client="192.0.2.1")
        yield analytics


@pytest.fixture
async def known(tmp_path: Path) -> AsyncIterator[Analytics]:
    async with warm(tmp_path) as analytics:
        yield analytics


@pytest.fixture
def time_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "time", SimpleNamespace(monotonic=lambda: 1_000.25))


async def test_a_known_page_is_counted_without_a_task(known: Analytics) -> None:
    answer = await hot(known, b"p=%2Fb&t=B&r=https%3A%2F%2Fexample.org%2F&s=1920&b=0&rnd=x1y2z")
    assert not isinstance(answer, str)
    assert answer[0] == 200
    assert len(await known.hits()) == 4


LEFT: list[tuple[bytes, RawHeaders, str]] = [
    # query, headers, the reason
    (b"p=/a&t=" + b"x" * 20_000, headers_of(), "long query"),
    (b"p=/a#b", headers_of(), "fragment"),
    (b"p=/a", headers_of(("sec-purpose", "prefetch")), "prefetch"),
    (b"p=/a", headers_of(host="elsewhere.example.com"), "new host"),
    (b"p=/a&b=100", headers_of(), "refused"),
    (b"p=/new", headers_of(), "new name"),
    (b"p=/a&t=other", headers_of(), "new name"),
    (b"p=/a&q=utm_campaign=x", headers_of(), "new name"),
    (b"p=/a&r=https://new.example.org", headers_of(), "new referrer"),
    (b"p=/a&e=1&page=/new", headers_of(), "new name"),
    (b"p=/a&props=%7B%22a%22%3A1%7D", headers_of(), "new property"),
]


@pytest.mark.parametrize(("query", "headers", "reason"), LEFT, ids=[row[-1] for row in LEFT])
async def test_what_is_unusual_is_left_and_changes_nothing(
    tmp_path: Path, query: bytes, headers: RawHeaders, reason: str
) -> None:
    async with warm(tmp_path, rate_limit=(Rate("count", 5, 60), Rate("new-names", 4, 60))) as analytics:
        traffic = lane_of(analytics).pixel.traffic
        answers, before = dict(traffic.answers), await analytics.hits()
        assert await hot(analytics, query, headers) == reason
        assert (dict(traffic.answers), await analytics.hits()) == (answers, before)
        # The limit of names has room for the one that it would have taken: 3 were new.
        assert (await analytics.pixel(p="/last")).headers["x-rate-limit-remaining"] == "1"
        assert len(await analytics.hits()) == 4


async def test_properties_that_were_sent_before_are_stored_without_a_task(known: Analytics) -> None:
    query = b"p=/a&props=%7B%22plan%22%3A%22pro%22%2C%22seats%22%3A3%7D"
    await known.ask(f"/count?{query.decode()}", headers={"user-agent": FIREFOX}, client="192.0.2.1")
    assert not isinstance(await hot(known, query), str)
    stored = await rows(known.services.warehouse, "props, device, page, interactive")
    assert stored[-2:] == [('{"plan":"pro","seats":"3"}', "Desktop", None, True)] * 2


async def test_the_page_of_an_event_that_is_known_is_stored_without_a_task(known: Analytics) -> None:
    for path in ("/a", "/b", ""):
        await known.ask(f"/count?p=signup&e=1&page={path}", headers={"user-agent": FIREFOX}, client="192.0.2.1")
        assert not isinstance(await hot(known, f"p=signup&e=1&page={path}".encode()), str)
    [(a,), (b,), *_] = await rows(known.services.warehouse, "path")
    assert [page for (page,) in await rows(known.services.warehouse, "page")][-6:] == [a, a, b, b, None, None]


async def test_what_has_to_wait_is_left(known: Analytics) -> None:
    services = known.services
    services.sites.invalidate()
    assert await ask_lane(lane_of(known), b"/count?p=/a", headers_of()) == "site not cached"
    services.warehouse.owned_until = 0.0
    assert await hot(known, b"p=/a") == "analytics elsewhere"
    services.warehouse.owned_until = float("inf")
    known.clock.advance(seconds=9 * 3_600)
    assert await hot(known, b"p=/a") == "salts or spam due"


async def test_a_hit_counts_when_its_client_is_gone(known: Analytics) -> None:
    before, client, lane = len(await known.hits()), Client("192.0.2.1"), lane_of(known)
    await known.services.sites.all()
    assert lane.take(HotRequest(client, lane, b"GET", b"/count?p=/a", headers_of())) is None
    assert client.answers == []
    await known.services.warehouse.flush()
    assert len(await known.hits()) == before + 1
    assert len(client.answers) == 1


@pytest.mark.parametrize("error", [StoreBusy("full"), StoreFailed("broken"), StoreClosed("stopping")], ids=repr)
@pytest.mark.parametrize("at_once", [True, False])
async def test_what_could_not_be_stored_is_answered_alike(
    known: Analytics, monkeypatch: pytest.MonkeyPatch, error: Exception, *, at_once: bool
) -> None:
    def fail(future: Any, *_: object) -> None:
        if at_once:
            raise error
        future.set_exception(error)

    monkeypatch.setattr(known.services.warehouse, "append_into", fail)
    answer = await hot(known, b"p=/a")
    assert answer == await ask_asgi(known.running.application, b"/count?p=/a", headers_of())
    assert answer[0] == (500 if isinstance(error, StoreFailed) else 503)


@pytest.mark.usefixtures("time_stands_still")
async def test_a_limit_counts_each_request_once_whichever_way_it_goes(tmp_path: Path) -> None:
    async with warm(tmp_path, rate_limit=(Rate("count", 6, 60),)) as analytics:
        way = Way(analytics, hot=True)
        # 3 are gone already.
        answers = [await way.ask(query, headers_of()) for query in (b"p=/a", b"p=/new", b"p=/a", b"p=/a", b"p=/a")]
        assert [status for status, _, _ in answers] == [200, 200, 200, 429, 429]
        assert b"x-rate-limit-remaining: 0\r\n" in answers[-1][1]
        assert way.taken == 4
        assert (await way.ask(b"p=/a", headers_of(agent=CHROME)))[0] == 200


async def test_no_more_referrers_than_the_limit_are_kept(tmp_path: Path) -> None:
    async with warm(tmp_path, rate_limit=(*UNLIMITED, Rate("new-names", 4, 60))) as analytics:
        way = Way(analytics, hot=True)
        for number in range(3):
            await way.ask(b"p=/a&r=https://new%d.example.org" % number, headers_of())
            await way.ask(b"p=/a&r=https://new%d.example.org" % number, headers_of())
        refs = [ref for (ref,) in await rows(analytics.services.warehouse, "ref")]
        assert refs[3:] == ["new0.example.org"] * 2 + [TOO_MANY_REFERRERS] * 4


PATHS = [
    "/a",
    "/b",
    "/a",
    "/b",
    "/a?utm_source=x&k=1",
    "/favicon.ico",
    "",
    "a",
    "/ü%20<html>",
    "/" + "x" * 3_000,
    "/%00",
]
TITLES = ["", "B", "B", "Another title", "t" * 1_200, "\ud800"]
REFERRERS = [
    "",
    "",
    "https://example.org/",
    "http://localhost/x",
    "https://www.google.com/search?q=x",
    "x",
    "r" * 5_000,
]
QUERIES = [
    *("", "", "utm_source=google&utm_medium=cpc&utm_term=a", "gclid=1"),
    *("?utm_campaign=spring", "utm_source=letter", "a=" + "b" * 9_000),
]
PROPS = ['{"plan":"pro"}', '{"seats":3,"plan":"team","no":null}', "{", "7", "[]", '{"a":"' + "b" * 2_100 + '","c":"d"}']
AGENTS = [FIREFOX, FIREFOX, CHROME, BOT, "", "é", "x" * 700]
LANGUAGES = [None, "en-US,en;q=0.9", "de", "xx" * 90, "?"]
CLIENTS = ["192.0.2.1", "192.0.2.2", "198.51.100.7", "127.0.0.1", "::1", "2001:db8::1", "10.0.0.1", "8.8.8.8", None]
FORWARDED = [None, "203.0.113.9", "203.0.113.9, 10.0.0.2", "[2001:db8:1::5]:99", "nonsense"]
HOSTS = [HOST, HOST, HOST, HOST, f"{HOST}:8080", HOST.upper(), "two.example.com", "unknown.example.com"]
PAGES = [None, "https://example.org/a", "https://www.two.example.com", "null", "https://[::1", "x" * 900]
FLAGS = ["", "1", "true", "false", "maybe", "0", "150", "7", "999"]


CHANGES: list[dict[str, Any]] = [
    {"ignore_ips": ["192.0.2.2", "203.0.113.0/24"]},
    {"respect_dnt": True},
    {"collect_props": False},
    {"collect": 2 + 8 + 32},
    {"ignore_countries": ["US"], "ignore_paths": ["/second", "/b*"], "ignore_hosts": ["example.org"]},
    {"ignore_countries": ["US"], "collect": 2 + 8 + 32},
    {"respect_gpc": False, "ignore_ips": [], "collect_props": True, "ignore_campaigns": ["Spring"]},
    {
        "ignore_countries": [],
        "ignore_paths": ["*x"],
        "ignore_hosts": [],
        "ignore_campaigns": [],
        "path_rules": ["/s*", "/b*"],
    },
]


def a_query(draw: random.Random) -> bytes:
    """Parameters; most are usual."""
    parameters = [("p", draw.choice(PATHS)), ("t", draw.choice(TITLES[:3] if draw.random() < 0.8 else TITLES))]
    often = (
        ("r", REFERRERS),
        ("q", QUERIES),
        ("s", ["1920", "1920,1080,1", "x", "-5"]),
        ("props", PROPS),
        ("page", PATHS),
    )
    parameters += [(name, draw.choice(values)) for name, values in often if draw.random() < 0.4]
    seldom = (*((name, FLAGS) for name in ("e", "ns", "b")), ("p", ["/second"]), ("unknown", ["x"]))
    parameters += [(name, draw.choice(values)) for name, values in seldom if draw.random() < 0.1]
    query = "&".join(f"{name}={quote_plus(value, errors='surrogatepass')}" for name, value in parameters)
    end = draw.choice(["", "&rnd=abc", "&rnd=abc&t=late", "&%", "#fragment"]) if draw.random() < 0.3 else "&rnd=1"
    return (query + end).encode()


def some_headers(draw: random.Random) -> list[tuple[bytes, bytes]]:
    """Headers; most are usual, some are missing or repeated."""
    headers = headers_of(host=draw.choice(HOSTS), agent=draw.choice(AGENTS))
    if draw.random() < 0.05:
        headers = headers[draw.randrange(2) :][: draw.randrange(3)]
    if language := draw.choice(LANGUAGES):
        headers.append((b"accept-language", language.encode()))
    if referer := draw.choice(PAGES):
        headers.append((draw.choice([b"referer", b"origin"]), referer.encode()))
    seldom = (b"dnt", b"sec-gpc", b"sec-purpose", b"user-agent", b"host")
    headers += [(name, draw.choice([b"1", b"0", b"prefetch;prerender"])) for name in seldom if draw.random() < 0.04]
    if forwarded := draw.choice(FORWARDED):
        headers.insert(draw.randrange(len(headers) + 1), (b"x-forwarded-for", forwarded.encode()))
    return headers


@pytest.mark.parametrize("limited", [False, True], ids=["unlimited", "limited"])
@pytest.mark.usefixtures("time_stands_still")
async def test_both_ways_agree_on_anything(tmp_path: Path, *, limited: bool) -> None:
    draw = random.Random(7 + limited)
    limits = (Rate("count", 60, 60), Rate("count-address", 200, 60), Rate("new-names", 15, 60))
    settings: dict[str, Any] = {
        "rate_limit": limits if limited else UNLIMITED,
        "trusted_proxy": (ip_network("10.0.0.0/8"),),
    }
    async with (
        analytics_in_process(tmp_path / "hot", **settings) as one,
        analytics_in_process(tmp_path / "asgi", **settings) as other,
    ):
        ways = [Way(one, hot=True), Way(other, hot=False)]
        for number in range(REQUESTS // 2):
            if number == 300:
                for way in ways:
                    await way.analytics.api("PUT", "/sites", json={"cname": "two.example.com"})
            if number % 250 == 249:
                changes = draw.choice(CHANGES)
                for way in ways:
                    await way.analytics.change_site(**changes)
            seconds = draw.choice([0, 0, 1, 20]) if draw.random() < 0.99 else 20_000
            query, headers = a_query(draw), some_headers(draw)
            options: dict[str, Any] = {"method": draw.choice([b"GET", b"GET", b"POST"]), "client": draw.choice(CLIENTS)}
            answers = []
            for way in ways:
                way.analytics.clock.advance(seconds=seconds)
                answers.append(await way.ask(query, headers, **options))
            assert answers[0] == answers[1], (query, headers, options)
        assert await ways[0].kept() == await ways[1].kept()
        assert ways[0].taken > REQUESTS / 20
        assert {"fragment", "prefetch", "new name", "refused", "new referrer"} <= ways[0].left
