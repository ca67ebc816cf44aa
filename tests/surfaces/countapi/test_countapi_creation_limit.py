"""The creation limit: so many new keys a second and address, and nothing but new keys."""

import asyncio
import time
from ipaddress import ip_network
from json import dumps
from pathlib import Path
from types import SimpleNamespace

import pytest

from support.asking import Answer, ask, new_name
from support.in_process import InProcess, in_process
from support.server import running_server
from tallystick.settings import Settings
from tallystick.web.address import Network
from tallystick.web.rate_limit import Rate

REFUSED = {"error": "Too many new keys from your address. Try again a little later."}
PROXIES: tuple[Network, ...] = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


class LimiterClock:
    """The limiter's own clock, standing still."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def limiter_clock(monkeypatch: pytest.MonkeyPatch) -> LimiterClock:
    clock = LimiterClock()
    monkeypatch.setattr("tallystick.web.rate_limit.time", SimpleNamespace(monotonic=clock.time))
    return clock


async def use_up(site: InProcess, creations: int, *, client: str = "192.0.2.1") -> None:
    """Create until the next creation is one too many."""
    for _ in range(creations):
        assert (await site.ask("/create", client=client)).status == 200


async def is_limited(site: InProcess, *, client: str | None, forwarded: str | None = None) -> bool:
    headers = [] if forwarded is None else [("X-Forwarded-For", forwarded)]
    answer = await site.ask(f"/hit/{new_name()}", client=client, headers=headers)
    assert answer.status in {200, 429}
    return answer.status == 429


@pytest.mark.usefixtures("limiter_clock")
async def test_twenty_a_second_unless_told_otherwise(tmp_path: Path) -> None:
    async with in_process(tmp_path, creation_limit=Settings().creation_limit) as site:
        answers = [await site.ask("/create") for _ in range(25)]
        assert [answer.status for answer in answers] == [200] * 20 + [429] * 5


async def test_a_second_later_there_are_new_ones(tmp_path: Path, limiter_clock: LimiterClock) -> None:
    async with in_process(tmp_path, creation_limit=2) as site:
        await use_up(site, 2)
        limiter_clock.now += 0.99
        assert (await site.ask("/create", client="192.0.2.1")).status == 429
        limiter_clock.now += 0.01
        await use_up(site, 2)
        assert (await site.ask("/create", client="192.0.2.1")).status == 429


@pytest.mark.usefixtures("limiter_clock")
async def test_create_and_hit_share_the_limit_and_make_nothing_beyond_it(tmp_path: Path) -> None:
    async with in_process(tmp_path, creation_limit=2) as site:
        await site.ask("/create?key=first")
        await site.ask("/hit/second")
        for target in ("/create?key=third", "/hit/third", "/hit/default/third/", "/create"):
            assert (await site.ask(target)).status == 429
        assert (await site.ask("/get/third")).status == 404
        assert (await site.ask("/stats")).json()["keys_created"] == 2


@pytest.mark.usefixtures("limiter_clock")
async def test_a_limited_answer_says_when_to_come_back(tmp_path: Path) -> None:
    async with in_process(tmp_path, creation_limit=1) as site:
        await use_up(site, 1, client="127.0.0.1")
        for target in ("/hit/mysite.com/visits", "/create?namespace=mysite.com&key=visits"):
            answer = await site.ask(target)
            assert (answer.status, answer.json(), answer.path) == (429, REFUSED, "mysite.com/visits")
            assert_says_when(answer)
        as_script = await site.ask("/hit/mysite.com/visits?callback=show")
        assert as_script.status == 200
        assert as_script.text == f'/**/show({{"error":"{REFUSED["error"]}","status":429,"code":429}});'
        assert_says_when(as_script)
        as_image = await site.ask("/hit/mysite.com/visits?img")
        assert (as_image.status, as_image.headers["content-type"]) == (429, "image/gif")
        assert_says_when(as_image)


@pytest.mark.usefixtures("limiter_clock")
async def test_a_limit_of_a_namespace_says_when_it_is_over(tmp_path: Path) -> None:
    async with in_process(tmp_path, creation_limit=0, rate_limit=(Rate("counter-creations", 1, 40),)) as site:
        assert (await site.ask("/hit/a.example/first")).status == 200
        for target in (
            "/hit/a.example/second",
            "/create?namespace=a.example&key=second",
            "/badge/a.example/third.svg?count",
        ):
            answer = await site.ask(target)
            assert (answer.status, answer.headers.get("retry-after")) == (429, "40"), target
        owned = {"namespace": "a.example", "key": "owned"}
        answer = await site.ask("/api/counters", method="POST", body=dumps(owned).encode())
        assert (answer.status, answer.headers.get("retry-after")) == (429, "40")
        assert (await site.ask("/hit/b.example/first")).status == 200


def assert_says_when(answer: Answer) -> None:
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "Retry-After" in answer.headers["access-control-expose-headers"]


@pytest.mark.usefixtures("limiter_clock")
async def test_everything_but_creation_goes_on(tmp_path: Path) -> None:
    async with in_process(tmp_path, creation_limit=1) as site:
        await site.ask("/create?key=visits&enable_reset=1")
        assert await is_limited(site, client="127.0.0.1")
        for target in ("/hit/visits", "/update/visits?amount=1", "/get/visits", "/info/visits", "/set/visits?value=3"):
            for _ in range(3):
                assert (await site.ask(target)).status == 200
        assert (await site.ask("/create?key=visits")).status == 409
        assert (await site.ask("/get/missing")).status == 404


@pytest.mark.usefixtures("limiter_clock")
async def test_what_creates_nothing_uses_nothing_up(tmp_path: Path) -> None:
    async with in_process(tmp_path, creation_limit=2) as site:
        await site.ask("/create?key=visits&update_upperbound=0")
        for target in (
            *("/create?key=visits", "/create?key=ab", "/create?value=x", "/create?update_upperbound=-1", "/hit/visits"),
            *("/update/missing?amount=1", "/set/missing?value=1", "/hit/ab", "/hit/missing?callback=1"),
        ):
            assert (await site.ask(target)).status in {400, 403, 404, 409}
        for method in ("HEAD", "OPTIONS", "PUT"):
            await site.ask("/hit/missing", method=method)
        await site.ask("/hit/missing", headers=[("Sec-Purpose", "prefetch")])
        assert (await site.ask("/hit/missing")).json() == {"value": 1}
        assert await is_limited(site, client="127.0.0.1")


@pytest.mark.usefixtures("limiter_clock")
async def test_hits_at_once_on_one_new_key_use_up_one_creation(tmp_path: Path) -> None:
    async with in_process(tmp_path, creation_limit=2) as site:
        answers = await asyncio.gather(*(site.ask("/hit/mysite.com/new") for _ in range(100)))
        assert sorted(answer.json()["value"] for answer in answers) == list(range(1, 101))
        assert not await is_limited(site, client="127.0.0.1")
        assert await is_limited(site, client="127.0.0.1")


@pytest.mark.usefixtures("limiter_clock")
async def test_creations_at_once_are_limited_exactly(tmp_path: Path) -> None:
    async with in_process(tmp_path, creation_limit=20) as site:
        answers = await asyncio.gather(*(site.ask(f"/hit/key-{number}") for number in range(100)))
        assert sorted(answer.status for answer in answers) == [200] * 20 + [429] * 80


@pytest.mark.usefixtures("limiter_clock")
@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
async def test_who_shares_a_limit(tmp_path: Path, one: str, other: str, *, shared: bool) -> None:
    async with in_process(tmp_path, creation_limit=1) as site:
        assert not await is_limited(site, client=one)
        assert await is_limited(site, client=other) is shared


FORWARDED: list[tuple[str | None, str | None, str | None, str | None, bool]] = [
    # peer and X-Forwarded-For of a first and of a second request; whether they share a limit
    ("192.0.2.1", "198.51.100.1", "192.0.2.1", "198.51.100.2", True),  # not a proxy of ours: the header is nothing
    ("192.0.2.1", "198.51.100.1", "192.0.2.2", "198.51.100.1", False),
    ("10.0.0.1", "198.51.100.1", "10.0.0.1", "198.51.100.2", False),
    ("10.0.0.1", "198.51.100.1", "10.0.0.2", "198.51.100.1", True),
    ("10.0.0.1", "203.0.113.9, 198.51.100.1", "10.0.0.1", "203.0.113.8, 198.51.100.1", True),  # the left is invented
    ("10.0.0.1", "198.51.100.1, 10.9.9.9", "10.0.0.1", "198.51.100.1", True),  # two proxies of ours
    ("10.0.0.1", "198.51.100.1:5555", "10.0.0.1", "198.51.100.1:6666", True),
    ("10.0.0.1", "[2001:db8::1]:5555", "10.0.0.1", "2001:db8::2", True),
    ("fd00::1", "2001:db8:0:1::1", "fd00::1", "2001:db8:0:2::1", False),
    ("10.0.0.1", None, "10.0.0.1", None, True),
    ("10.0.0.1", "nonsense", "10.0.0.1", "other nonsense", True),
    ("10.0.0.1", "", "10.0.0.1", " , ,", True),
    (None, None, None, "198.51.100.1", True),
]


@pytest.mark.usefixtures("limiter_clock")
@pytest.mark.parametrize(("peer", "forwarded", "second_peer", "second_forwarded", "shared"), FORWARDED)
async def test_who_is_behind_a_proxy(  # noqa: PLR0913  # the columns of a table
    tmp_path: Path,
    peer: str | None,
    forwarded: str | None,
    second_peer: str | None,
    second_forwarded: str | None,
    *,
    shared: bool,
) -> None:
    async with in_process(tmp_path, creation_limit=1, trusted_proxy=PROXIES) as site:
        assert not await is_limited(site, client=peer, forwarded=forwarded)
        assert await is_limited(site, client=second_peer, forwarded=second_forwarded) is shared


async def test_zero_switches_the_limit_off(tmp_path: Path) -> None:
    async with in_process(tmp_path, creation_limit=0) as site:
        answers = await asyncio.gather(*(site.ask("/create") for _ in range(200)))
        assert {answer.status for answer in answers} == {200}


def test_the_running_server_limits_by_the_address_that_its_proxy_tells(tmp_path: Path) -> None:
    with running_server(tmp_path, "--trusted-proxy", "127.0.0.1", creation_limit=1) as server:
        deadline = time.monotonic() + 30
        limited = {"X-Forwarded-For": "198.51.100.1"}
        while (answer := ask(server.url, f"/hit/{new_name()}", headers=limited)).status != 429:
            assert answer.status == 200
            assert time.monotonic() < deadline
        assert (answer.json(), answer.headers["retry-after"]) == (REFUSED, "1")
        assert ask(server.url, f"/hit/{new_name()}", headers={"X-Forwarded-For": "198.51.100.2"}).status == 200
