"""Any mix of what people do with counters does what a plain model says, on both databases.

No operation by somebody who does not share a counter ever changes it, or shows anything of it.
"""

import asyncio
from collections.abc import Coroutine
from copy import deepcopy
from itertools import count
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from support.sharing import a_counter, a_sharing, carried, history_of, refused, results_of, someone
from support.sharing_model import PEOPLE, Asked, Outcome, PlainCounter, PlainSharing
from tallystick.errors import SharingReason, SharingRefused
from tallystick.ledger import Database, Ledger
from tallystick.model.account import Account
from tallystick.model.shared_counter import Mode, Role, SharedCounter
from tallystick.services.sharing import counters, invites, people
from tallystick.services.sharing.access import counters_of, members_of
from tallystick.services.sharing.changes import last_change
from tallystick.services.sharing.changing import Done, ValueChange, Verb
from tallystick.services.sharing.counters import Edit

Result = TypeVar("Result")

persons = st.sampled_from(range(PEOPLE))
numbers = st.integers(0, 3)
"""Which counter; there may be fewer."""
roles: st.SearchStrategy[Role] = st.sampled_from(["admin", "member", "viewer"])
modes: st.SearchStrategy[Mode] = st.sampled_from(["OnlyUp", "OnlyDown", "UpAndDown"])
small = st.integers(-4, 9)
values = small | st.sampled_from([2**63 - 1, -(2**63), 2**63])
steps = st.builds(
    Asked,
    number=numbers,
    verb=st.sampled_from(Verb),
    amount=st.integers(0, 4) | st.just(2**63 - 1),
    value=values,
    confirm=st.booleans(),
)

plain_counters = st.builds(
    PlainCounter,
    mode=modes,
    value=small,
    goal=st.none() | small,
    least=st.none() | st.integers(-6, -4),
    exceed=st.booleans(),
    version=st.just(1),
    members=st.builds(dict),
    history=st.builds(list),
)
COUNTERS = 4

unique = count()


def outcome(result: Done | SharingReason) -> Outcome:
    return (result.value, result.version) if isinstance(result, Done) else result


class SharingMachine(RuleBasedStateMachine):
    """The ledger beside ``PlainSharing``; people and counters go by small numbers."""

    def __init__(self, runner: asyncio.Runner, ledger: Ledger) -> None:
        super().__init__()
        self.runner, self.ledger = runner, ledger
        self.sharing = a_sharing(ledger)
        self.plain = PlainSharing()
        self.counters: list[SharedCounter] = []

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return self.runner.run(coroutine)

    def attempt(self, function: Any, *arguments: Any) -> SharingReason | None:
        try:
            self.run(self.sharing.write(function, *arguments))
        except SharingRefused as error:
            return error.reason
        return None

    @initialize()
    def people_arrive(self) -> None:
        async def arrive() -> list[Account]:
            return [await someone(self.ledger, f"Person{next(unique)}") for _ in range(PEOPLE)]

        self.people = self.run(arrive())
        self.started = self.run(self.ledger.read(last_change))

    @rule(person=persons, plain=plain_counters)
    def make(self, person: int, plain: PlainCounter) -> None:
        if len(self.counters) < COUNTERS:
            made = deepcopy(plain)
            self.plain.make(person, made)
            details: dict[str, Any] = {"mode": made.mode, "value": made.value, "goal": made.goal, "least": made.least}
            counter = a_counter(self.ledger, self.people[person], allow_exceed=made.exceed, **details)
            self.counters.append(self.run(counter))

    def step(self, asked: Asked) -> ValueChange:
        counter = self.counters[asked.number].uid
        return ValueChange(
            counter=counter, verb=asked.verb, amount=asked.amount, value=asked.value, confirm=asked.confirm
        )

    @rule(person=persons, wanted=st.lists(steps, min_size=1, max_size=6))
    def change(self, person: int, wanted: list[Asked]) -> None:
        wanted = [asked for asked in wanted if asked.number < len(self.counters)]
        answer = self.run(carried(self.ledger, self.people[person], *map(self.step, wanted)))
        assert list(map(outcome, results_of(answer))) == [self.plain.step(person, asked) for asked in wanted]

    @rule(wanted=st.lists(st.tuples(persons, steps), min_size=1, max_size=8))
    def change_at_once(self, wanted: list[tuple[int, Asked]]) -> None:
        async def all_of() -> list[Outcome]:
            requests = [carried(self.ledger, self.people[person], self.step(asked)) for person, asked in wanted]
            return [outcome(results_of(answer)[0]) for answer in await asyncio.gather(*requests)]

        wanted = [each for each in wanted if each[1].number < len(self.counters)]
        assert self.run(all_of()) == [self.plain.step(person, asked) for person, asked in wanted]

    @rule(actor=persons, number=numbers, member=persons, role=roles)
    def give_role(self, actor: int, number: int, member: int, role: Role) -> None:
        if number < len(self.counters):
            uids = self.counters[number].uid, self.people[member].uid
            told = self.attempt(people.set_role, self.people[actor].id, *uids, role, 0)
            assert told == self.plain.give_role(actor, number, member, role)

    @rule(actor=persons, number=numbers, member=persons)
    def remove(self, actor: int, number: int, member: int) -> None:
        if number < len(self.counters):
            uids = self.counters[number].uid, self.people[member].uid
            told = self.attempt(people.remove, self.people[actor].id, *uids, 0)
            assert told == self.plain.remove(actor, number, member)

    @rule(actor=persons, number=numbers, guest=persons, role=st.sampled_from(["member", "viewer"]))
    def invite(self, actor: int, number: int, guest: int, role: Role) -> None:
        if number >= len(self.counters):
            return
        now, wanted = self.ledger.clock(), invites.NewInvite(role=role, max_uses=1)
        try:
            _, code = self.run(
                self.sharing.write(invites.create, self.people[actor].id, self.counters[number].uid, wanted, now)
            )
        except SharingRefused as error:
            told: SharingReason | None = error.reason
        else:
            told = self.attempt(invites.accept, self.people[guest].id, code, now)
        assert told == self.plain.invite(actor, number, guest, role)

    @rule(actor=persons, number=numbers, mode=modes, value=small)
    def edit(self, actor: int, number: int, mode: Mode, value: int) -> None:
        if number < len(self.counters):
            wanted = Edit(mode=mode, value=value)
            told = self.attempt(counters.edit, self.people[actor].id, self.counters[number].uid, wanted, 0)
            assert told == self.plain.edit(actor, number, mode, value)

    @rule(actor=persons, number=numbers)
    def delete(self, actor: int, number: int) -> None:
        if number < len(self.counters):
            told = self.attempt(counters.delete, self.people[actor].id, self.counters[number].uid, 0)
            assert told == self.plain.delete(actor, number)

    @invariant()
    def everyone_sees_what_they_share_and_nothing_else(self) -> None:
        numbers = {counter.id: number for number, counter in enumerate(self.counters)}
        for person, account in enumerate(self.people):
            found = self.run(self.ledger.read(counters_of, account.id))
            told = {numbers[counter.id]: (counter.value, counter.version, counter.mode) for counter in found}
            assert told == self.plain.seen_by(person)

    @invariant()
    def everyone_is_listed_as_they_are(self) -> None:
        found = self.run(self.ledger.read(members_of, [counter.id for counter in self.counters]))
        order = {account.uid: person for person, account in enumerate(self.people)}
        listed = [{order[one.uid]: one.role for one in found[counter.id]} for counter in self.counters]
        assert listed == [counter.members for counter in self.plain.counters]

    @invariant()
    def nothing_is_recorded_but_what_was_done(self) -> None:
        assert self.run(self.ledger.read(last_change)) - self.started == self.plain.changes

    @rule(person=persons, number=numbers)
    def look_at_the_history(self, person: int, number: int) -> None:
        if number >= len(self.counters):
            return
        looking = history_of(self.ledger, self.people[person], self.counters[number])
        if number not in self.plain.seen_by(person):
            assert self.run(refused(looking)) is SharingReason.NOT_FOUND
            return
        entries = self.run(looking)
        told = [(entry.delta, entry.value, entry.version, entry.undoes is not None) for entry in entries]
        assert told == [
            (done.delta, done.value, done.version, done.undoes is not None)
            for done in self.plain.counters[number].history
        ]


def test_sharing_follows_the_rules(database: Database) -> None:
    with asyncio.Runner() as runner:
        ledger = runner.run(Ledger.open(database))

        class Machine(SharingMachine):
            def __init__(self) -> None:
                super().__init__(runner, ledger)

        try:
            run_state_machine_as_test(
                Machine,
                settings=settings(
                    max_examples=20, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
                ),
            )
        finally:
            runner.run(ledger.close())
