"""What is written is told, refusals refuse only themselves, and keys are answered once; on both databases."""

import asyncio
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from support.ledgers import Clock, opened
from support.sharing import a_counter, a_sharing, carried, change, history_of, joined, refused, someone
from tallystick.errors import KeyReused, SharingReason, SharingRefused
from tallystick.ledger import Database, Ledger, Session
from tallystick.model.shared_counter import SharedCounter
from tallystick.services.idempotency import KeyedRequest, StoredResponse
from tallystick.services.sharing import sweeping
from tallystick.services.sharing.access import counters_of, readable_counter, require
from tallystick.services.sharing.changes import last_change
from tallystick.services.sharing.changing import ChangeRequest, ValueChange, Verb
from tallystick.services.sharing.counters import NewCounter, create, delete
from tallystick.services.sharing.history import history
from tallystick.services.sharing.service import DoneOnce, Sharing
from tallystick.services.sharing.sweeping import FAREWELLS_KEPT_MS, HISTORY_KEPT_MS, sweep


def a_request(key: str = "k1", rest: bytes = b"") -> KeyedRequest:
    return KeyedRequest.of("1", "POST", "/v1/counters", key, rest=rest)


async def once(ledger: Ledger, person: int, name: str, keyed: KeyedRequest | None) -> DoneOnce[SharedCounter]:
    wanted, now = NewCounter(name=name), ledger.clock()
    return await a_sharing(ledger).once(keyed, SharedCounter, create, person, wanted, now)


def reason(done: DoneOnce[SharedCounter]) -> tuple[SharingReason, str]:
    assert isinstance(done.result, SharingRefused)
    return done.result.reason, str(done.result)


async def test_who_tells_is_woken_after_commits_that_change_something(ledger: Ledger) -> None:
    woken = []
    sharing = Sharing(ledger, lambda: woken.append("woken"))
    ada = await someone(ledger)
    counter = await sharing.write(create, ada.id, NewCounter(name="Visitors", mode="OnlyUp"), 0)
    assert len(woken) == 1
    for verb, times in ((Verb.DECREMENT, 1), (Verb.INCREMENT, 2)):
        await sharing.read(readable_counter, ada.id, counter.uid)
        step = ValueChange(counter=counter.uid, verb=verb)
        await sharing.change(ChangeRequest(account=ada.id, steps=(step,)))
        assert len(woken) == times


async def test_a_refusal_among_many_writes_refuses_only_itself(ledger: Ledger) -> None:
    ada = await someone(ledger)
    names = ["Visitors", "four", "Guests"]
    made = await asyncio.gather(*(a_counter(ledger, ada, name) for name in names), return_exceptions=True)
    assert [isinstance(one, SharingRefused) for one in made] == [False, True, False]
    assert [counter.name for counter in await ledger.read(counters_of, ada.id)] == ["Visitors", "Guests"]


async def test_a_refused_read_leaves_the_connection_as_it_is(ledger: Ledger) -> None:
    ada = await someone(ledger)
    assert await refused(a_sharing(ledger).read(readable_counter, ada.id, "nonsense")) is SharingReason.NOT_FOUND


async def test_a_write_with_a_key_is_carried_out_once_also_at_once(ledger: Ledger) -> None:
    ada = await someone(ledger)
    answers = await asyncio.gather(*(once(ledger, ada.id, "Visitors", a_request()) for _ in range(5)))
    assert sorted(one.replayed for one in answers) == [False, True, True, True, True]
    (counter,) = await ledger.read(counters_of, ada.id)
    assert [one.result for one in answers] == [counter] * 5
    assert len({one.at for one in answers}) == 1
    with pytest.raises(KeyReused):
        await once(ledger, ada.id, "Visitors", a_request(rest=b"another"))
    await once(ledger, ada.id, "Visitors", None)
    assert len(await ledger.read(counters_of, ada.id)) == 2


async def test_a_refused_write_is_answered_and_kept_and_leaves_nothing(ledger: Ledger) -> None:
    ada = await someone(ledger)
    first = await once(ledger, ada.id, "four", a_request())
    again = await once(ledger, ada.id, "four", a_request())
    assert reason(first) == reason(again)
    assert reason(first)[0] is SharingReason.NAME_LENGTH
    assert (first.replayed, again.replayed) == (False, True)


async def test_a_write_that_is_refused_half_way_leaves_nothing(ledger: Ledger) -> None:
    ada = await someone(ledger)

    def half(session: Session) -> SharedCounter:
        made = create(session, ada.id, NewCounter(name="Visitors"), 0)
        require(session, ada.id, "nonsense", "admin")
        return made

    done = await a_sharing(ledger).once(a_request(), SharedCounter, half)
    assert reason(done)[0] is SharingReason.NOT_FOUND
    assert await ledger.read(counters_of, ada.id) == []
    assert await ledger.read(last_change) == 0
    made = await a_counter(ledger, ada)
    assert await ledger.read(counters_of, ada.id) == [made]


async def test_what_is_secret_is_told_once_and_not_kept(ledger: Ledger) -> None:
    ada = await someone(ledger)

    def without_uid(counter: SharedCounter) -> SharedCounter:
        return replace(counter, uid="")

    async def attempt() -> DoneOnce[SharedCounter]:
        wanted, sharing = NewCounter(name="Visitors"), a_sharing(ledger)
        return await sharing.once(a_request(), SharedCounter, create, ada.id, wanted, 0, recorded=without_uid)

    first, again = await attempt(), await attempt()
    assert isinstance(first.result, SharedCounter)
    assert len(first.result.uid) == 36
    assert (again.result, again.replayed) == (without_uid(first.result), True)


async def test_a_response_that_an_older_version_stored_is_replayed(ledger: Ledger) -> None:
    ada = await someone(ledger)
    counter = await a_counter(ledger, ada)
    stored = StoredResponse(201, b"{}", {"location": "/v1/counters/x"})

    def store(session: Session) -> None:
        for request in (a_request("write"), a_request("change")):
            session.common.keep_answer(
                session.connection,
                digest=request.digest,
                fingerprint=request.fingerprint,
                status=stored.status,
                headers='{"location":"/v1/counters/x"}',
                body=stored.body,
                created=ledger.clock(),
            )

    await ledger.write(store)
    done = await once(ledger, ada.id, "Visitors", a_request("write"))
    assert (done.result, done.replayed) == (stored, True)
    step = ValueChange(counter=counter.uid, verb=Verb.INCREMENT)
    changed = await carried(ledger, ada, step, keyed=a_request("change"))
    assert (changed.results, changed.replayed, changed.anything) == (stored, True, False)
    with pytest.raises(KeyReused):
        await once(ledger, ada.id, "Visitors", a_request("write", b"another"))
    assert await ledger.read(counters_of, ada.id) == [counter]


async def test_history_goes_both_ways_piece_by_piece(ledger: Ledger) -> None:
    ada, ben = await someone(ledger), await someone(ledger, "Ben")
    counter = await a_counter(ledger, ada)
    await joined(ledger, counter, ben)
    for person, amount in ((ada, 1), (ben, 10), (ada, 100)):
        await change(ledger, person, counter, amount=amount)
    await change(ledger, ada, counter, Verb.UNDO)
    whole = await history_of(ledger, ada, counter)
    assert [entry.delta for entry in whole] == [None, 1, 10, 100, -100]
    assert [entry.value for entry in whole] == [0, 1, 11, 111, 11]
    assert [entry.version for entry in whole] == [1, 2, 3, 4, 5]
    assert [entry.actor.name for entry in whole if entry.actor] == ["Ada", "Ada", "Ben", "Ada", "Ada"]
    assert [entry.undoes for entry in whole] == [None, None, None, None, whole[3].number]

    async def pieces(*, newest_first: bool) -> list[int]:
        numbers: list[int] = []
        while True:
            after = numbers[-1] if numbers else 0
            piece = await a_sharing(ledger).read(history, ben.id, counter.uid, after, 2, newest_first)
            if not piece:
                return numbers
            numbers += [entry.number for entry in piece]

    numbers = [entry.number for entry in whole]
    assert await pieces(newest_first=False) == numbers
    assert await pieces(newest_first=True) == numbers[::-1]
    eve = await someone(ledger, "Eve")
    assert await refused(history_of(ledger, eve, counter)) is SharingReason.NOT_FOUND


async def test_what_is_over_is_swept_in_pieces(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "REMOVED_AT_ONCE", 2)
    clock = Clock()
    async with opened(database, clock) as ledger:
        ada = await someone(ledger)
        first, second, living = [await a_counter(ledger, ada) for _ in range(3)]
        for counter in (first, first, second, living):
            await carried(
                ledger, ada, ValueChange(counter=counter.uid, verb=Verb.INCREMENT), keyed=a_request(counter.uid)
            )
            await change(ledger, ada, counter)
        for counter in (first, second):
            await a_sharing(ledger).write(delete, ada.id, counter.uid, clock.now)

        async def swept(times: int) -> Sequence[int]:
            return [await ledger.write(sweep, clock.now, clock.now) for _ in range(times)]

        assert await swept(1) == [0]
        clock.now += HISTORY_KEPT_MS
        assert await swept(6) == [2, 2, 0, 2, 1, 0]
        assert await ledger.read(_sizes) == {"counter_change": 5, "counter_farewell": 2, "kept_answer": 3}
        assert await refused(history_of(ledger, ada, first)) is SharingReason.NOT_FOUND
        clock.now += FAREWELLS_KEPT_MS
        await swept(3)
        assert await ledger.read(_sizes) == {"counter_change": 3, "counter_farewell": 0, "kept_answer": 0}
        assert [entry.value for entry in await history_of(ledger, ada, living)] == [0, 1, 2]


def _sizes(session: Session) -> dict[str, int]:
    tables = ("counter_change", "counter_farewell", "kept_answer")
    return {table: next(iter(session.connection.execute(f"SELECT count(*) FROM {table}")))[0] for table in tables}
