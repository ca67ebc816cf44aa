"""Who is told of a change, in which order, and what happens to those who do not listen."""

import asyncio
import sys
from collections.abc import Iterable
from zoneinfo import ZoneInfo

import pytest

from builders import NOW
from tallystick.hub import hub as hubs
from tallystick.hub.hub import (
    READ_WITHIN_S,
    Ending,
    Hub,
    Subscription,
    SubscriptionEnded,
    TooManySubscriptions,
)
from tallystick.hub.pending import MERGED_AT_MOST, PLAIN_AT_MOST
from tallystick.model.change import Change, ChangeKind

UTC = ZoneInfo("UTC")
ADA, BEN = 1, 2


class Seconds:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def hub(seconds: Seconds) -> Hub:
    return Hub(seconds)


def change(number: int, counter: str = "visits", kind: ChangeKind = "value") -> Change:
    return Change(number=number, counter=counter, kind=kind, at=NOW)


def subscribed(hub: Hub, account: int = ADA, token: int = 1) -> Subscription:
    return hub.subscribe(account, token, UTC)


async def heard(subscription: Subscription) -> list[Change]:
    """Everything that a subscription has to tell now."""
    found = []
    while True:
        try:
            async with asyncio.timeout(0):
                found.append(await subscription.next())
        except TimeoutError:
            return found


def numbers(changes: Iterable[Change]) -> list[int]:
    return [each.number for each in changes]


async def test_a_change_is_told_to_every_connection_of_its_people_and_to_nobody_else(hub: Hub) -> None:
    phone, desk, ben = subscribed(hub), subscribed(hub), subscribed(hub, BEN)
    told = change(1)
    assert hub.publish(told, [ADA]) == 2
    assert await phone.next() is told
    assert await desk.next() is told
    assert await heard(ben) == []


async def test_a_reader_that_waits_is_woken(hub: Hub) -> None:
    subscription = subscribed(hub)
    reading = asyncio.create_task(subscription.next())
    await asyncio.sleep(0)
    hub.publish(change(1), [ADA])
    assert (await reading).number == 1


async def test_changes_come_in_order_and_up_to_a_limit_one_by_one(hub: Hub) -> None:
    subscription = subscribed(hub)
    for number in range(PLAIN_AT_MOST):
        hub.publish(change(number), [ADA])
    assert numbers(await heard(subscription)) == list(range(PLAIN_AT_MOST))
    assert hub.measurements.merged == 0


async def test_past_the_limit_the_newest_of_each_counter_is_told_in_order(hub: Hub) -> None:
    subscription = subscribed(hub)
    for number in range(3_000):
        hub.publish(change(number, f"counter {number % 3}"), [ADA])
    hub.publish(change(3_000, "counter 1", "members"), [ADA])
    hub.publish(change(3_001, "counter 1", "members"), [ADA])
    assert numbers(await heard(subscription)) == [2_997, 2_998, 2_999, 3_001]
    assert hub.measurements.merged == 2_998
    for number in range(3_002, 3_005):
        hub.publish(change(number), [ADA])
    assert numbers(await heard(subscription)) == [3_002, 3_003, 3_004], "caught up: one by one again"


async def test_what_came_before_a_farewell_is_not_told_and_what_came_after_is(hub: Hub) -> None:
    subscription = subscribed(hub)
    for number in range(PLAIN_AT_MOST + 1):
        hub.publish(change(number), [ADA])
    hub.publish(change(2_000, kind="members"), [ADA])
    hub.publish(change(2_001, kind="deleted"), [ADA])
    hub.publish(change(2_002, kind="created"), [ADA])
    assert [(each.number, each.kind) for each in await heard(subscription)] == [(2_001, "deleted"), (2_002, "created")]


async def test_a_reader_that_never_reads_does_not_grow_the_server(hub: Hub, seconds: Seconds) -> None:
    subscription = subscribed(hub)
    hub.publish(change(0), [ADA])
    blocks = sys.getallocatedblocks()
    for number in range(1, 100_000):
        hub.publish(change(number, f"counter {number % 10}"), [ADA])
    assert sys.getallocatedblocks() - blocks < 2_000
    seconds.now += READ_WITHIN_S
    hub.end_slow()
    assert len(hub) == 1
    seconds.now += 0.001
    hub.end_slow()
    assert len(hub) == 0
    with pytest.raises(SubscriptionEnded) as ended:
        await subscription.next()
    assert ended.value.ending is Ending.SLOW
    assert hub.measurements.ended[Ending.SLOW] == 1


async def test_a_reader_that_reads_slowly_is_left_alone(hub: Hub, seconds: Seconds) -> None:
    subscription = subscribed(hub)
    for number in range(5):
        hub.publish(change(number), [ADA])
    for number in range(5):
        seconds.now += READ_WITHIN_S
        hub.end_slow()
        assert (await subscription.next()).number == number
    seconds.now += 10 * READ_WITHIN_S
    hub.end_slow()
    assert len(hub) == 1, "nothing is pending"


async def test_a_reader_for_whom_too_much_waits_even_merged_is_ended_before_it_sees_a_hole(hub: Hub) -> None:
    subscription = subscribed(hub)
    for number in range(MERGED_AT_MOST + 1):
        hub.publish(change(number, f"counter {number}"), [ADA])
    with pytest.raises(SubscriptionEnded) as ended:
        await subscription.next()
    assert ended.value.ending is Ending.SLOW
    assert len(hub) == 0


@pytest.mark.parametrize("told", [5, PLAIN_AT_MOST + 5], ids=["one by one", "merged"])
async def test_what_a_connection_has_heard_otherwise_is_skipped(hub: Hub, told: int) -> None:
    subscription = subscribed(hub)
    for number in range(told):
        hub.publish(change(number, f"counter {number}"), [ADA])
    subscription.skip(told)
    for number in range(told, told + 3):
        hub.publish(change(number), [ADA])
    assert numbers(await heard(subscription)) == [told + 1, told + 2]


async def test_what_no_commit_did_is_never_skipped(hub: Hub) -> None:
    subscription = subscribed(hub)
    hub.publish_to(change(7, "early"), [subscription])
    subscription.skip(7)
    hub.publish_to(change(7, "late"), [subscription])
    # A new member hears of the counter under the number before.
    hub.publish(change(7, "joined", "created"), [ADA], number=8)
    assert [each.counter for each in await heard(subscription)] == ["early", "late", "joined"]


async def test_a_closed_subscription_is_told_nothing_and_frees_its_place(hub: Hub) -> None:
    subscription = subscribed(hub)
    for _ in range(2):
        subscription.close()
    assert len(hub) == 0
    assert hub.publish(change(1), [ADA]) == 0
    assert ADA not in hub.listening


@pytest.mark.parametrize("waits", [True, False])
async def test_the_end_of_a_token_ends_its_subscriptions_only(hub: Hub, waits: bool) -> None:  # noqa: FBT001
    revoked, kept = subscribed(hub, token=1), subscribed(hub, token=2)
    reading = asyncio.create_task(revoked.next())
    if waits:
        await asyncio.sleep(0)
    hub.publish(change(1), [ADA])
    hub.end([each for each in hub.subscriptions() if each.token == 1])
    hub.publish(change(2), [ADA])
    with pytest.raises(SubscriptionEnded) as ended:
        await reading
    assert ended.value.ending is Ending.REVOKED
    assert numbers(await heard(kept)) == [1, 2]


async def test_all_end_when_the_server_stops(hub: Hub) -> None:
    subscriptions = [subscribed(hub), subscribed(hub, BEN, 2)]
    hub.end_all(Ending.RESTARTING)
    for subscription in subscriptions:
        with pytest.raises(SubscriptionEnded, match="the server restarts"):
            await subscription.next()
        subscription.close()
    assert len(hub) == 0
    assert hub.measurements.ended[Ending.RESTARTING] == 2


async def test_who_comes_while_the_server_stops_is_ended_at_once(hub: Hub) -> None:
    hub.end_all()
    late = subscribed(hub)
    hub.publish(change(1), [ADA])
    with pytest.raises(SubscriptionEnded, match="the server restarts"):
        await late.next()
    late.close()
    assert len(hub) == 0


async def test_a_person_and_a_server_have_only_so_many(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "SUBSCRIPTIONS_OF_ONE", 2)
    monkeypatch.setattr(hubs, "SUBSCRIPTIONS_AT_MOST", 3)
    first = subscribed(hub)
    subscribed(hub)
    with pytest.raises(TooManySubscriptions, match="one account"):
        subscribed(hub)
    subscribed(hub, BEN)
    with pytest.raises(TooManySubscriptions, match="this server"):
        subscribed(hub, BEN)
    first.close()
    subscribed(hub, BEN)
