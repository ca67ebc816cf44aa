"""``CountApi`` and ``AsyncCountApi`` against a running server: every call."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from support.clients import Driven
from support.server import RunningServer
from tallystick.client import AsyncCountApi, CountApi
from tallystick.client.countapi import WasSet
from tallystick.client.errors import BadRequest, Conflict, Forbidden, NotFound


@pytest.fixture(params=["blocking", "awaited"])
def api(request: pytest.FixtureRequest, shared_server: RunningServer) -> Iterator[Any]:
    if request.param == "blocking":
        with CountApi(shared_server.url) as blocking:
            yield blocking
    else:
        with Driven(AsyncCountApi(shared_server.url)) as awaited:
            yield awaited


@pytest.fixture
def key() -> str:
    """Of a counter that nobody else counts."""
    return uuid4().hex


def test_a_counter_is_counted(api: Any, key: str) -> None:
    assert api.get(key) is None
    assert [api.hit(key), api.hit(key), api.update(-1 + 1, key), api.get(key)] == [1, 2, 2, 2]
    assert api.hit(key, "example.com") == 1
    assert (api.get(key, "example.com"), api.get(key, "default")) == (1, 2)


def test_a_counter_is_made_and_set(api: Any, key: str) -> None:
    made = api.create(key, "example.com", value=5, enable_reset=True, update_lowerbound=-3, update_upperbound=10)
    assert (made.namespace, made.key, made.value) == ("example.com", key, 5)
    assert api.update(10, key, "example.com") == 15
    assert api.set(0, key, "example.com") == WasSet(old_value=15, value=0)
    info = api.info(key, "example.com")
    assert (info.update_lowerbound, info.update_upperbound, info.enable_reset, info.value) == (-3, 10, True, 0)
    assert api.create().value == 0
    api.create(key, "visitors", unique="day")
    assert api.hit(key, "visitors") == 0, "programs are nobody's visit"


def test_a_history_is_asked_for(api: Any, key: str) -> None:
    api.create(f"{key}.csv", "example.com", value=998)
    for _ in range(3):
        api.hit(f"{key}.csv", "example.com")
    history = api.history(f"{key}.csv", "example.com", period="24h", interval="hour", timezone="Asia/Kolkata")
    assert (history.key, history.value, history.added, history.interval) == (f"{key}.csv", 1_001, 3, "hour")
    assert sum(each.added for each in history.history) == 3
    assert history.history[-1].value == 1_001
    assert [each.value for each in history.milestones] == [1_000]
    assert history.begins <= history.changed <= history.milestones[0].reached
    with pytest.raises(BadRequest, match="period"):
        api.history(key, period="yesterday")


def test_what_is_not_there_is_none(api: Any, key: str) -> None:
    assert api.history(key) is None
    assert [api.get(key), api.update(1, key), api.set(1, key), api.info(key)] == [None] * 4


def test_refusals(api: Any, key: str) -> None:
    api.create(key)
    with pytest.raises(Forbidden) as caught:
        api.update(2, key)
    assert caught.value.body == {"value": 0}
    with pytest.raises(Forbidden):
        api.set(1, key)
    with pytest.raises(Conflict):
        api.create(key)
    with pytest.raises(BadRequest, match="Malformed Namespace/Key"):
        api.hit("ab")


def test_a_key_of_ones_own_counts_once(api: Any, key: str) -> None:
    press = uuid4().hex
    assert [api.hit(key, idempotency_key=press), api.hit(key, idempotency_key=press), api.hit(key)] == [1, 1, 2]


def test_stats(api: Any, key: str) -> None:
    before = api.stats()
    api.hit(key)
    after = api.stats()
    assert after.keys_created > before.keys_created
    assert after.version


def test_a_counter_is_watched(api: Any, key: str) -> None:
    with pytest.raises(NotFound):
        next(api.watch(key))
    api.hit(key)
    values = api.watch(key)
    assert next(values) == 1
    api.hit(key)
    assert next(values) == 2
    values.close()


async def test_many_count_at_once(shared_server: RunningServer, key: str) -> None:
    async with AsyncCountApi(shared_server.url) as api:
        values = await asyncio.gather(*(api.hit(key) for _ in range(50)))
        assert sorted(values) == list(range(1, 51))
        assert await api.get(key) == 50
