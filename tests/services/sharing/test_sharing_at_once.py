"""Many people count at once, also on several servers: every sum is exact, and every reply its own."""

import asyncio
import random
from collections import Counter as Tally
from collections.abc import Sequence

from support.ledgers import opened
from support.sharing import a_counter, a_sharing, carried, history_of, joined, now_as, results_of, someone
from tallystick.errors import SharingReason, SharingRefused
from tallystick.ledger import Database, Ledger, Session
from tallystick.model.account import Account
from tallystick.model.shared_counter import SharedCounter
from tallystick.services.accounts.accounts import delete_account
from tallystick.services.sharing.access import counters_of, members_of
from tallystick.services.sharing.changes import last_change
from tallystick.services.sharing.changing import Done, ValueChange, Verb
from tallystick.services.sharing.counters import Edit, delete, edit
from tallystick.services.sharing.people import remove

PEOPLE, OPERATIONS = 20, 1_000

Reply = tuple[str, Done]
"""What was told of a counter."""


async def count(ledger: Ledger, person: Account, steps: Sequence[ValueChange], at_once: int = 10) -> list[Reply]:
    """Carry out steps, some of them at once as a device does that was offline; all of them succeed."""
    replies: list[Reply] = []
    for start in range(0, len(steps), at_once):
        piece = steps[start : start + at_once]
        answers = await asyncio.gather(*(carried(ledger, person, step) for step in piece))
        for step, answer in zip(piece, answers, strict=True):
            (done,) = results_of(answer)
            assert isinstance(done, Done)
            replies.append((step.counter, done))
    return replies


def mixed(counters: Sequence[SharedCounter], seed: int, amount: int) -> list[ValueChange]:
    chance = random.Random(seed)
    verbs = (Verb.INCREMENT, Verb.INCREMENT, Verb.DECREMENT)
    return [
        ValueChange(counter=chance.choice(counters).uid, verb=chance.choice(verbs), amount=chance.randint(1, 9))
        for _ in range(amount)
    ]


def sums(steps: Sequence[ValueChange]) -> Tally[str]:
    expected: Tally[str] = Tally()
    for step in steps:
        expected[step.counter] += step.amount if step.verb is Verb.INCREMENT else -step.amount
    return expected


def _record(session: Session) -> list[tuple[int, int, int | None, int | None, int | None]]:
    query = "SELECT number, counter, delta, value, version FROM counter_change ORDER BY number"
    return [tuple(row) for row in session.connection.execute(query)]


async def check_exact(
    ledger: Ledger, counters: Sequence[SharedCounter], steps: Sequence[ValueChange], replies: Sequence[Reply]
) -> None:
    """Sums, versions, replies and the record tell one story, without a gap and without a double."""
    expected, applied = sums(steps), Tally(step.counter for step in steps)
    assert len({(uid, done.value, done.version) for uid, done in replies}) == len(replies) == len(steps)
    for counter in counters:
        versions = sorted(done.version for uid, done in replies if uid == counter.uid)
        assert versions == list(range(2, applied[counter.uid] + 2))
        now = await now_as(ledger, counter)
        assert (now.value, now.version) == (expected[counter.uid], applied[counter.uid] + 1)
    record = await ledger.read(_record)
    assert [number for number, *_ in record] == list(range(1, len(steps) + len(counters) + 1))
    told = {(uid, done.version): done.value for uid, done in replies}
    for counter in counters:
        own = [row for row in record if row[1] == counter.id]
        value = 0
        for version, (_, _, delta, after, recorded) in enumerate(own, 1):
            value += delta or 0
            assert (after, recorded) == (value, version)
            assert version == 1 or told[counter.uid, version] == value


async def test_twenty_people_a_thousand_operations_each(ledger: Ledger) -> None:
    people = [await someone(ledger, f"Person{number}") for number in range(PEOPLE)]
    counters = [await a_counter(ledger, people[0], f"Counter {number}") for number in range(3)]
    for counter in counters:
        await joined(ledger, counter, *people[1:])
    wanted = [mixed(counters, seed, OPERATIONS) for seed in range(PEOPLE)]
    done = await asyncio.gather(*(count(ledger, person, steps) for person, steps in zip(people, wanted, strict=True)))
    steps = [step for own in wanted for step in own]
    await check_exact(ledger, counters, steps, [reply for own in done for reply in own])


async def test_two_servers_on_one_database(database: Database) -> None:
    async with opened(database) as one, opened(database) as another:
        people = [await someone(one, f"Person{number}") for number in range(4)]
        counters = [await a_counter(one, people[0], f"Counter {number}") for number in range(20)]
        for counter in counters:
            await joined(one, counter, *people[1:])
        wanted = [mixed(counters, seed, 400) for seed in range(4)]
        done = await asyncio.gather(
            *(
                count(server, person, steps, at_once=40)
                for server, person, steps in zip((one, another, one, another), people, wanted, strict=True)
            )
        )
        steps = [step for own in wanted for step in own]
        await check_exact(another, counters, steps, [reply for own in done for reply in own])


async def test_two_servers_that_count_edit_and_delete(database: Database) -> None:
    async with opened(database) as one, opened(database) as another:
        ada, ben, cyd = [await someone(one, name) for name in ("Ada", "Ben", "Cyd")]
        counters = [await a_counter(one, cyd, f"Counter {number}") for number in range(6)]
        for counter in counters:
            await joined(one, counter, ada, ben, role="admin")
        reasons = set[SharingReason]()

        async def attempt(server: Ledger, person: Account, counter: SharedCounter, number: int) -> None:
            sharing, name = a_sharing(server), f"{person.name} renames {number}"
            await carried(server, person, ValueChange(counter=counter.uid, verb=Verb.INCREMENT))
            try:
                await sharing.write(edit, person.id, counter.uid, Edit(name=name), 0)
                if number == 9:
                    await sharing.write(delete, person.id, counter.uid, 0)
            except SharingRefused as error:
                reasons.add(error.reason)

        async def all_of(server: Ledger, person: Account, order: Sequence[SharedCounter]) -> None:
            for number in range(10):
                await asyncio.gather(*(attempt(server, person, counter, number) for counter in order))

        await asyncio.gather(all_of(one, ada, counters[:4]), all_of(another, ben, counters[:1:-1]))
        assert reasons == {SharingReason.NOT_FOUND}
        assert await one.read(counters_of, cyd.id) == []
        record = await another.read(_record)
        assert [number for number, *_ in record] == list(range(1, await one.read(last_change) + 1))


async def test_who_leaves_and_whose_account_goes_at_once_leave_one_admin(database: Database) -> None:
    async with opened(database) as one, opened(database) as another:
        await someone(one, "Root")
        people = [await someone(one, f"Person{number}") for number in range(6)]
        counters = [await a_counter(one, people[0]) for _ in range(3)]
        for counter in counters:
            await joined(one, counter, *people[1:], role="admin")

        async def goes(server: Ledger, person: Account) -> None:
            await server.write(delete_account, person.id, 0)

        async def leaves(server: Ledger, person: Account) -> None:
            for counter in counters:
                await a_sharing(server).write(remove, person.id, counter.uid, person.uid, 0)

        moves = (goes(one, people[0]), leaves(another, people[1]), goes(another, people[2]), leaves(one, people[3]))
        await asyncio.gather(*moves)
        found = await one.read(members_of, [counter.id for counter in counters])
        assert {tuple((member.name, member.role) for member in found[counter.id]) for counter in counters} == {
            (("Person4", "admin"), ("Person5", "admin"))
        }
        await asyncio.gather(goes(one, people[4]), goes(another, people[5]))
        assert await one.read(last_change) == len(await one.read(_record))
        assert [await one.read(_exists, counter.uid) for counter in counters] == [0, 0, 0]


def _exists(session: Session, uid: str) -> int:
    found = session.common.shared_counter(session.connection, account=0, uid=uid)
    return 0 if found is None else 1


async def test_a_request_that_reaches_two_servers_is_carried_out_once(database: Database) -> None:
    async with opened(database) as one, opened(database) as another:
        ada = await someone(one)
        counter = await a_counter(one, ada)
        steps = [ValueChange(counter=counter.uid, verb=Verb.INCREMENT, id=f"s{number}") for number in range(40)]
        pieces = [(server, steps[start : start + 10]) for start in range(0, 40, 10) for server in (one, another)]
        answers = await asyncio.gather(*(carried(server, ada, *piece) for server, piece in pieces))
        results = [result for answer in answers for result in results_of(answer)]
        assert sum(isinstance(result, Done) and result.replayed for result in results) == 40
        assert (await now_as(one, counter)).value == 40
        assert len(await history_of(one, ada, counter)) == 41
