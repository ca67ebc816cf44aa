"""Increments and decrements in the hot lane: the answers and the history of the ordinary way, byte by byte."""

import random
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support.counting_together import READ, UNLIMITED, WRITE, Person, Together, counting_together
from support.hot_requests import Fields, HeldConnection, Lanes, Sent, by_asgi
from support.people import elsewhere
from tallystick.errors import StoreFailed, StoreFull
from tallystick.ledger import Session
from tallystick.server.hot_lane import Answer
from tallystick.services.accounts.tokens import delete_token, secret_digest, stored_principal
from tallystick.services.sharing import service
from tallystick.surfaces.counttogether import authorization
from tallystick.surfaces.counttogether.api.hot import AdditionLane
from tallystick.web.rate_limit import Rate
from tallystick.web.sliding_window import SlidingWindows

UNKNOWN = "018f5b5c-1f21-7c3a-9b1e-3f1f2a7c9d10"
LIMITED = (Rate("counttogether", 40, 60), Rate("unknown-token", None, 60))
WIDE = (Rate("counttogether", 500, 60), Rate("unknown-token", None, 60))
REASONS = {"method", "path", "authorization", "idempotency key", "accept", "permission", "rate limit", "no lane"}
INT64_MAX = 2**63 - 1

_trace = re.compile(rb'"traceId":"[0-9a-f]{16}"')


class Clock:
    """Seconds, monotonic; it stands still."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class World:
    """People and counters of every kind, alike in each world but for ids and secrets.

    Attributes:
        names: what stands for an id or a secret in a request, and what it is here.
    """

    def __init__(self, together: Together) -> None:
        self.together = together
        self.lanes = Lanes(together.surface.hot, together.surface.http)
        self.people: dict[str, Person] = {}
        self.names: dict[str, str] = {}

    async def fill(self) -> None:
        for name in ("ada", "bob", "eve", "zoe"):
            self.people[name] = person = await self.together.person(name.title())
            self.names[f"token-{name}"] = person.token
        ada = self.people["ada"]
        for permissions, name in ((READ, "token-reads"), (WRITE, "token-writes"), (READ | WRITE, "token-another")):
            self.names[name] = await self.together.token(ada, permissions)
        decided: dict[str, dict[str, Any]] = {
            "plain": {},
            "up": {"mode": "OnlyUp"},
            "down": {"mode": "OnlyDown", "value": 50},
            "goal": {"goal": 12, "allowExceed": False},
            "least": {"minValue": -3},
            "full": {"value": INT64_MAX - 2},
        }
        for name, data in decided.items():
            self.names[f"counter-{name}"] = await ada.new_counter(f"Counter {name}", **data)
        self.names["counter-days"] = await ada.new_counter("Counter days", "FromDate", dateOnly="2020-02-02")
        self.names["counter-gone"] = await ada.new_counter("Counter gone")
        for name in ("plain", "goal"):
            await ada.invite(self.names[f"counter-{name}"], self.people["bob"])
            await ada.invite(self.names[f"counter-{name}"], self.people["eve"], "viewer")
        await ada.ask("DELETE", f"/v1/counters/{self.names['counter-gone']}")

    def sent(self, request: Sent) -> Sent:
        """A request with this world's ids and secrets."""
        headers = [(name, self._named(value)) for name, value in request.headers]
        return Sent(request.method, self._named(request.url), headers)

    def _named(self, text: bytes) -> bytes:
        return re.sub(rb"\{([A-Za-z-]+)\}", self._name, text)

    def _name(self, match: "re.Match[bytes]") -> bytes:
        text = match[1].decode()
        name = self.names[text.lower()]
        return (name.upper() if text.isupper() else name).encode()

    def anonymous(self, answer: Answer) -> Answer:
        """An answer without what differs in each world."""
        status, lines, body = answer
        for name, value in self.names.items():
            body = body.replace(value.encode(), name.encode())
        return status, lines, _trace.sub(b'"traceId":""', body)

    async def history(self) -> list[Any]:
        """Every change of every counter, without what differs in each world."""

        def rows(session: Session) -> list[Any]:
            found = session.connection.execute(
                "SELECT number, counter, kind, actor, at, delta, value, version, undoes FROM counter_change"
            )
            numbers = session.connection.execute("SELECT value, version FROM counter ORDER BY created, value, version")
            return [*found, *numbers]

        return await self.together.ledger.read(rows)

    @property
    def traffic(self) -> tuple[object, object]:
        """What the metrics have counted."""
        lane = next(iter(self.together.surface.hot.values()))
        assert isinstance(lane, AdditionLane)
        counted = lane.traffic
        return dict(counted.answers), dict(counted.refusals)


@asynccontextmanager
async def two_worlds(folder: Path, **settings: Any) -> AsyncIterator[tuple[World, World]]:
    """The world whose requests go through the lane, and the one whose requests do not."""
    for name in ("hot", "ordinary"):
        (folder / name).mkdir()
    async with (
        counting_together(folder / "hot", **settings) as one,
        counting_together(folder / "ordinary", **settings) as other,
    ):
        worlds = World(one), World(other)
        for world in worlds:
            await world.fill()
        yield worlds


async def compared(worlds: tuple[World, World], request: Sent) -> Answer:
    """Send a request in both worlds; the answer, which is the same."""
    hot, ordinary = worlds
    answer = hot.anonymous(await hot.lanes.send(hot.sent(request)))
    assert answer == ordinary.anonymous(await by_asgi(ordinary.together.surface.http, ordinary.sent(request))), request
    return answer


def post(
    url: str, *more: tuple[str, str], token: str = "{token-ada}", authorization: str | None = None, method: str = "POST"
) -> Sent:
    header = f"Bearer {token}" if authorization is None else authorization
    headers = [("host", "localhost"), ("authorization", header), *more]
    return Sent(method.encode(), url.encode(), encoded(headers))


def encoded(headers: Sequence[tuple[str, str]]) -> Fields:
    return [(name.encode(), value.encode()) for name, value in headers if value]


PLAIN = "/v1/counters/{counter-plain}/increment"
TAKEN = {
    "v1": (post(PLAIN), 200),
    "v2": (post("/v2/counters/{counter-plain}/increment"), 200),
    "decrement": (post("/v1/counters/{counter-plain}/decrement"), 200),
    "amount": (post("/v2/counters/{counter-plain}/increment/41"), 200),
    "zeros": (post("/v2/counters/{counter-plain}/decrement/0041"), 200),
    "slash": (post(PLAIN + "/"), 200),
    "capitals": (post("/v1/counters/{COUNTER-PLAIN}/increment"), 200),
    "no query": (post(PLAIN + "?"), 200),
    "zone": (post(PLAIN + "?timezone=UTC"), 200),
    "length": (post(PLAIN, ("content-length", "0"), ("accept", "*/*"), ("user-agent", "x"), ("if-match", '"1"')), 200),
    "a scheme in lower case": (post(PLAIN, authorization="bearer  {token-ada}"), 200),
    "a button": (post(PLAIN, token="{token-writes}"), 200),
    "a member": (post(PLAIN, token="{token-bob}"), 200),
    "a viewer": (post(PLAIN, token="{token-eve}"), 403),
    "an outsider": (post(PLAIN, token="{token-zoe}"), 403),
    "unknown": (post(f"/v1/counters/{UNKNOWN}/increment"), 404),
    "nonsense": (post("/v1/counters/nonsense/increment"), 404),
    "gone": (post("/v1/counters/{counter-gone}/increment"), 404),
    "days": (post("/v1/counters/{counter-days}/increment"), 400),
    "only up": (post("/v1/counters/{counter-up}/decrement"), 400),
    "only down": (post("/v1/counters/{counter-down}/increment"), 400),
    "beyond the goal": (post("/v2/counters/{counter-goal}/increment/13"), 400),
    "below the least": (post("/v2/counters/{counter-least}/decrement/4"), 400),
    "too large": (post("/v2/counters/{counter-full}/increment/3"), 400),
    "the greatest amount": (post(f"/v2/counters/{{counter-least}}/increment/{INT64_MAX}"), 200),
}

LEFT = {
    "GET": (post(PLAIN, method="GET"), 405, "method"),
    "a counter": (post(f"/v1/counters/{UNKNOWN}", method="GET"), 404, "method"),
    "set": (post("/v1/counters/{counter-plain}/set"), 400, "path"),
    "no amount in v1": (post("/v1/counters/{counter-plain}/increment/5"), 404, "path"),
    "amount 0": (post("/v2/counters/{counter-plain}/increment/0"), 400, "path"),
    "an amount that is too large": (post(f"/v2/counters/{{counter-plain}}/increment/{INT64_MAX + 1}"), 400, "path"),
    "a signed amount": (post("/v2/counters/{counter-plain}/increment/+3"), 200, "path"),
    "no number": (post("/v2/counters/{counter-plain}/increment/x"), 400, "path"),
    "two slashes": (post(PLAIN + "//"), 404, "path"),
    "percent": (post("/v1/counters/{counter-plain}/%69ncrement"), 200, "path"),
    "an amount in the query": (post(PLAIN + "?amount=5"), 400, "path"),
    "a token in the query": (post(PLAIN + "?token=x"), 401, "path"),
    "an unknown zone": (post(PLAIN + "?timezone=Nowhere"), 400, "path"),
    "a long query": (post(PLAIN + "?" + "x" * 8_193), 400, "path"),
    "a key": (post(PLAIN, ("idempotency-key", "one")), 200, "idempotency key"),
    "problem": (post(f"/v1/counters/{UNKNOWN}/increment", ("accept", "application/problem+json")), 404, "accept"),
    "no header": (post(PLAIN, authorization=""), 401, "authorization"),
    "two headers": (post(PLAIN, ("authorization", "Bearer {token-ada}")), 401, "authorization"),
    "an unknown token": (post(PLAIN, token="unknown"), 401, "authorization"),
    "basic": (post(PLAIN, authorization="Basic {token-ada}"), 401, "authorization"),
    "three words": (post(PLAIN, authorization="Bearer {token-ada} x"), 401, "authorization"),
    "a token that only reads": (post(PLAIN, token="{token-reads}"), 403, "permission"),
}


async def warm(world: World, request: Sent) -> None:
    """Have the token of a request looked up."""
    for name, value in world.sent(request).headers:
        if name == b"authorization":
            await world.together.services.tokens.principal(value.split()[-1].decode())


@pytest.mark.parametrize("rates", [UNLIMITED, WIDE], ids=["unlimited", "limited"])
async def test_what_the_lane_takes_is_answered_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rates: Any
) -> None:
    monkeypatch.setattr(authorization, "SlidingWindows", partial(SlidingWindows, clock=Clock()))
    async with two_worlds(tmp_path, rate_limit=rates) as worlds:
        hot = worlds[0]
        for name, (request, status) in TAKEN.items():
            for _ in range(20):
                before = hot.lanes.taken
                await warm(hot, request)
                answer = await compared(worlds, request)
                assert answer[0] == status, (name, answer)
                if hot.lanes.taken > before:
                    break
            else:
                pytest.fail(f"{name} was never taken: {hot.lanes.left}")
        assert await worlds[0].history() == await worlds[1].history()
        assert worlds[0].traffic == worlds[1].traffic


async def test_what_the_lane_leaves_is_answered_as_ever(tmp_path: Path) -> None:
    async with two_worlds(tmp_path) as worlds:
        hot = worlds[0]
        for name, (request, status, reason) in LEFT.items():
            await warm(hot, request)
            before = hot.lanes.left.get(reason, 0)
            answer = await compared(worlds, request)
            assert answer[0] == status, (name, answer)
            assert hot.lanes.left.get(reason, 0) == before + 1, (name, hot.lanes.left)
        assert hot.lanes.taken == 0
        assert await worlds[0].history() == await worlds[1].history()
        assert worlds[0].traffic == worlds[1].traffic


@pytest.mark.parametrize(("seed", "rates"), [(1, UNLIMITED), (2, UNLIMITED), (3, LIMITED), (4, LIMITED)])
async def test_a_thousand_requests_of_every_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, rates: Any
) -> None:
    chosen, clock = random.Random(seed), Clock()
    monkeypatch.setattr(authorization, "SlidingWindows", partial(SlidingWindows, clock=clock))
    monkeypatch.setattr(authorization, "PATIENCE_S", 0.001)
    async with two_worlds(tmp_path, rate_limit=rates) as worlds:
        for number in range(1_000):
            if number % 50 == 49:
                await meanwhile(chosen, worlds)
            clock.now += chosen.choice([0, 0.1, 1, 2.5])
            for world in worlds:
                world.together.clock.advance(seconds=1)
            await compared(worlds, generated(chosen))
        lanes = worlds[0].lanes
        assert await worlds[0].history() == await worlds[1].history()
        assert worlds[0].traffic == worlds[1].traffic
        assert lanes.taken > 300, lanes.left
        assert set(lanes.left) <= REASONS


def generated(chosen: random.Random) -> Sent:
    """A request of which each part is usual most of the time."""

    def one_of(usual: str, *unusual: str) -> str:
        return chosen.choice(unusual) if chosen.random() < 0.08 else usual

    counters = ("plain", "plain", "plain", "up", "down", "goal", "least", "full", "days", "gone")
    counter = f"{{counter-{chosen.choice(counters)}}}"
    counter = one_of(counter, counter.upper(), UNKNOWN, "nonsense", counter + "0", counter.replace("-", "%2D", 1), "")
    version = chosen.choice(["v1", "v2"])
    verb = one_of(chosen.choice(["increment", "increment", "decrement"]), "undo", "Increment", "reset", "increments")
    amounts = ("1", "2", "3", "007", "+3", "0", "-1", "x", "3/", "", f"{INT64_MAX}", f"{INT64_MAX + 1}", "9" * 40)
    amount = f"/{chosen.choice(amounts)}" if version == "v2" and chosen.random() < 0.4 else ""
    end = one_of("", "/", "//", "#x", "?", "?timezone=UTC", "?timezone=Europe/Berlin", "?timezone=Nowhere", "?a=b")
    end = one_of(end, "?timezone=utc", "?timezone=", "?timezone=UTC&timezone=x", "?amount=1", "?access_token=x", "?&")
    token = chosen.choice(["token-ada", "token-ada", "token-bob", "token-eve", "token-zoe", "token-writes"])
    token = one_of(token, "token-reads", "token-another")
    authorization = one_of(
        f"Bearer {{{token}}}", f"bEARER \t{{{token}}} ", "Bearer", "Bearer unknown", "Basic eDp4", ""
    )
    more = [
        ("accept", one_of("", "*/*", "application/problem+json", "application/json, application/problem+json;q=0.5")),
        ("if-match", one_of("", '"3-00000000"', "*")),
        ("if-none-match", one_of("", "*")),
        ("accept-encoding", one_of("", "gzip")),
        ("content-length", one_of("0", "")),
        ("idempotency-key", one_of("", "one", "two", '"bad')),
        ("authorization", one_of("", "Bearer {token-ada}")),
    ]
    method = one_of("POST", "GET", "PUT", "HEAD", "DELETE", "OPTIONS")
    url = f"/{version}/counters/{counter}/{verb}{amount}{end}"
    return post(url, *more, authorization=authorization, method=method)


async def meanwhile(chosen: random.Random, worlds: tuple[World, World]) -> None:
    """Something else happens in both worlds."""
    what = chosen.choice([token_revoked, token_revoked_elsewhere, role_changed, counter_edited])
    state = chosen.getstate()
    for world in worlds:
        chosen.setstate(state)
        await what(chosen, world)


async def token_revoked(chosen: random.Random, world: World) -> None:
    name = chosen.choice(["bob", "ada"])
    await world.together.ledger.write(delete_token, await number_of(world, world.names[f"token-{name}"]))
    await new_token(world, name)


async def token_revoked_elsewhere(_: random.Random, world: World) -> None:
    await elsewhere(world.together.ledger, delete_token, await number_of(world, world.names["token-bob"]))
    await new_token(world, "bob")


async def new_token(world: World, name: str) -> None:
    person = world.people[name]
    world.names[f"token-{name}"] = await world.together.token(person, READ | WRITE)


async def number_of(world: World, token: str) -> int:
    principal = await world.together.ledger.read(stored_principal, secret_digest(token))
    assert principal is not None
    return principal.token.id


async def role_changed(chosen: random.Random, world: World) -> None:
    ada, member = (await world.together.token(world.people["ada"], READ | WRITE)), world.people["bob"]
    path = f"/v1/counters/{world.names['counter-plain']}/members/{member.userid}"
    role = chosen.choice(["viewer", "member", "admin"])
    await world.people["ada"].ask("PATCH", path, {"role": role}, token=ada)


async def counter_edited(chosen: random.Random, world: World) -> None:
    ada = await world.together.token(world.people["ada"], READ | WRITE)
    name = chosen.choice(["counter-goal", "counter-least", "counter-up"])
    edit = {"goal": chosen.choice([5, 100, None]), "minValue": chosen.choice([-100, None]), "confirm": True}
    await world.people["ada"].ask("PATCH", f"/v2/counters/{world.names[name]}", edit, token=ada)


FAULTS: dict[str, tuple[Exception, int]] = {
    "full": (StoreFull("the disk is full"), 503),
    "failed": (StoreFailed("the database failed: no such page"), 500),
    "a fault of ours": (ValueError("a fault"), 500),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_faults_are_answered_as_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    error, status = FAULTS[fault]

    def faulty(*_: object) -> None:
        raise error

    async with two_worlds(tmp_path) as worlds:
        monkeypatch.setattr(service, "carry_out", faulty)
        await hot_and_compared(worlds, status)


@pytest.mark.parametrize("what", ["busy", "closed"])
@pytest.mark.parametrize("rates", [UNLIMITED, WIDE], ids=["unlimited", "limited"])
async def test_a_full_queue_and_a_stopping_server_are_answered_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, rates: Any
) -> None:
    monkeypatch.setattr(authorization, "SlidingWindows", partial(SlidingWindows, clock=Clock()))
    async with two_worlds(tmp_path, rate_limit=rates) as worlds:
        for world in worlds:
            await warm(world, post(PLAIN))
        for world in worlds:
            thread = world.together.ledger._writers[0].thread  # noqa: SLF001  # has no room any more
            monkeypatch.setattr(thread, *(("queue_limit", 0) if what == "busy" else ("_closed", True)))
        answer = await hot_and_compared(worlds, 503)
        assert b"retry-after: " in answer[1]
        monkeypatch.undo()


async def hot_and_compared(worlds: tuple[World, World], status: int) -> Answer:
    hot = worlds[0]
    for _ in range(20):
        await warm(hot, post(PLAIN))
        answer = await compared(worlds, post(PLAIN))
        assert answer[0] == status
        if hot.lanes.taken:
            assert hot.traffic == worlds[1].traffic
            return answer
    pytest.fail(f"it was never taken: {hot.lanes.left}")


async def test_a_request_that_has_to_wait_for_its_turn_takes_nothing_from_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(authorization, "SlidingWindows", partial(SlidingWindows, clock=clock))
    async with counting_together(tmp_path, rate_limit=(Rate("counttogether", 40, 60),)) as together:
        world = World(together)
        await world.fill()
        clock.now += 60
        request = world.sent(post(PLAIN))
        await warm(world, request)
        answered = [HeldConnection() for _ in range(40)]
        assert [world.lanes.offer(request, each) for each in answered] == [None] * 40
        for _ in range(3):
            assert world.lanes.offer(request, HeldConnection()) == "rate limit"
        await answered[-1].answered.wait()
        assert b"x-ratelimit-remaining: 0" in answered[-1].answers[0][1]
        clock.now += 60
        await warm(world, request)
        assert b"x-ratelimit-remaining: 39" in (await world.lanes.send(request))[1]


async def test_a_request_that_is_left_takes_nothing_from_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authorization, "SlidingWindows", partial(SlidingWindows, clock=Clock()))
    async with counting_together(tmp_path, rate_limit=(Rate("counttogether", 500, 60),)) as together:
        world = World(together)
        await world.fill()

        async def remaining() -> int:
            _, lines, _ = await world.lanes.send(world.sent(post(PLAIN)))
            found = re.search(rb"x-ratelimit-remaining: ([0-9]+)", lines)
            assert found is not None
            return int(found[1])

        before = await remaining()
        for request, _, reason in LEFT.values():
            await warm(world, request)
            assert world.lanes.offer(world.sent(request), HeldConnection()) == reason
        assert await remaining() == before - 1


async def test_a_revoked_token_is_refused_at_once(tmp_path: Path) -> None:
    async with counting_together(tmp_path) as together:
        world = World(together)
        await world.fill()
        request = world.sent(post(PLAIN))
        await warm(world, request)
        first = HeldConnection()
        number = await number_of(world, world.names["token-ada"])
        await warm(world, request)
        assert world.lanes.offer(request, first) is None
        await together.ledger.write(delete_token, number)
        assert world.lanes.offer(request, HeldConnection()) == "authorization"
        assert (await world.lanes.send(request))[0] == 401
        await first.answered.wait()
        assert first.answers[0][0] == 200


async def test_a_client_that_has_hung_up_is_counted_once(tmp_path: Path) -> None:
    async with counting_together(tmp_path) as together:
        world = World(together)
        await world.fill()
        request = world.sent(post(PLAIN))
        gone, staying = HeldConnection(), HeldConnection()
        gone.client = None
        await warm(world, request)
        assert [world.lanes.offer(request, each) for each in (gone, staying)] == [None, None]
        await staying.answered.wait()
        assert [each.answers[0][2] for each in (gone, staying)] == [b"1", b"2"]
        assert len(gone.answers) == 1
