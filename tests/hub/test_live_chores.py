"""What is looked after each second: tokens, days, public counters."""

import asyncio
import datetime as dt
from contextlib import closing
from zoneinfo import ZoneInfo

import pytest

from builders import NOW, a_key
from support.ledgers import Clock
from support.live import Scene, a_counter_token, listening, rest_of, told
from support.sharing import a_counter, change
from tallystick.hub.hub import Ending, Hub, Subscription, SubscriptionEnded
from tallystick.hub.watching import Watches
from tallystick.ledger import Database, Ledger
from tallystick.ledger.folding import CounterWrite, operate
from tallystick.model.account import Account, Permission
from tallystick.model.counter import HIT, LIFETIME_MS, Counter
from tallystick.model.shared_counter import SharedCounter
from tallystick.services.accounts.accounts import delete_account
from tallystick.services.accounts.tokens import delete_token, rotate_token, token
from tallystick.services.feed.following import Following
from tallystick.services.feed.housekeeping import LiveChecks

BERLIN, HONOLULU = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Honolulu")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


# Tokens


async def ended(subscription: Subscription) -> Ending:
    with pytest.raises(SubscriptionEnded) as why:
        await told(subscription)
    return why.value.ending


async def test_a_revoked_token_ends_its_connections_and_no_others(
    ledger: Ledger, following: Following, ada: Account, visits: SharedCounter
) -> None:
    revoked, kept = await a_counter_token(ledger, ada), await a_counter_token(ledger, ada)
    going, staying = (
        await listening(following, ledger, ada, token=revoked),
        await listening(following, ledger, ada, token=kept),
    )
    rotated = await ledger.read(token, await a_counter_token(ledger, ada))
    assert rotated is not None
    old = await following.subscribe(ada.id, rotated.id, BERLIN, rotated.prefix)
    await ledger.write(rotate_token, rotated.id)
    await ledger.write(delete_token, revoked)
    assert await ended(going) is Ending.REVOKED
    assert await ended(old) is Ending.REVOKED
    await change(ledger, ada, visits)
    assert [each.value for each in await told(staying)] == [1]


async def test_a_token_that_was_revoked_before_anyone_subscribed_with_it_ends_too(
    ledger: Ledger, following: Following, ada: Account
) -> None:
    number, lasting = await a_counter_token(ledger, ada), await a_counter_token(ledger, ada)
    await listening(following, ledger, ada, token=lasting)
    await ledger.write(delete_token, number)
    await asyncio.sleep(0.1)
    # Whoever looked the token up a moment before the end may still subscribe.
    assert await ended(await listening(following, ledger, ada, token=number)) is Ending.REVOKED
    assert len(following.hub) == 1


async def test_the_end_of_an_account_ends_its_connections(ledger: Ledger, following: Following, ben: Account) -> None:
    subscription = await listening(following, ledger, ben, token=await a_counter_token(ledger, ben))
    await ledger.write(delete_account, ben.id, NOW)
    assert await ended(subscription) is Ending.REVOKED


async def test_a_token_that_may_not_read_counters_has_no_connections(
    ledger: Ledger, following: Following, ada: Account
) -> None:
    number = await a_counter_token(ledger, ada, Permission.COUNTERS_WRITE)
    assert await ended(await listening(following, ledger, ada, token=number)) is Ending.REVOKED


# Days


async def test_at_midnight_counters_of_days_are_told_where_the_day_begins(scene: Scene, ben: Account) -> None:
    scene.clock.now += 3 * HOUR_MS  # 15 January 2027, noon in Berlin
    since = await a_counter(scene.ledger, scene.ada, "Smoke-free", type="FromDate", day=dt.date(2027, 1, 1))
    berlin, honolulu = [await listening(scene.following, scene.ledger, scene.ada, zone) for zone in (BERLIN, HONOLULU)]
    other = await listening(scene.following, scene.ledger, ben, BERLIN)
    scene.clock.now += 13 * HOUR_MS
    [heard] = await told(berlin)
    assert (heard.kind, heard.counter, heard.state, heard.number) == ("details", since.uid, since, 2)
    assert (heard.actor, heard.delta, heard.version, heard.at) == (None, None, 1, scene.clock.now)
    await change(scene.ledger, scene.ada, scene.visits)
    assert [each.kind for each in await told(berlin) + await told(honolulu)] == ["value"] * 2, "once, and nowhere else"
    assert await rest_of(other) == []


async def test_a_day_that_begins_right_after_someone_came_is_told(scene: Scene) -> None:
    hub, clock = Hub(), scene.clock
    chores = LiveChecks(scene.ledger, hub, Watches(hub), lambda: 2)
    await a_counter(scene.ledger, scene.ada, "Smoke-free", type="FromDate", day=dt.date(2027, 1, 1))
    clock.now += 15 * HOUR_MS - 1  # a millisecond before midnight in Berlin
    subscription = hub.subscribe(scene.ada.id, await a_counter_token(scene.ledger, scene.ada), BERLIN)
    chores.add(subscription)
    subscription.skip(9)
    clock.now += 1
    await chores.publish_days()
    assert [each.number for each in await rest_of(subscription)] == [9], "never below what it has heard of"


# Public counters


async def test_a_public_counter_is_watched_from_its_present_state_on(ledger: Ledger, following: Following) -> None:
    watcher = following.watch(a_key())
    assert (await watcher.next())[1] is None
    for value in range(1, 4):
        await ledger.count(a_key(), HIT)
        _, state = await watcher.next()
        assert state is not None
        assert state.value == value
    _, late = await following.watch(a_key()).next()
    assert late is not None
    assert late.value == 3


async def test_what_others_do_to_a_public_counter_is_seen_within_a_look(
    ledger: Ledger, database: Database, following: Following, clock: Clock
) -> None:
    watcher = following.watch(a_key())
    assert (await watcher.next())[1] is None

    def elsewhere() -> None:
        with closing(database.session()) as session:
            operate(database, session, [CounterWrite(a_key(), HIT)], clock.now)

    await asyncio.to_thread(elsewhere)
    async with asyncio.timeout(10):
        _, state = await watcher.next()
        assert isinstance(state, Counter)
        clock.now += LIFETIME_MS
        assert (await watcher.next())[1] is None, "its lifetime is over"
    watcher.close()
    assert ledger.watched.keys == set()
