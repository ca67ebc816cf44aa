"""Values change by the rules, in order, once, and only by members; on both databases."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from support.ledgers import Clock, opened
from support.people import elsewhere
from support.sharing import a_counter, a_sharing, carried, change, history_of, joined, now_as, results_of, someone
from tallystick.errors import KeyReused, SharingReason, SharingRefused
from tallystick.ledger import Database, Ledger, Session
from tallystick.model.counter import INT64_MAX, INT64_MIN
from tallystick.model.shared_counter import Role, SharedCounter
from tallystick.services.idempotency import KEPT_MS, KeyedRequest
from tallystick.services.sharing import changing
from tallystick.services.sharing.access import counters_of
from tallystick.services.sharing.changes import hold_changes, last_change
from tallystick.services.sharing.changing import Changed, ChangeRequest, Done, ValueChange, Verb, carry_out
from tallystick.services.sharing.counters import Edit, delete, edit
from tallystick.services.sharing.history import passed_milestones
from tallystick.services.sharing.own_milestones import own_milestones
from tallystick.services.sharing.people import remove, set_role

FORBIDDEN, NOT_FOUND = SharingReason.FORBIDDEN, SharingReason.NOT_FOUND
NOTHING = SharingReason.NOTHING_TO_UNDO


def increment(counter: SharedCounter, amount: int = 1, **further: Any) -> ValueChange:
    return ValueChange(counter=counter.uid, verb=Verb.INCREMENT, amount=amount, **further)


def undo(counter: SharedCounter, offset: int | None = None) -> ValueChange:
    return ValueChange(counter=counter.uid, verb=Verb.UNDO, offset=offset)


def a_request(key: str = "k1", rest: bytes = b"") -> KeyedRequest:
    return KeyedRequest.of("1", "POST", "/v1/counters", key, rest=rest)


async def test_an_increment_tells_the_value_after_it(ledger: Ledger) -> None:
    ada = await someone(ledger)
    counter = await a_counter(ledger, ada, value=5)
    assert await change(ledger, ada, counter) == 6
    assert await change(ledger, ada, counter, amount=10) == 16
    now = await now_as(ledger, counter)
    assert (now.value, now.version) == (16, 3)


async def test_the_widest_values_come_back_as_they_are(ledger: Ledger) -> None:
    ada = await someone(ledger)
    counter = await a_counter(ledger, ada)
    assert await change(ledger, ada, counter, Verb.SET, value=INT64_MIN) == INT64_MIN
    assert await change(ledger, ada, counter, Verb.INCREMENT, amount=INT64_MAX) == -1
    assert await change(ledger, ada, counter, Verb.SET, value=INT64_MAX - 1) == INT64_MAX - 1
    entries = await history_of(ledger, ada, counter)
    assert [entry.delta for entry in entries] == [None, INT64_MIN, INT64_MAX, INT64_MAX]


async def test_milestones_are_the_powers_of_ten_that_a_value_rises_to(database: Database) -> None:
    clock = Clock()
    async with opened(database, clock) as ledger:
        ada = await someone(ledger)
        counter, other = await a_counter(ledger, ada, value=50), await a_counter(ledger, ada)
        begun = clock.now

        async def passed_after(verb: Verb, **further: int) -> list[tuple[int, int]]:
            await change(ledger, ada, counter, verb, **further)
            found = await ledger.read(passed_milestones, counter)
            clock.now += 1
            return [(each.value, each.at - begun) for each in found]

        assert await passed_after(Verb.INCREMENT, amount=49) == [], "it began beyond 10"
        assert await passed_after(Verb.INCREMENT) == [(100, 1)]
        assert await passed_after(Verb.DECREMENT, amount=95) == [(100, 1)]
        assert await passed_after(Verb.SET, value=123_456) == [(100, 1), (1_000, 3), (10_000, 3), (100_000, 3)]
        assert await passed_after(Verb.UNDO) == [(100, 1)], "what was undone is no milestone"
        assert await passed_after(Verb.SET, value=-7) == [(100, 1)]
        assert await passed_after(Verb.SET, value=1_000) == [(100, 1), (1_000, 6)]
        await change(ledger, ada, counter, Verb.SET, value=1)
        assert await passed_after(Verb.SET, value=2_000) == [(100, 1), (1_000, 6)], "the first time counts"
        most = await passed_after(Verb.SET, value=INT64_MAX)
        assert (len(most), most[-1]) == (17, (10**18, 8))
        assert await ledger.read(passed_milestones, other) == []


async def test_own_milestones_are_reached_by_the_first_change_that_was_not_undone(database: Database) -> None:
    clock = Clock()
    async with opened(database, clock) as ledger:
        ada = await someone(ledger)
        counter, other = await a_counter(ledger, ada, value=50), await a_counter(ledger, ada)
        begun = clock.now

        async def reached() -> dict[int, int | None]:
            found = await ledger.read(own_milestones, counter)
            return {each.value: None if each.at is None else each.at - begun for each in found}

        async def reached_after(verb: Verb, **further: int) -> dict[int, int | None]:
            clock.now += 1
            await change(ledger, ada, counter, verb, **further)
            return await reached()

        async def chosen(*values: int) -> dict[int, int | None]:
            stored = await ledger.write(edit, ada.id, counter.uid, Edit(milestones=values), clock.now)
            assert stored.value == (await now_as(ledger, counter)).value
            return await reached()

        assert await reached_after(Verb.INCREMENT, amount=30) == {}
        assert await chosen(75, 50, 300, 90, 90) == {50: 0, 75: 1, 90: None, 300: None}, "50 is where it began"
        version = (await now_as(ledger, counter)).version
        await chosen(300, 90, 75, 50)
        assert (await now_as(ledger, counter)).version == version, "nothing has changed"
        assert await reached_after(Verb.INCREMENT, amount=10) == {50: 0, 75: 1, 90: 2, 300: None}
        assert await reached_after(Verb.UNDO) == {50: 0, 75: 1, 90: None, 300: None}
        assert await reached_after(Verb.SET, value=301) == {50: 0, 75: 1, 90: 4, 300: 4}
        first = (await history_of(ledger, ada, counter))[-1].number
        assert await reached_after(Verb.SET, value=0) == {50: 0, 75: 1, 90: 4, 300: 4}, "the first time counts"
        assert await reached_after(Verb.SET, value=100) == {50: 0, 75: 1, 90: 4, 300: 4}
        clock.now += 1
        await carried(ledger, ada, undo(counter, first))
        assert await reached() == {50: 0, 75: 1, 90: 6, 300: None}, "a later change has reached 90, too"
        clock.now += 1
        await ledger.write(edit, ada.id, counter.uid, Edit(value=300), clock.now)
        assert (await reached())[300] == 8
        assert await chosen(60, 300) == {60: 1, 300: 8}
        assert await ledger.read(own_milestones, other) == []
        await ledger.write(delete, ada.id, counter.uid, clock.now)
        assert await reached() == {}
        date = await a_counter(ledger, ada, type="FromDate", date=0)
        for refused, values in ((counter, range(21)), (other, range(21)), (other, [INT64_MAX + 1]), (date, [1])):
            with pytest.raises(SharingRefused):
                await ledger.write(edit, ada.id, refused.uid, Edit(milestones=tuple(values)), clock.now)


MAY: dict[Role, set[Verb]] = {
    "viewer": set(),
    "member": {Verb.INCREMENT, Verb.DECREMENT, Verb.UNDO},
    "admin": set(Verb),
}


async def test_what_each_role_may(ledger: Ledger) -> None:
    ada, ben = await someone(ledger), await someone(ledger, "Ben")
    for role, allowed in MAY.items():
        counter = await a_counter(ledger, ada)
        await joined(ledger, counter, ben, role=role)
        steps = [ValueChange(counter=counter.uid, verb=verb, value=3) for verb in Verb]
        results = results_of(await carried(ledger, ben, *steps))
        assert {verb for verb, result in zip(Verb, results, strict=True) if result is not FORBIDDEN} == allowed


@pytest.mark.parametrize(("hide_foreign", "reason"), [(False, FORBIDDEN), (True, NOT_FOUND)])
async def test_outsiders_change_nothing(ledger: Ledger, *, hide_foreign: bool, reason: SharingReason) -> None:
    ada, eve = await someone(ledger), await someone(ledger, "Eve")
    counter = await a_counter(ledger, ada)
    before = await ledger.read(last_change)
    steps = [ValueChange(counter=counter.uid, verb=verb, value=3, id=f"e{verb.value}") for verb in Verb]
    answer = await carried(ledger, eve, *steps, hide_foreign=hide_foreign)
    assert set(results_of(answer)) == {reason}
    assert not answer.anything
    assert (await now_as(ledger, counter)) == counter
    assert await ledger.read(last_change) == before


Way = Callable[..., Awaitable[Any]]


async def by_a_write(ledger: Ledger, function: Callable[..., Any], *arguments: Any) -> Any:
    return await a_sharing(ledger).write(function, *arguments)


@pytest.mark.parametrize("way", [by_a_write, elsewhere], ids=["here", "by another server or command"])
async def test_rules_and_roles_hold_from_the_next_batch_on(ledger: Ledger, way: Way) -> None:
    ada, ben = await someone(ledger), await someone(ledger, "Ben")
    counter = await a_counter(ledger, ada)

    async def tries() -> Any:
        return [await change(ledger, person, counter) for person in (ada, ben)]

    assert await tries() == [1, FORBIDDEN]
    await joined(ledger, counter, ben)
    assert await tries() == [2, 3]
    for role, result in (("viewer", FORBIDDEN), ("admin", 6), ("member", 8)):
        await way(ledger, set_role, ada.id, counter.uid, ben.uid, role, 0)
        assert (await tries())[1] == result
    await way(ledger, edit, ada.id, counter.uid, Edit(goal=9, allow_exceed=False), 0)
    assert await tries() == [9, SharingReason.GOAL_EXCEEDED]
    await way(ledger, edit, ada.id, counter.uid, Edit(mode="OnlyDown", goal=None, confirm=True), 0)
    assert await tries() == [SharingReason.WRONG_TYPE] * 2
    await way(ledger, remove, ada.id, counter.uid, ben.uid, 0)
    assert (await tries())[1] is FORBIDDEN
    await way(ledger, delete, ada.id, counter.uid, 0)
    assert await tries() == [NOT_FOUND] * 2


async def test_a_role_that_is_not_stored_after_all_is_not_kept(ledger: Ledger) -> None:
    ada, ben = await someone(ledger), await someone(ledger, "Ben")
    counter = await a_counter(ledger, ada)

    def let_in_and_fail(session: Session) -> None:
        hold_changes(session)
        session.common.add_member(
            session.connection, account=ben.id, counter=counter.id, role="member", joined=0, since=0
        )
        request = ChangeRequest(account=ben.id, steps=(increment(counter),))
        [changed] = carry_out(session, [request], 0, 0)
        assert isinstance(changed, Changed)
        assert changed.results == (Done(1, 2),)
        msg = "something else is wrong"
        raise ValueError(msg)

    with pytest.raises(ValueError, match="something else"):
        await ledger.write(let_in_and_fail)
    assert await change(ledger, ben, counter) is FORBIDDEN


async def test_so_many_places_are_kept(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changing, "PLACES_KEPT", 3)
    ada = await someone(ledger)
    counters = [await a_counter(ledger, ada) for _ in range(5)]
    for expected in (1, 2):
        results = results_of(await carried(ledger, ada, *map(increment, counters)))
        assert [result.value for result in results if isinstance(result, Done)] == [expected] * 5
        assert [await change(ledger, ada, counter, amount=10) for counter in counters] == [expected + 10] * 5
        await carried(ledger, ada, *(ValueChange(counter=each.uid, verb=Verb.SET, value=expected) for each in counters))


async def test_what_is_no_id_of_ours_is_not_found(ledger: Ledger) -> None:
    ada = await someone(ledger)
    uids = ["", "visitors", "0" * 36, "\0", "\ud800", "01900000-0000-7000-8000-000000000000"]
    steps = [ValueChange(counter=uid, verb=Verb.INCREMENT) for uid in uids]
    assert results_of(await carried(ledger, ada, *steps)) == [NOT_FOUND] * len(uids)


async def test_a_deleted_counter_is_not_found(ledger: Ledger) -> None:
    ada = await someone(ledger)
    counter = await a_counter(ledger, ada)
    await a_sharing(ledger).write(delete, ada.id, counter.uid, 0)
    assert await change(ledger, ada, counter) is NOT_FOUND


async def test_an_id_may_be_written_in_capitals(ledger: Ledger) -> None:
    ada = await someone(ledger)
    counter = await a_counter(ledger, ada)
    results = results_of(
        await carried(ledger, ada, increment(counter), ValueChange(counter=counter.uid.upper(), verb=Verb.INCREMENT))
    )
    assert results == [Done(1, 2), Done(2, 3)]


async def test_steps_are_carried_out_in_order_and_a_refused_one_keeps_none_from_being_done(ledger: Ledger) -> None:
    ada = await someone(ledger)
    first, second = await a_counter(ledger, ada), await a_counter(ledger, ada, mode="OnlyUp")
    steps = [
        increment(first, 5),
        ValueChange(counter=second.uid, verb=Verb.DECREMENT),
        increment(second),
        increment(first, 2),
    ]
    results = results_of(await carried(ledger, ada, *steps))
    assert results == [Done(5, 2), SharingReason.WRONG_TYPE, Done(1, 2), Done(7, 3)]
    assert [counter.value for counter in await ledger.read(counters_of, ada.id)] == [7, 1]


async def test_a_request_with_a_key_is_carried_out_once(ledger: Ledger) -> None:
    ada = await someone(ledger)
    counter = await a_counter(ledger, ada)
    first = await carried(ledger, ada, increment(counter), keyed=a_request())
    again = await carried(ledger, ada, increment(counter), keyed=a_request())
    assert (again.results, again.replayed, again.anything) == (first.results, True, False)
    with pytest.raises(KeyReused):
        await carried(ledger, ada, increment(counter), keyed=a_request(rest=b"another"))
    await carried(ledger, ada, increment(counter), keyed=a_request("k2"))
    assert (await now_as(ledger, counter)).value == 2


async def test_a_refusal_is_kept_too(ledger: Ledger) -> None:
    ada, ben = await someone(ledger), await someone(ledger, "Ben")
    counter = await a_counter(ledger, ada)
    await carried(ledger, ben, increment(counter), keyed=a_request())
    await joined(ledger, counter, ben)
    again = await carried(ledger, ben, increment(counter), keyed=a_request())
    assert (results_of(again), again.replayed) == ([FORBIDDEN], True)


async def test_a_key_is_over_after_a_day(database: Database) -> None:
    clock = Clock()
    async with opened(database, clock) as ledger:
        ada = await someone(ledger)
        counter = await a_counter(ledger, ada)
        for passing in (0, KEPT_MS - 1, 1):
            clock.now += passing
            answer = await carried(ledger, ada, increment(counter, id="s1"), keyed=a_request())
        assert not answer.replayed
        assert results_of(answer) == [Done(2, 3)]


async def test_a_step_with_an_id_is_carried_out_once_whichever_request_it_comes_in(ledger: Ledger) -> None:
    ada, ben = await someone(ledger), await someone(ledger, "Ben")
    counter = await a_counter(ledger, ada)
    await joined(ledger, counter, ben)
    steps = (increment(counter, id="s1"), increment(counter, id="s2"), increment(counter, id="s1"))
    assert results_of(await carried(ledger, ada, *steps)) == [Done(1, 2), Done(2, 3), Done(1, 2, replayed=True)]
    again = await carried(ledger, ada, increment(counter, id="s2"))
    assert results_of(again) == [Done(2, 3, replayed=True)]
    assert not again.anything
    other = results_of(await carried(ledger, ada, increment(counter, 7, id="s1")))
    assert other == [SharingReason.INVALID_DATA]
    assert results_of(await carried(ledger, ben, increment(counter, id="s1"))) == [Done(3, 4)]


async def test_a_step_that_was_refused_may_come_again(ledger: Ledger) -> None:
    ada = await someone(ledger)
    counter = await a_counter(ledger, ada, goal=0, allow_exceed=False)
    step = increment(counter, id="s1")
    assert results_of(await carried(ledger, ada, step)) == [SharingReason.GOAL_EXCEEDED]
    await change(ledger, ada, counter, Verb.DECREMENT)
    assert results_of(await carried(ledger, ada, step)) == [Done(0, 3)]


async def test_an_undo_takes_back_the_newest_own_change_and_keeps_what_others_did(ledger: Ledger) -> None:
    ada, ben = await someone(ledger), await someone(ledger, "Ben")
    counter = await a_counter(ledger, ada, mode="OnlyUp")
    await joined(ledger, counter, ben)
    for person, amount in ((ben, 1), (ben, 10), (ada, 100)):
        await change(ledger, person, counter, amount=amount)
    assert await change(ledger, ben, counter, Verb.UNDO) == 101
    assert await change(ledger, ben, counter, Verb.UNDO) == 100
    assert await change(ledger, ben, counter, Verb.UNDO) is NOTHING
    assert await change(ledger, ada, counter, Verb.UNDO) == 0
    assert await change(ledger, ada, counter, Verb.UNDO) is NOTHING


async def test_an_undo_sees_what_the_same_request_did_and_undid(ledger: Ledger) -> None:
    ada = await someone(ledger)
    counter = await a_counter(ledger, ada)
    steps = [
        increment(counter),
        increment(counter, 10),
        undo(counter),
        undo(counter),
        undo(counter),
        increment(counter),
    ]
    results = results_of(await carried(ledger, ada, *steps))
    assert results == [Done(1, 2), Done(11, 3), Done(1, 4), Done(0, 5), NOTHING, Done(1, 6)]


async def test_an_admin_takes_back_what_others_did_by_its_offset(ledger: Ledger) -> None:
    ada, ben = await someone(ledger), await someone(ledger, "Ben")
    counter, other = await a_counter(ledger, ada), await a_counter(ledger, ada)
    await joined(ledger, counter, ben)
    await joined(ledger, other, ben)
    await change(ledger, ben, counter, amount=5)
    theirs = await ledger.read(last_change)
    await change(ledger, ada, counter, amount=2)
    own = theirs + 1
    assert await change(ledger, ben, counter, Verb.UNDO, offset=own) is FORBIDDEN
    assert await change(ledger, ada, other, Verb.UNDO, offset=theirs) is NOTHING
    assert await change(ledger, ada, counter, Verb.UNDO, offset=theirs) == 2
    for offset in (theirs, theirs + 2, 0, -1, INT64_MAX + 1):
        assert await change(ledger, ada, counter, Verb.UNDO, offset=offset) is NOTHING
    assert await change(ledger, ben, counter, Verb.UNDO) is NOTHING


async def test_days_take_nothing_back(ledger: Ledger) -> None:
    ada = await someone(ledger)
    counter = await a_counter(ledger, ada, type="FromDate", date=0)
    assert await change(ledger, ada, counter, Verb.UNDO) is SharingReason.WRONG_TYPE
