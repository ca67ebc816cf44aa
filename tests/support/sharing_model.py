"""What people do with shared counters, in plain words: the oracle of the state machine."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tallystick.errors import SharingReason
from tallystick.model.shared_counter import Mode, Role
from tallystick.services.sharing.changing import Verb

PEOPLE = 4
LIMIT = 2**63

Outcome = tuple[int, int] | SharingReason
"""Value and version, or why not."""


class Asked(NamedTuple):
    """A step that somebody wants."""

    number: int
    verb: Verb
    amount: int
    value: int
    confirm: bool


@dataclass
class Past:
    """An entry of a counter's history."""

    actor: int
    delta: int | None
    value: int
    version: int
    undoes: "Past | None" = None
    undone: bool = False


@dataclass
class PlainCounter:
    """A counter; without members it is deleted."""

    mode: Mode
    value: int
    goal: int | None
    least: int | None
    exceed: bool
    version: int = 1
    reset_value: int = 0
    members: dict[int, Role] = field(default_factory=dict)
    history: list[Past] = field(default_factory=list)

    def put(self, actor: int, value: int, undoes: Past | None = None) -> None:
        """Have another value."""
        self.version += 1
        self.history.append(Past(actor, value - self.value, value, self.version, undoes))
        self.value = value

    def admins(self) -> int:
        """How many there are."""
        return list(self.members.values()).count("admin")


@dataclass
class PlainSharing:
    """Everyone and everything; people and counters go by numbers."""

    counters: list[PlainCounter] = field(default_factory=list)
    changes: int = 0

    def make(self, person: int, counter: PlainCounter) -> None:
        counter.members[person] = "admin"
        counter.history.append(Past(person, None, counter.value, 1))
        self.counters.append(counter)
        self.changes += 1

    def seen_by(self, person: int) -> dict[int, tuple[int, int, Mode]]:
        return {
            number: (counter.value, counter.version, counter.mode)
            for number, counter in enumerate(self.counters)
            if person in counter.members
        }

    def _refused(self, person: int, number: int, roles: tuple[Role, ...]) -> SharingReason | None:
        counter = self.counters[number]
        if not counter.members:
            return SharingReason.NOT_FOUND
        return None if counter.members.get(person) in roles else SharingReason.FORBIDDEN

    def step(self, person: int, asked: Asked) -> Outcome:
        counter, verb = self.counters[asked.number], asked.verb
        roles: tuple[Role, ...] = ("admin",) if verb in {Verb.SET, Verb.RESET} else ("admin", "member")
        if reason := self._refused(person, asked.number, roles):
            return reason
        undoes = None
        if verb is Verb.UNDO:
            undoes = next((past for past in counter.history[::-1] if _can_be_undone(past, person)), None)
            if undoes is None:
                return SharingReason.NOTHING_TO_UNDO
            wanted: int | SharingReason = _undone(counter, undoes)
        elif verb in {Verb.SET, Verb.RESET}:
            value = (
                asked.value
                if verb is Verb.SET
                else max(counter.reset_value, counter.reset_value if counter.least is None else counter.least)
            )
            wanted = _replaced(counter, value, confirm=asked.confirm)
        else:
            wanted = _moved(counter, asked.amount if verb is Verb.INCREMENT else -asked.amount, asked.amount)
        if isinstance(wanted, SharingReason):
            return wanted
        if undoes:
            undoes.undone = True
        counter.put(person, wanted, undoes)
        self.changes += 1
        return counter.value, counter.version

    def give_role(self, actor: int, number: int, member: int, role: Role) -> SharingReason | None:
        members = self.counters[number].members
        if reason := self._refused(actor, number, ("admin",)):
            return reason
        if member not in members:
            return SharingReason.NOT_FOUND
        if members[member] == role:
            return None
        if members[member] == "admin" and self.counters[number].admins() == 1:
            return SharingReason.LAST_ADMIN
        members[member] = role
        self.changes += 1
        return None

    def remove(self, actor: int, number: int, member: int) -> SharingReason | None:
        members = self.counters[number].members
        everyone: tuple[Role, ...] = ("admin", "member", "viewer")
        if reason := self._refused(actor, number, everyone if actor == member else ("admin",)):
            return reason
        if member not in members:
            return SharingReason.NOT_FOUND
        if members[member] == "admin" and self.counters[number].admins() == 1 < len(members):
            return SharingReason.LAST_ADMIN
        del members[member]
        self.changes += 1
        return None

    def invite(self, actor: int, number: int, guest: int, role: Role) -> SharingReason | None:
        members = self.counters[number].members
        if reason := self._refused(actor, number, ("admin",)):
            return reason
        if guest not in members or (members[guest], role) == ("viewer", "member"):
            members[guest] = role
            self.changes += 1
        return None

    def edit(self, actor: int, number: int, mode: Mode, value: int) -> SharingReason | None:
        counter = self.counters[number]
        if reason := self._refused(actor, number, ("admin", "member")):
            return reason
        if counter.least is not None and value < counter.least:
            return SharingReason.OUT_OF_RANGE
        if (counter.mode, counter.value) == (mode, value):
            return None
        if counter.members[actor] != "admin":
            return SharingReason.FORBIDDEN
        refused = _replaced(replace(counter, mode=mode), value, confirm=False)
        if isinstance(refused, SharingReason):
            return refused
        before = counter.value
        counter.mode = mode
        counter.put(actor, value)
        if value == before:
            counter.history[-1].delta = None
        self.changes += 1
        return None

    def delete(self, actor: int, number: int) -> SharingReason | None:
        if reason := self._refused(actor, number, ("admin",)):
            return reason
        self.counters[number].members.clear()
        self.changes += 1
        return None


def _can_be_undone(past: Past, person: int) -> bool:
    return past.actor == person and bool(past.delta) and past.undoes is None and not past.undone


def _moved(counter: PlainCounter, delta: int, amount: int) -> int | SharingReason:
    if not 1 <= amount < LIMIT:
        return SharingReason.INVALID_AMOUNT
    if counter.mode == ("OnlyUp" if delta < 0 else "OnlyDown"):
        return SharingReason.WRONG_TYPE
    value = counter.value + delta
    if not -LIMIT <= value < LIMIT:
        return SharingReason.OUT_OF_RANGE
    return _limited(counter, value)


def _undone(counter: PlainCounter, past: Past) -> int | SharingReason:
    assert past.delta is not None
    value = counter.value - past.delta
    if not (-LIMIT <= value < LIMIT and -LIMIT <= -past.delta < LIMIT):
        return SharingReason.OUT_OF_RANGE
    return _limited(counter, value)


def _limited(counter: PlainCounter, value: int) -> int | SharingReason:
    rising = value > counter.value
    if not rising and counter.least is not None and value < counter.least:
        return SharingReason.OUT_OF_RANGE
    if counter.goal is None or counter.exceed:
        return value
    falls = counter.mode == "OnlyDown"
    exceeds = rising is not falls and (value < counter.goal if falls else value > counter.goal)
    return SharingReason.GOAL_EXCEEDED if exceeds else value


def _replaced(counter: PlainCounter, value: int, *, confirm: bool) -> int | SharingReason:
    if not (-LIMIT <= value < LIMIT and -LIMIT <= value - counter.value < LIMIT):
        return SharingReason.OUT_OF_RANGE
    if counter.least is not None and value < counter.least:
        return SharingReason.OUT_OF_RANGE
    limited = value if value == counter.value else _limited(counter, value)
    if isinstance(limited, SharingReason):
        return limited
    against = value < counter.value if counter.mode == "OnlyUp" else value > counter.value
    if counter.mode != "UpAndDown" and against and not confirm:
        return SharingReason.WRONG_TYPE
    return value
