"""How long a key lives, told by a clock that the test moves."""

from pathlib import Path
from threading import current_thread, main_thread

import pytest

from builders import NOW
from support.in_process import Clock, InProcess, in_process
from tallystick.ledger import Session
from tallystick.model.counter import FOREVER, NEVER
from tallystick.services.counting.counting import Counting

LIFETIME_S = 15_770_000
LIFETIME_MS = 15_770_000_000


async def ttl(site: InProcess, key: str = "visits") -> int | None:
    told: int | None = (await site.ask(f"/info/{key}")).json()["ttl"]
    return told


@pytest.mark.parametrize("making", ["/hit/visits", "/create?key=visits"])
async def test_a_new_key_has_its_full_life_before_it(tmp_path: Path, making: str) -> None:
    async with in_process(tmp_path) as site:
        await site.ask(making)
        told = (await site.ask("/info/visits")).json()
        assert (told["ttl"], told["created"]) == (LIFETIME_MS, NOW)
        site.clock.advance(seconds=1.5)
        told = (await site.ask("/info/visits")).json()
        assert (told["ttl"], told["created"]) == (LIFETIME_MS - 1_500, NOW)


@pytest.mark.parametrize(
    "target",
    [
        "/hit/visits",
        "/update/visits?amount=1",
        "/update/visits?amount=-1",
        "/update/visits?amount=0",
        "/set/visits?value=0",
    ],
)
async def test_a_change_renews_it(tmp_path: Path, target: str) -> None:
    async with in_process(tmp_path) as site:
        await site.ask("/create?key=visits&enable_reset=1")
        site.clock.advance(seconds=1_000)
        assert (await site.ask(target)).status == 200
        told = (await site.ask("/info/visits")).json()
        assert (told["ttl"], told["created"]) == (LIFETIME_MS, NOW)


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/get/visits", 200),
        ("GET", "/info/visits", 200),
        ("GET", "/stats", 200),
        ("HEAD", "/hit/visits", 200),
        ("OPTIONS", "/hit/visits", 204),
        ("PUT", "/hit/visits", 405),
        ("GET", "/update/visits?amount=9", 403),
        ("GET", "/update/visits?amount=x", 400),
        ("GET", "/set/visits?value=1", 403),
        ("GET", "/create?key=visits", 409),
        ("GET", "/hit/visits?callback=1", 400),
        ("GET", "/hit/other", 200),
    ],
)
async def test_nothing_else_renews_it(tmp_path: Path, method: str, target: str, status: int) -> None:
    async with in_process(tmp_path) as site:
        await site.ask("/create?key=visits")
        site.clock.advance(seconds=1_000)
        assert (await site.ask(target, method=method)).status == status
        assert await ttl(site) == LIFETIME_MS - 1_000_000


async def test_it_ends_to_the_millisecond(tmp_path: Path) -> None:
    async with in_process(tmp_path) as site:
        await site.ask("/create?key=visits&value=5&enable_reset=1&update_upperbound=9")
        site.clock.advance(seconds=LIFETIME_S - 0.001)
        assert (await site.ask("/get/visits")).json() == {"value": 5}
        assert await ttl(site) == 1
        site.clock.advance(seconds=0.001)
        for target in ("/get/visits", "/info/visits", "/update/visits?amount=1", "/set/visits?value=1"):
            answer = await site.ask(target)
            assert answer.status == 404
            assert set(answer.json().values()) == {None}


async def test_an_ended_key_starts_over_with_hit(tmp_path: Path) -> None:
    async with in_process(tmp_path) as site:
        await site.ask("/create?key=visits&value=5&enable_reset=1&update_upperbound=9")
        site.clock.advance(seconds=LIFETIME_S)
        assert (await site.ask("/hit/visits")).json() == {"value": 1}
        told = (await site.ask("/info/visits")).json()
        assert (told["ttl"], told["created"]) == (LIFETIME_MS, NOW + LIFETIME_MS)
        assert (told["update_lowerbound"], told["update_upperbound"], told["enable_reset"]) == (0, 1, False)


async def test_an_ended_key_can_be_created_again(tmp_path: Path) -> None:
    async with in_process(tmp_path) as site:
        await site.ask("/hit/visits")
        site.clock.advance(seconds=LIFETIME_S)
        assert (await site.ask("/create?key=visits&value=7")).json() == {
            "namespace": "default",
            "key": "visits",
            "value": 7,
        }
        assert (await site.ask("/info/visits")).json()["created"] == NOW + LIFETIME_MS


async def test_a_used_key_outlives_many_lifetimes(tmp_path: Path) -> None:
    async with in_process(tmp_path) as site:
        for visits in range(1, 6):
            assert (await site.ask("/hit/visits")).json() == {"value": visits}
            site.clock.advance(seconds=LIFETIME_S - 1)
        assert await ttl(site) == 1_000


async def test_the_sweep_removes_what_has_ended_and_nothing_else(tmp_path: Path) -> None:
    async with in_process(tmp_path) as site:
        ledger = site.application.ledger
        for key in ("first", "second", "renewed"):
            await site.ask(f"/hit/{key}")
        site.clock.advance(seconds=LIFETIME_S / 2)
        await site.ask("/hit/renewed")
        site.clock.advance(seconds=LIFETIME_S / 2)
        await site.ask("/hit/young")
        assert await ledger.read(lambda session: session.size()) == 4
        assert await Counting(ledger).sweep() == 2
        assert await ledger.read(lambda session: session.size()) == 2
        assert await Counting(ledger).sweep() == 0
        assert (await site.ask("/get/renewed")).json() == {"value": 2}
        assert (await site.ask("/get/first")).status == 404
        assert (await site.ask("/hit/first")).json() == {"value": 1}


async def test_a_living_key_has_time_left_even_if_the_clock_moves_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def next_millisecond(clock: Clock) -> int:
        if current_thread() is main_thread():  # what other threads write in the meantime takes no time
            clock.now += 1
        return clock.now

    async with in_process(tmp_path) as site:
        await site.ask("/hit/visits")
        monkeypatch.setattr(Clock, "__call__", next_millisecond)
        told = []
        for left in range(9, -1, -1):  # the server may read the clock besides, so that no single moment is certain
            site.clock.now = NOW + LIFETIME_MS - left
            told.append(await ttl(site))
        assert told[0] is not None
        assert told[-1] is None
        assert all(time_left is None or time_left > 0 for time_left in told)


DAY_S = 86_400


@pytest.mark.parametrize(
    "target",
    [
        "/hit/visits",
        "/update/visits?amount=1",
        "/set/visits?value=0",
    ],
)
@pytest.mark.parametrize("days", [1, 400])
async def test_the_operator_sets_how_long_it_lives(tmp_path: Path, target: str, days: int) -> None:
    async with in_process(tmp_path, counter_lifetime=days * DAY_S * 1000) as site:
        await site.ask("/create?key=visits&enable_reset=1")
        assert await ttl(site) == days * DAY_S * 1000
        site.clock.advance(seconds=days * DAY_S - 1)
        assert (await site.ask(target)).status == 200
        assert await ttl(site) == days * DAY_S * 1000
        site.clock.advance(seconds=days * DAY_S)
        assert await ttl(site) is None


@pytest.mark.parametrize("making", ["/hit/visits", "/create?key=visits"])
async def test_where_counters_never_expire_it_is_there_after_a_century(tmp_path: Path, making: str) -> None:
    async with in_process(tmp_path, counter_lifetime=NEVER) as site:
        value = (await site.ask(making)).json()["value"]
        site.clock.advance(seconds=100 * 365 * DAY_S)
        assert (await site.ask("/get/visits")).json() == {"value": value}
        assert await ttl(site) == FOREVER - site.clock.now
        assert (await site.ask("/hit/visits")).json() == {"value": value + 1}
        assert await Counting(site.application.ledger, NEVER).sweep() == 0


async def test_what_was_counted_before_never_expires_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.services.counting.counting.SWEPT_AT_ONCE", 3)
    async with in_process(tmp_path) as site:
        for number in range(10):
            await site.ask(f"/hit/page{number}")
    async with in_process(tmp_path, counter_lifetime=NEVER) as site:
        counting = Counting(site.application.ledger, NEVER)
        await counting.renew()
        site.clock.advance(seconds=2 * LIFETIME_S)
        values = [(await site.ask(f"/get/page{number}")).json() for number in range(10)]
        assert values == [{"value": 1}] * 10
        # It is done once: nothing is written the next time.
        before = await site.application.ledger.read(_versions)
        await Counting(site.application.ledger, NEVER).renew()
        assert await site.application.ledger.read(_versions) == before


async def test_where_counters_expire_again_a_change_gives_a_lifetime(tmp_path: Path) -> None:
    async with in_process(tmp_path, counter_lifetime=NEVER) as site:
        await site.ask("/hit/visits")
    async with in_process(tmp_path) as site:
        assert (await ttl(site) or 0) > LIFETIME_MS
        await site.ask("/hit/visits")
        assert await ttl(site) == LIFETIME_MS


def _versions(session: Session) -> list[int]:
    return [counter.version for _, counter in session.page(None, 100)]
