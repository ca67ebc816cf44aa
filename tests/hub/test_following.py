"""What live connections hear of: every change of their counters, in the order of the commits, and nothing else."""

import asyncio
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from builders import NOW, a_key
from support.ledgers import until
from support.live import Scene, a_counter_token, brief, caught_up, followed, hold, let_in, listening, rest_of, told
from support.sharing import a_counter, change, joined, someone
from tallystick.errors import SharingReason, StoreFailed
from tallystick.hub.hub import Ending, SubscriptionEnded
from tallystick.ledger import Ledger
from tallystick.model.account import Account
from tallystick.model.shared_counter import SharedCounter
from tallystick.services.feed import change_feed
from tallystick.services.feed import following as followings
from tallystick.services.feed.following import Following
from tallystick.services.sharing import counters, people
from tallystick.services.sharing.changes import last_change
from tallystick.services.sharing.changing import Verb
from tallystick.services.sharing.service import Sharing

BERLIN, HONOLULU = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Honolulu")


async def test_a_change_is_told_to_everyone_of_its_counter_and_to_nobody_else(
    ledger: Ledger, following: Following, ada: Account, ben: Account, visits: SharedCounter
) -> None:
    eve = await someone(ledger, "Eve")
    await joined(ledger, visits, ben)
    own, bens, eves = [await listening(following, ledger, person) for person in (ada, ben, eve)]
    await change(ledger, ben, visits, Verb.INCREMENT, 5)
    [heard] = await told(own)
    assert (await told(bens)) == [heard], "one object for all"
    assert (heard.number, heard.counter, heard.kind, heard.actor) == (2, visits.uid, "value", ben.uid)
    assert (heard.delta, heard.value, heard.version, heard.at) == (5, 5, 2, NOW)
    assert heard.state is not None
    assert (heard.state.name, heard.state.value) == ("Visitors", 5)
    await caught_up(following, ledger)
    assert await rest_of(eves) == []


async def test_a_connection_hears_of_what_follows_it_and_of_nothing_before(
    ledger: Ledger, following: Following, ada: Account, visits: SharedCounter
) -> None:
    first = await listening(following, ledger, ada)
    for number in range(2, 6):
        await change(ledger, ada, visits)
        subscription = await listening(following, ledger, ada)
        await change(ledger, ada, visits)
        [heard] = await told(subscription)
        assert heard.value == 2 * (number - 1)
    assert [each.value for each in await told(first, 8)] == list(range(1, 9))


async def test_what_was_refused_is_not_told(
    ledger: Ledger, following: Following, ada: Account, ben: Account, visits: SharedCounter
) -> None:
    subscription = await listening(following, ledger, ada)
    assert await change(ledger, ben, visits) is SharingReason.FORBIDDEN
    assert await change(ledger, ada, visits, amount=0) is SharingReason.INVALID_AMOUNT
    await change(ledger, ada, visits)
    assert [each.number for each in await told(subscription)] == [2]


async def test_a_new_member_hears_of_the_counter_and_everyone_of_the_members(scene: Scene, ben: Account) -> None:
    own, bens = [await listening(scene.following, scene.ledger, person) for person in (scene.ada, ben)]
    await change(scene.ledger, scene.ada, scene.visits)
    scene.clock.now += 1
    await let_in(scene.ledger, scene.visits, scene.ada, ben)
    await change(scene.ledger, ben, scene.visits)
    assert brief(await told(own, 3)) == [(2, "value", 1), (3, "members", None), (4, "value", 2)]
    heard = await told(bens, 3)
    # The first of the two carries the number before: who hears only that one goes on from there.
    assert brief(heard)[1:] == [(3, "members", None), (4, "value", 2)]
    assert (heard[0].kind, heard[0].number, heard[0].counter) == ("created", 2, scene.visits.uid)
    assert heard[0].state is not None


@pytest.mark.parametrize("leaves", [True, False], ids=["leaves", "is removed"])
async def test_who_loses_sight_of_a_counter_hears_that_it_is_gone_and_no_more(
    scene: Scene,
    ben: Account,
    leaves: bool,  # noqa: FBT001
) -> None:
    await joined(scene.ledger, scene.visits, ben)
    own, bens = [await listening(scene.following, scene.ledger, person) for person in (scene.ada, ben)]
    await scene.write(people.remove, (ben if leaves else scene.ada).id, scene.visits.uid, ben.uid, NOW)
    await change(scene.ledger, scene.ada, scene.visits)
    assert brief(await told(own, 2)) == [(2, "members", None), (3, "value", 1)]
    assert brief(await told(bens)) == [(2, "deleted", None)]
    await caught_up(scene.following, scene.ledger)
    assert await rest_of(bens) == []


async def test_of_a_counter_that_is_gone_only_that_is_told(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    subscription = await listening(scene.following, scene.ledger, scene.ada)
    let_go = await hold(scene.following, scene.ledger, change_feed.next_changes, monkeypatch)
    await change(scene.ledger, scene.ada, scene.visits)
    await scene.write(counters.delete, scene.ada.id, scene.visits.uid, NOW)
    let_go.set()
    [heard] = await told(subscription)
    assert (heard.kind, heard.counter, heard.number) == ("deleted", scene.visits.uid, 3)


async def test_a_new_member_does_not_hear_of_what_was_done_just_before(
    scene: Scene, ben: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription = await listening(scene.following, scene.ledger, ben)
    let_go = await hold(scene.following, scene.ledger, change_feed.next_changes, monkeypatch)
    await change(scene.ledger, scene.ada, scene.visits)
    await let_in(scene.ledger, scene.visits, scene.ada, ben)
    let_go.set()
    assert [each.kind for each in await told(subscription, 2)] == ["created", "members"]


async def test_who_comes_while_changes_are_passed_over_misses_none(
    ledger: Ledger, ada: Account, visits: SharedCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followings, "LOOKED_EVERY_S", 0.02)
    async with followed(ledger) as following:
        await until(lambda: following.epoch)
        token = await a_counter_token(ledger, ada)
        # Nobody listens, so the next look only asks for the newest number; it is slow.
        let_go = await hold(following, ledger, last_change, monkeypatch)
        subscription = await following.subscribe(ada.id, token, BERLIN)
        await change(ledger, ada, visits)
        let_go.set()
        assert [each.value for each in await told(subscription)] == [1]


async def test_a_counter_that_is_made_is_told_to_its_maker(ledger: Ledger, following: Following, ada: Account) -> None:
    subscription = await listening(following, ledger, ada)
    made = await a_counter(ledger, ada, value=7)
    [heard] = await told(subscription)
    assert (heard.kind, heard.state, heard.value, heard.version) == ("created", made, 7, 1)


async def test_a_commit_is_told_at_once(
    ledger: Ledger, ada: Account, visits: SharedCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followings, "LOOKED_EVERY_S", 60.0)
    async with followed(ledger) as following:
        subscription = await listening(following, ledger, ada)
        await caught_up(following, ledger)
        await Sharing(ledger, following.wake).write(
            counters.edit, ada.id, visits.uid, counters.Edit(name="People"), NOW
        )
        [heard] = await told(subscription)
    assert heard.state is not None
    assert (heard.kind, heard.state.name, heard.version, heard.delta) == ("details", "People", 2, None)


async def test_a_long_absence_is_told_in_pieces_and_in_order(
    ledger: Ledger, ada: Account, visits: SharedCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_feed, "CHANGES_AT_ONCE", 7)
    monkeypatch.setattr(change_feed, "MEMBERSHIPS_KEPT", 0)
    monkeypatch.setattr(followings, "PUBLISHED_AT_ONCE", 3)
    monkeypatch.setattr(followings, "LOOKED_EVERY_S", 60.0)
    async with followed(ledger) as following:
        subscription = await listening(following, ledger, ada)
        await caught_up(following, ledger)
        await asyncio.gather(*(change(ledger, ada, visits) for _ in range(60)))
        following.wake()
        assert [each.value for each in await told(subscription, 60)] == list(range(1, 61))


async def test_while_the_ledger_cannot_be_read_nothing_is_lost_and_it_is_said_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    subscription = await listening(scene.following, scene.ledger, scene.ada)
    read, failed = scene.ledger.read, 0

    async def fails(function: Any, *arguments: Any) -> Any:
        nonlocal failed
        if function is not change_feed.next_changes:
            return await read(function, *arguments)
        failed += 1
        msg = "the disk is gone"
        raise StoreFailed(msg)

    monkeypatch.setattr(scene.ledger, "read", fails)
    await change(scene.ledger, scene.ada, scene.visits)
    await until(lambda: failed >= 3)
    monkeypatch.setattr(scene.ledger, "read", read)
    await change(scene.ledger, scene.ada, scene.visits)
    assert [each.value for each in await told(subscription, 2)] == [1, 2]
    assert capsys.readouterr().out.count("a background task was put off") == 1


async def test_who_came_while_nobody_listened_is_told_as_well(scene: Scene, ben: Account) -> None:
    subscription = await listening(scene.following, scene.ledger, scene.ada)
    await change(scene.ledger, scene.ada, scene.visits)
    await told(subscription)
    subscription.close()
    await let_in(scene.ledger, scene.visits, scene.ada, ben)
    await caught_up(scene.following, scene.ledger)
    subscription = await listening(scene.following, scene.ledger, ben)
    await change(scene.ledger, scene.ada, scene.visits)
    assert [each.value for each in await told(subscription)] == [2]


async def test_all_end_when_it_is_closed(ledger: Ledger, ada: Account) -> None:
    async with followed(ledger) as following:
        subscription = await listening(following, ledger, ada)
        watcher = following.watch(a_key())
    for ended in (subscription, watcher):
        with pytest.raises(SubscriptionEnded) as why:
            await ended.next()
        assert why.value.ending is Ending.RESTARTING
