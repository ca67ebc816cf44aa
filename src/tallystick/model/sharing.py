"""Roles and value changes of shared counters.

Pure rules on top of ``model.counter``. Refusals are raised as ``SharingRefused``. Times are Unix milliseconds.
"""

from collections.abc import Sequence
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from tallystick.errors import SharingReason, SharingRefused
from tallystick.model.counter import INT64_MAX, INT64_MIN, Add, Counter, Operation, Put, RefusalReason, Set, apply
from tallystick.model.shared_counter import CounterType, Mode, Role, SharedCounter

RANKS: dict[Role | None, int] = {None: 0, "viewer": 1, "member": 2, "admin": 3}


class Verb(Enum):
    """The operations on a value."""

    INCREMENT = "increment"
    DECREMENT = "decrement"
    SET = "set"
    RESET = "reset"
    UNDO = "undo"


LEAST_ROLE: dict[Verb, Role] = {
    Verb.INCREMENT: "member",
    Verb.DECREMENT: "member",
    Verb.SET: "admin",
    Verb.RESET: "admin",
    Verb.UNDO: "member",
}


class ValueChange(Struct, frozen=True, kw_only=True):
    """One operation on the value of one counter.

    Attributes:
        counter: UUID in lower or upper case; any other text is treated as an unknown counter.
        amount: for INCREMENT and DECREMENT, from 1.
        value: for SET.
        confirm: allows SET and RESET against the counter's mode.
        offset: the number of the change that UNDO takes back; None for the person's newest one.
        id: the client's id of this step; within a day it is applied only once for each person.
    """

    counter: str
    verb: Verb
    amount: int = 1
    value: int | None = None
    confirm: bool = False
    offset: int | None = None
    id: str | None = None


class Done(Struct, frozen=True):
    """The result of a step.

    Attributes:
        value, version: of the counter right after the step.
        replayed: whether the step had been applied before, so that nothing changed now.
    """

    value: int
    version: int
    replayed: bool = False


class ValueRules(Struct, frozen=True):
    """The rules for a counter's value; see ``SharedCounter`` for the fields."""

    type: CounterType
    mode: Mode | None = None
    goal: int | None = None
    allow_exceed: bool = True
    least: int | None = None
    reset_value: int = 0

    @classmethod
    def of(cls, counter: SharedCounter) -> "ValueRules":
        """The rules of a counter."""
        return cls(counter.type, counter.mode, counter.goal, counter.allow_exceed, counter.least, counter.reset_value)


def may(role: Role | None, least: Role) -> bool:
    """Whether a role is at least ``least``; None stands for no role."""
    return RANKS[role] >= RANKS[least]


def new_number(mode: Mode | None, value: int, now: int) -> Counter:
    """The number of a new counter; without a mode it accepts no additions."""
    return _applied(None, Put(_with_bounds(Counter(value, 0, 0, True, now, INT64_MAX, 1), mode)), now)  # noqa: FBT003


def edited_number(number: Counter, mode: Mode | None, value: int, now: int) -> Counter:
    """The number after an edit of the counter's mode and value."""
    return _applied(number, Put(replace(_with_bounds(number, mode), value=value), replaces=True), now)


def apply_step(rules: ValueRules, number: Counter, step: ValueChange, now: int) -> Counter:
    """The number after a step other than UNDO.

    Raises:
        SharingRefused: WRONG_TYPE, INVALID_AMOUNT, INVALID_DATA, OUT_OF_RANGE or GOAL_EXCEEDED.
    """
    require_counting(rules)
    if step.verb is Verb.INCREMENT:
        return _moved(rules, number, step.amount, 1, now)
    if step.verb is Verb.DECREMENT:
        return _moved(rules, number, step.amount, -1, now)
    value = _value_of_reset(rules) if step.verb is Verb.RESET else step.value
    if value is None:
        raise SharingRefused(SharingReason.INVALID_DATA, "a value is needed")
    check_replacement(rules, number.value, value, confirm=step.confirm)
    return _applied(number, Set(value), now)


def undo_change(rules: ValueRules, number: Counter, delta: int, now: int) -> Counter:
    """The number after undoing a change by ``delta``. Later changes stay. Allowed against the counter's mode.

    Raises:
        SharingRefused: OUT_OF_RANGE or GOAL_EXCEEDED.
    """
    value = number.value - delta
    _check_size(value, -delta)
    _check_limits(rules, value, rising=delta < 0)
    return _applied(number, Set(value), now)


def require_counting(rules: ValueRules) -> None:
    """Refuse value changes of date counters.

    Raises:
        SharingRefused: WRONG_TYPE.
    """
    if rules.type != "UpDown":
        raise SharingRefused(SharingReason.WRONG_TYPE, f"a {rules.type} counter counts days by itself")


def check_replacement(rules: ValueRules, present: int, value: int, *, confirm: bool) -> None:
    """Check that a value may replace the present one.

    Raises:
        SharingRefused: OUT_OF_RANGE, GOAL_EXCEEDED, or WRONG_TYPE against the mode unless confirmed.
    """
    _check_size(value, value - present)
    if rules.least is not None and value < rules.least:
        raise SharingRefused(SharingReason.OUT_OF_RANGE, f"the value may not fall below {rules.least}")
    if value != present:
        _check_limits(rules, value, rising=value > present)
    against_mode = value < present if rules.mode == "OnlyUp" else value > present and rules.mode == "OnlyDown"
    if against_mode and not confirm:
        raise SharingRefused(
            SharingReason.WRONG_TYPE, f"this counter is {rules.mode}: {value} has to be confirmed, it is {present} now"
        )


def meets_goal(counter: SharedCounter, value: int) -> bool:
    """Whether a value of a counter is at its goal or beyond it; False without a goal."""
    if counter.goal is None:
        return False
    return value <= counter.goal if counter.mode == "OnlyDown" else value >= counter.goal


def goal_met_since(counter: SharedCounter, deltas: Sequence[tuple[int, int]]) -> int | None:
    """When the value reached the goal that it meets now (Unix milliseconds).

    None if it does not meet it, or has met it for longer than the changes tell.

    Args:
        deltas: time and amount of the newest changes of the value, newest first.
    """
    value = counter.value
    if not meets_goal(counter, value):
        return None
    for at, delta in deltas:
        value -= delta
        if not meets_goal(counter, value):
            return at
    return None


def in_range(value: int) -> bool:
    """Whether a value fits into 64 bits."""
    return INT64_MIN <= value <= INT64_MAX


def _value_of_reset(rules: ValueRules) -> int:
    return rules.reset_value if rules.least is None else max(rules.reset_value, rules.least)


def _moved(rules: ValueRules, number: Counter, amount: int, sign: int, now: int) -> Counter:
    if not 1 <= amount <= INT64_MAX:
        raise SharingRefused(SharingReason.INVALID_AMOUNT, f"an amount is a whole number from 1 to {INT64_MAX}")
    after = _applied(number, Add(sign * amount), now)
    _check_limits(rules, after.value, rising=sign > 0)
    return after


def _check_size(value: int, delta: int) -> None:
    if not (in_range(value) and in_range(delta)):
        raise SharingRefused(SharingReason.OUT_OF_RANGE, "a value and its change must fit into 64 bits")


def _check_limits(rules: ValueRules, value: int, *, rising: bool) -> None:
    if not rising and rules.least is not None and value < rules.least:
        raise SharingRefused(SharingReason.OUT_OF_RANGE, f"the value may not fall below {rules.least}")
    if rules.goal is None or rules.allow_exceed or rising is (rules.mode == "OnlyDown"):
        return
    if value > rules.goal if rising else value < rules.goal:
        raise SharingRefused(SharingReason.GOAL_EXCEEDED, f"the goal is {rules.goal}, and may not be exceeded")


def _with_bounds(number: Counter, mode: Mode | None) -> Counter:
    falls, rises = mode in {"OnlyDown", "UpAndDown"}, mode in {"OnlyUp", "UpAndDown"}
    return replace(number, lower=INT64_MIN if falls else 0, upper=INT64_MAX if rises else 0)


_REFUSED = {
    RefusalReason.OUT_OF_BOUNDS: (SharingReason.WRONG_TYPE, "this counter counts in the other direction only"),
    RefusalReason.OUT_OF_RANGE: (SharingReason.OUT_OF_RANGE, "the value would not fit into 64 bits"),
    RefusalReason.MISSING: (SharingReason.NOT_FOUND, "there is no such counter"),
}


def _applied(number: Counter | None, operation: Operation, now: int) -> Counter:
    after, outcome = apply(number, operation, now)
    if outcome.refused is not None:
        raise SharingRefused(*_REFUSED[outcome.refused])
    assert after is not None
    return after
