"""Who may do what with a shared counter, and how its value may change.

Pure rules on top of ``model.counter``: what is refused is raised as ``SharingRefused``. Times are Unix milliseconds.
"""

from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from tallystick.errors import SharingReason, SharingRefused
from tallystick.model.counter import INT64_MAX, INT64_MIN, Add, Counter, Operation, Put, RefusalReason, Set, apply
from tallystick.model.shared_counter import CounterType, Mode, Role, SharedCounter

RANKS: dict[Role | None, int] = {None: 0, "viewer": 1, "member": 2, "admin": 3}


class Verb(Enum):
    """What can be done with a value."""

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
    """One thing to do with the value of one counter.

    Attributes:
        counter: UUID, in any case; what is none is no counter's.
        amount: of INCREMENT and DECREMENT, from 1.
        value: of SET.
        confirm: SET and RESET may go against the counter's mode.
        offset: which change UNDO takes back; None for the newest own one.
        id: the client's own name for this step; within a day it is carried out once for each person.
    """

    counter: str
    verb: Verb
    amount: int = 1
    value: int | None = None
    confirm: bool = False
    offset: int | None = None
    id: str | None = None


class Done(Struct, frozen=True):
    """What a step came to.

    Attributes:
        value, version: right after it.
        replayed: it had been carried out before; nothing happened now.
    """

    value: int
    version: int
    replayed: bool = False


class ValueRules(Struct, frozen=True):
    """What decides about a value; see ``SharedCounter``."""

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
    """Whether a role, or none, is at least that one."""
    return RANKS[role] >= RANKS[least]


def new_number(mode: Mode | None, value: int, now: int) -> Counter:
    """The number of a counter that is being made; without a mode one that is never added to."""
    return _applied(None, Put(_with_bounds(Counter(value, 0, 0, True, now, INT64_MAX, 1), mode)), now)  # noqa: FBT003


def edited_number(number: Counter, mode: Mode | None, value: int, now: int) -> Counter:
    """The number of a counter whose details change, its value perhaps among them."""
    return _applied(number, Put(replace(_with_bounds(number, mode), value=value), replaces=True), now)


def carried_out(rules: ValueRules, number: Counter, step: ValueChange, now: int) -> Counter:
    """The number after a step that is no UNDO.

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


def taken_back(rules: ValueRules, number: Counter, delta: int, now: int) -> Counter:
    """The number after a change by ``delta`` was taken back: what others did since stays. Goes against any mode.

    Raises:
        SharingRefused: OUT_OF_RANGE or GOAL_EXCEEDED.
    """
    value = number.value - delta
    _check_size(value, -delta)
    _check_limits(rules, value, rising=delta < 0)
    return _applied(number, Set(value), now)


def require_counting(rules: ValueRules) -> None:
    """Counters of days cannot be counted with.

    Raises:
        SharingRefused: WRONG_TYPE.
    """
    if rules.type != "UpDown":
        raise SharingRefused(SharingReason.WRONG_TYPE, f"a {rules.type} counter counts days by itself")


def check_replacement(rules: ValueRules, present: int, value: int, *, confirm: bool) -> None:
    """Whether a value may take the place of the present one.

    Raises:
        SharingRefused: OUT_OF_RANGE, GOAL_EXCEEDED, or WRONG_TYPE against the mode unless confirmed.
    """
    _check_size(value, value - present)
    if rules.least is not None and value < rules.least:
        raise SharingRefused(SharingReason.OUT_OF_RANGE, f"the value may not fall below {rules.least}")
    if value != present:
        _check_limits(rules, value, rising=value > present)
    against = value < present if rules.mode == "OnlyUp" else value > present and rules.mode == "OnlyDown"
    if against and not confirm:
        raise SharingRefused(
            SharingReason.WRONG_TYPE, f"this counter is {rules.mode}: {value} has to be confirmed, it is {present} now"
        )


def in_range(value: int) -> bool:
    """Whether a value fits 64 bits."""
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
        raise SharingRefused(SharingReason.OUT_OF_RANGE, "values, and what they change by at once, have 64 bits")


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
    RefusalReason.OUT_OF_RANGE: (SharingReason.OUT_OF_RANGE, "the value would not fit 64 bits"),
    RefusalReason.MISSING: (SharingReason.NOT_FOUND, "there is no such counter"),
}


def _applied(number: Counter | None, operation: Operation, now: int) -> Counter:
    after, outcome = apply(number, operation, now)
    if outcome.refused is not None:
        raise SharingRefused(*_REFUSED[outcome.refused])
    assert after is not None
    return after
