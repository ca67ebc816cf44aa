"""Who watches a public counter sees its newest state."""

import asyncio

import pytest

from builders import a_counter, a_key
from tallystick.hub import hub as hubs
from tallystick.hub.hub import Ending, Hub, SubscriptionEnded, TooManySubscriptions
from tallystick.hub.watching import State, Watcher, Watches

KEY = a_key()


@pytest.fixture
def watches() -> Watches:
    return Watches(Hub())


async def seen(watcher: Watcher) -> list[State]:
    """Every state that a watcher has to tell now."""
    found = []
    while True:
        try:
            async with asyncio.timeout(0):
                found.append((await watcher.next())[1])
        except TimeoutError:
            return found


async def test_the_present_state_comes_first_then_every_new_one(watches: Watches) -> None:
    watcher = watches.watch(KEY)
    assert await seen(watcher) == []
    watches.update({KEY: None}, watches.moment())
    assert await seen(watcher) == [None]
    for value in (1, 2):
        watches.changed({KEY: a_counter(value, version=value), a_key("other"): None})
        assert await seen(watcher) == [a_counter(value, version=value)]
    assert await seen(watches.watch(KEY)) == [a_counter(2, version=2)], "known already"


async def test_who_does_not_read_is_told_the_newest_state_only(watches: Watches) -> None:
    watcher = watches.watch(KEY)
    for value in range(1_000):
        watches.changed({KEY: a_counter(value, version=value)})
    assert await seen(watcher) == [a_counter(999, version=999)]


async def test_a_state_that_was_told_is_not_told_again(watches: Watches) -> None:
    watcher = watches.watch(KEY)
    watches.changed({KEY: a_counter(1)})
    await seen(watcher)
    watches.update({KEY: a_counter(1)}, watches.moment())
    assert await seen(watcher) == []


async def test_a_read_that_a_commit_overtook_tells_nothing(watches: Watches) -> None:
    watcher = watches.watch(KEY)
    asked = watches.moment()
    watches.changed({KEY: a_counter(2, version=2)})
    watches.update({KEY: a_counter(1, version=1)}, asked)
    assert await seen(watcher) == [a_counter(2, version=2)]
    watches.update({KEY: None}, watches.moment())
    assert await seen(watcher) == [None], "a later read knows better"


async def test_a_key_is_watched_until_its_last_watcher_leaves(watches: Watches) -> None:
    one, other = watches.watch(KEY), watches.watch(KEY)
    for _ in range(2):
        one.close()
    assert watches.keys == {KEY}
    other.close()
    assert watches.keys == set()
    watches.changed({KEY: a_counter(1)})
    assert await seen(watches.watch(KEY)) == [], "what nobody watched is not known"


async def test_watchers_take_places_and_end_with_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "SUBSCRIPTIONS_AT_MOST", 1)
    hub = Hub()
    watches = Watches(hub)
    watcher = watches.watch(KEY)
    with pytest.raises(TooManySubscriptions):
        watches.watch(a_key("other"))
    watches.end_all(Ending.RESTARTING)
    with pytest.raises(SubscriptionEnded):
        await watcher.next()
    assert hub.watchers == 0
    watches.watch(KEY)


async def test_who_comes_while_the_server_stops_is_ended_at_once() -> None:
    hub = Hub()
    watches = Watches(hub)
    hub.end_all()
    watcher = watches.watch(KEY)
    with pytest.raises(SubscriptionEnded):
        await watcher.next()
    watcher.close()
    assert (hub.watchers, watches.keys) == (0, set())
