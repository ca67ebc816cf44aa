"""What live connections hear of: every change of their counters, in the order of the commits, and nothing else."""

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from builders import NOW, a_key
from support.ledgers import Clock, opened, until
from support.live import a_counter_token, caught_up, followed, listening, rest_of, told
from support.sharing import a_counter, change, joined, someone
from tallystick.errors import SharingReason, StoreFailed
from tallystick.ledger import Database, Ledger, Session, open_database
from tallystick.ledger.copying import BackupFile
from tallystick.ledger.folding import Wanted, operate
from tallystick.live.hub import Ending, Hub, Subscription, SubscriptionEnded
from tallystick.live.watching import Watches
from tallystick.model.account import Account, Permission
from tallystick.model.change import Change
from tallystick.model.counter import HIT, LIFETIME_MS, Counter
from tallystick.model.shared_counter import SharedCounter
from tallystick.services import change_feed, copying, resuming
from tallystick.services import following as followings
from tallystick.services.accounts import delete_account
from tallystick.services.following import Following
from tallystick.services.live_chores import LiveChores
from tallystick.services.resuming import Resumed
from tallystick.services.sharing import counters, invites, people
from tallystick.services.sharing.changes import last_change
from tallystick.services.sharing.changing import Verb
from tallystick.services.sharing.service import Sharing
from tallystick.services.sharing.sweeping import sweep
from tallystick.services.tokens import delete_token, rotate_token

BERLIN, HONOLULU = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Honolulu")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(database: Database, clock: Clock) -> AsyncIterator[Ledger]:
    async with opened(database, clock) as ledger:
        yield ledger


@pytest.fixture
async def following(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Following]:
    # Whoever tests that nobody has to wait for the look sets it back.
    monkeypatch.setattr(followings, "LOOKED_EVERY_S", 0.02)
    async with followed(ledger) as following:
        yield following


@pytest.fixture
async def ada(ledger: Ledger) -> Account:
    return await someone(ledger, "Ada")


@pytest.fixture
async def ben(ledger: Ledger) -> Account:
    return await someone(ledger, "Ben")


@pytest.fixture
async def visits(ledger: Ledger, ada: Account) -> SharedCounter:
    return await a_counter(ledger, ada)


class Scene:
    """Ada shares a counter with Ben, or is about to.

    Attributes:
        write: what people do; who follows is not woken, and finds it all the same.
    """

    def __init__(self, ledger: Ledger, clock: Clock, following: Following, ada: Account, visits: SharedCounter) -> None:
        self.ledger, self.clock, self.following, self.ada, self.visits = ledger, clock, following, ada, visits
        self.write = Sharing(ledger, lambda: None).write

    async def missed_by(self, person: Account, offset: int) -> Resumed:
        return await self.following.resume(person.id, self.following.epoch, offset)


@pytest.fixture
async def scene(ledger: Ledger, clock: Clock, following: Following, ada: Account, visits: SharedCounter) -> Scene:
    return Scene(ledger, clock, following, ada, visits)


async def let_in(ledger: Ledger, counter: SharedCounter, owner: Account, person: Account) -> None:
    """A person accepts an invite."""
    write = Sharing(ledger, lambda: None).write
    _, code = await write(invites.create, owner.id, counter.uid, invites.NewInvite(), ledger.clock())
    await write(invites.accept, person.id, code, ledger.clock())


def brief(changes: list[Change]) -> list[tuple[int, str, int | None]]:
    return [(each.number, each.kind, each.value) for each in changes]


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


def hold(ledger: Ledger, held: object, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Keep the next read with a function from beginning until the event is set."""
    read, let_go, waiting = ledger.read, asyncio.Event(), [held]

    async def later(function: Any, *arguments: Any) -> Any:
        if function in waiting:
            waiting.clear()
            await let_go.wait()
        return await read(function, *arguments)

    monkeypatch.setattr(ledger, "read", later)
    return let_go


async def test_of_a_counter_that_is_gone_only_that_is_told(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    subscription = await listening(scene.following, scene.ledger, scene.ada)
    let_go = hold(scene.ledger, change_feed.next_changes, monkeypatch)
    await change(scene.ledger, scene.ada, scene.visits)
    await scene.write(counters.delete, scene.ada.id, scene.visits.uid, NOW)
    let_go.set()
    [heard] = await told(subscription)
    assert (heard.kind, heard.counter, heard.number) == ("deleted", scene.visits.uid, 3)


async def test_a_new_member_does_not_hear_of_what_was_done_just_before(
    scene: Scene, ben: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription = await listening(scene.following, scene.ledger, ben)
    let_go = hold(scene.ledger, change_feed.next_changes, monkeypatch)
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
        let_go = hold(ledger, last_change, monkeypatch)
        # Nobody listens, so the next look only asks for the newest number; it is slow.
        await asyncio.sleep(5 * followings.LOOKED_EVERY_S)
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
    monkeypatch.setattr(followings, "TOLD_AT_ONCE", 3)
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
    assert capsys.readouterr().out.count("live connections are told nothing new") == 1


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


# Resuming


async def test_what_was_missed_is_told_change_by_change(scene: Scene, ben: Account) -> None:
    subscription = await listening(scene.following, scene.ledger, ben)
    subscription.close()
    offset = scene.following.position
    gone = await a_counter(scene.ledger, scene.ada, "Gone soon")
    scene.clock.now += 1
    await let_in(scene.ledger, scene.visits, scene.ada, ben)
    await let_in(scene.ledger, gone, scene.ada, ben)
    scene.clock.now += 1
    await change(scene.ledger, scene.ada, scene.visits)
    await scene.write(counters.delete, scene.ada.id, gone.uid, scene.clock.now)
    resumed = await scene.missed_by(ben, offset)
    assert resumed.recovered
    assert resumed.position == await scene.ledger.read(last_change) == 6
    assert [(each.number, each.kind, each.counter) for each in resumed.changes] == [
        (2, "created", scene.visits.uid),
        (3, "members", scene.visits.uid),
        (5, "value", scene.visits.uid),
        (6, "deleted", gone.uid),
    ]
    assert resumed.changes[2].actor == scene.ada.uid
    for offset, left in ((2, 3), (3, 2), (5, 1), (6, 0)):
        again = await scene.missed_by(ben, offset)
        assert again.recovered
        assert len(again.changes) == left + (offset == 2), offset


async def test_beyond_a_limit_the_newest_state_of_each_counter_is_told(
    scene: Scene, ben: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resuming, "REPLAYED_AT_MOST", 6)
    other, quiet = await a_counter(scene.ledger, scene.ada, "Other"), await a_counter(scene.ledger, scene.ada, "Quiet")
    (await listening(scene.following, scene.ledger, scene.ada)).close()
    offset = await scene.ledger.read(last_change)
    scene.clock.now += 1
    for _ in range(5):
        await change(scene.ledger, scene.ada, scene.visits)
    await let_in(scene.ledger, other, scene.ada, ben)
    missed = await scene.missed_by(scene.ada, offset)
    assert [each.kind for each in missed.changes] == ["value"] * 5 + ["members"]
    await change(scene.ledger, ben, other, Verb.DECREMENT)
    missed = await scene.missed_by(scene.ada, offset)
    assert missed.recovered
    assert [(each.number, each.kind, each.counter, each.value, each.version) for each in missed.changes] == [
        (8, "details", scene.visits.uid, 5, 6),
        (9, "details", other.uid, -1, 2),
        (10, "members", other.uid, None, None),
    ]
    assert quiet.uid not in {each.counter for each in missed.changes}


async def test_who_left_and_came_back_hears_of_both(scene: Scene, ben: Account) -> None:
    await let_in(scene.ledger, scene.visits, scene.ada, ben)
    (await listening(scene.following, scene.ledger, ben)).close()
    await change(scene.ledger, scene.ada, scene.visits)
    await scene.write(people.remove, ben.id, scene.visits.uid, ben.uid, scene.clock.now)
    scene.clock.now += 1
    await let_in(scene.ledger, scene.visits, scene.ada, ben)
    resumed = await scene.missed_by(ben, 2)
    assert brief(list(resumed.changes)) == [(4, "deleted", None), (4, "created", 1), (5, "members", None)]


@pytest.mark.parametrize("asked", [("other", 1), ("own", 99), ("own", -1)], ids=["epoch", "ahead", "negative"])
async def test_what_cannot_be_known_is_not_guessed(
    ledger: Ledger, following: Following, ada: Account, visits: SharedCounter, asked: tuple[str, int]
) -> None:
    (await listening(following, ledger, ada)).close()
    epoch, offset = asked
    resumed = await following.resume(ada.id, following.epoch if epoch == "own" else epoch, offset)
    assert (resumed.recovered, resumed.position, list(resumed.changes)) == (False, visits.version, [])


async def test_who_comes_back_after_farewells_were_forgotten_has_to_read_anew(scene: Scene, ben: Account) -> None:
    await joined(scene.ledger, scene.visits, ben)
    (await listening(scene.following, scene.ledger, ben)).close()
    await scene.write(people.remove, scene.ada.id, scene.visits.uid, ben.uid, scene.clock.now)
    await change(scene.ledger, scene.ada, scene.visits)
    scene.clock.now += 29 * DAY_MS
    assert (await scene.missed_by(ben, 1)).recovered
    scene.clock.now += DAY_MS + 1
    await scene.ledger.write(sweep, scene.clock.now)
    assert not (await scene.missed_by(ben, 1)).recovered
    # Nothing was missed since: however long ago that is.
    assert (await scene.missed_by(ben, 3)).recovered
    await change(scene.ledger, scene.ada, scene.visits)
    assert (await scene.missed_by(ben, 3)).recovered


async def test_what_others_did_is_not_gone_through_on_postgresql(postgres: Any, tmp_path: Path) -> None:
    with postgres.fresh_database() as url:
        async with opened(open_database(url, tmp_path)) as ledger:
            ada = await someone(ledger)
            own = [await a_counter(ledger, ada) for _ in range(3)]
            await ledger.write(_another_counter_is_busy)
            plans = await ledger.read(_plans, ada.id, f"[{own[0].id}]")
    for plan in plans:
        assert "change_by_counter" in plan
        assert "counter_change_pkey" not in plan
        assert "Seq Scan on counter_change" not in plan


def _another_counter_is_busy(session: Session) -> None:
    session.connection.execute(
        "INSERT INTO counter_change (number, counter, kind, at)"
        " SELECT number, 99, 'value', 0 FROM generate_series(100, 100000) AS number"
    )
    session.connection.execute("ANALYZE counter_change")


def _plans(session: Session, account: int, counters: str) -> list[str]:
    asked = {"account": account, "counters": counters, "number": 1, "at_most": 1_000}
    queries = (session.queries.missed_of, session.queries.changes_of, session.queries.members_changed)
    return [
        "\n".join(line for (line,) in session.connection.execute(f"EXPLAIN {query.sql}", asked)) for query in queries
    ]


# The name of a numbering


async def test_a_ledger_keeps_the_name_of_its_numbering_and_its_copies_do_not_share_it(
    database: Database, tmp_path: Path
) -> None:
    names: list[str] = []
    for _ in range(2):
        async with opened(database) as ledger, followed(ledger) as following:
            await until(lambda: following.epoch)
            names.append(following.epoch)
    assert names[0] == names[1] != ""
    backup, restored = tmp_path / "backup.db", tmp_path / "restored"

    def copy() -> int:
        copying.back_up(database, backup, lambda _done, _total: None)
        with closing(BackupFile(backup).session()) as session, session.snapshot():
            assert session.common.epoch(session.connection) is None
        restored.mkdir()
        target = open_database(None, restored)
        copying.restore_into_sqlite(BackupFile(backup), target, lambda _done, _total: None)  # type: ignore[arg-type]
        return 0

    await asyncio.to_thread(copy)
    async with opened(open_database(None, restored)) as ledger, followed(ledger) as following:
        await until(lambda: following.epoch)
        assert following.epoch != names[0]


async def test_a_file_that_was_copied_by_hand_is_restored_without_the_name(postgres: Any, tmp_path: Path) -> None:
    source = open_database(None, tmp_path)
    async with opened(source) as ledger, followed(ledger) as following:
        await until(lambda: following.epoch)
    with postgres.fresh_database() as url:
        target = open_database(url, tmp_path)
        copy = partial(copying.restore_into_postgresql, BackupFile(tmp_path / "ledger.sqlite3"), target)
        await asyncio.to_thread(copy, tmp_path / "spare.db", lambda _done, _total: None)
        async with opened(target) as ledger, followed(ledger) as another:
            await until(lambda: another.epoch)
            assert another.epoch != following.epoch


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
    await ledger.write(rotate_token, kept)
    await ledger.write(delete_token, revoked)
    assert await ended(going) is Ending.REVOKED
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
    chores = LiveChores(scene.ledger, hub, Watches(hub), lambda: 2)
    await a_counter(scene.ledger, scene.ada, "Smoke-free", type="FromDate", day=dt.date(2027, 1, 1))
    clock.now += 15 * HOUR_MS - 1  # a millisecond before midnight in Berlin
    subscription = hub.subscribe(scene.ada.id, await a_counter_token(scene.ledger, scene.ada), BERLIN)
    chores.welcome(subscription)
    subscription.skip(9)
    clock.now += 1
    await chores.do()
    assert [each.number for each in await rest_of(subscription)] == [9], "never below what it has heard of"


# Public counters


async def test_a_public_counter_is_watched_from_its_present_state_on(ledger: Ledger, following: Following) -> None:
    watcher = following.watch(a_key())
    assert await watcher.next() is None
    for value in range(1, 4):
        await ledger.count(a_key(), HIT)
        state = await watcher.next()
        assert state is not None
        assert state.value == value
    late = await following.watch(a_key()).next()
    assert late is not None
    assert late.value == 3


async def test_what_others_do_to_a_public_counter_is_seen_within_a_look(
    ledger: Ledger, database: Database, following: Following, clock: Clock
) -> None:
    watcher = following.watch(a_key())
    assert await watcher.next() is None

    def elsewhere() -> None:
        with closing(database.session()) as session:
            operate(database, session, [Wanted(a_key(), HIT)], clock.now)

    await asyncio.to_thread(elsewhere)
    async with asyncio.timeout(10):
        state = await watcher.next()
        assert isinstance(state, Counter)
        clock.now += LIFETIME_MS
        assert await watcher.next() is None, "its lifetime is over"
    watcher.close()
    assert ledger.watched.keys == set()


# Several servers


async def test_a_change_on_one_server_is_told_on_another_at_once(
    postgres: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followings, "LOOKED_EVERY_S", 60.0)
    with postgres.fresh_database() as url:
        async with opened(open_database(url, tmp_path)) as one, opened(open_database(url, tmp_path)) as two:
            ada = await someone(one)
            visits = await a_counter(one, ada)
            async with followed(one) as here, followed(two) as there:
                subscription = await listening(there, two, ada)
                assert here.epoch in {"", there.epoch}
                await caught_up(there, two)
                # Until both of its connections are there nothing is heard.
                await _until_heard(one, here, ada, visits, subscription)
                began = time.monotonic()
                for value in range(10):
                    await Sharing(one, here.wake).write(
                        counters.edit, ada.id, visits.uid, counters.Edit(name=f"Number {value}"), NOW
                    )
                    [heard] = await told(subscription)
                    assert heard.state is not None
                    assert heard.state.name == f"Number {value}"
                assert time.monotonic() - began < 5


async def _until_heard(
    ledger: Ledger, following: Following, person: Account, counter: SharedCounter, subscription: Subscription
) -> None:
    heard = asyncio.create_task(told(subscription))
    await change(ledger, person, counter)
    while not heard.done():
        following.wake()
        await asyncio.sleep(0.02)


async def test_a_notification_that_is_lost_is_healed_by_the_look(
    postgres: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres.fresh_database() as url:
        databases = [open_database(url, tmp_path) for _ in range(2)]
        for database in databases:
            monkeypatch.setattr(database, "announcer", lambda _heard: None)
        async with opened(databases[0]) as one, opened(databases[1]) as two:
            ada = await someone(one)
            visits = await a_counter(one, ada)
            async with followed(one), followed(two) as there:
                subscription = await listening(there, two, ada)
                await change(one, ada, visits)
                async with asyncio.timeout(2):
                    assert (await subscription.next()).value == 1


async def test_announcements_go_on_after_the_database_was_away(
    postgres: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tallystick.ledger import announcing  # noqa: PLC0415

    monkeypatch.setattr(announcing, "TRIED_AGAIN_AFTER_S", (0.02,))
    with postgres.fresh_database() as url:
        here, there = open_database(url, tmp_path), open_database(url, tmp_path)
        await asyncio.to_thread(here.migrate)
        heard: list[str] = []
        telling, hearing = here.announcer(lambda: heard.append("here")), there.announcer(lambda: heard.append("there"))
        assert telling is not None
        assert hearing is not None

        async def tell() -> bool:
            telling.tell()
            await asyncio.sleep(0.01)
            return "there" in heard

        try:
            await until(tell)
            await asyncio.to_thread(_cut_all, there)
            await asyncio.sleep(0.1)
            heard.clear()
            await until(tell)
        finally:
            await telling.close()
            await hearing.close()


def _cut_all(database: Database) -> None:
    def cut(session: Session) -> None:
        session.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    with closing(database.session()) as session:
        cut(session)
