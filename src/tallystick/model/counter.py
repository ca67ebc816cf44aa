"""Counters, and all rules by which they change.

``apply`` is a pure function: the ledger folds a batch of operations with it, the command line uses it,
and the tests use it as the oracle. Times are Unix milliseconds and are passed in.
"""

from enum import Enum
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1

LAST_VERSION = 2**53 - 1
"""The greatest version that an import accepts: further changes cannot overflow 64 bits from there."""

LIFETIME_MS = 15_770_000_000
"""Default lifetime of a public counter after its last change (CountAPI contract, 1.4)."""

FOREVER = 253_402_300_799_000
"""The last second of the year 9999: ``expires`` of a counter that never expires."""

NEVER = FOREVER
"""A lifetime that ends at ``FOREVER``, whenever it begins."""

HOUR_MS = 3_600_000

OWNED, LOCKED, RESTRICTED, FROZEN = 1, 2, 4, 8
"""Bits of ``Counter.flags``: it has an owner and never expires; only its owner changes it; it counts only additions
that were checked against its owner's rules (``services/counting/owned``); the operator stopped all changes."""


class Counter(Struct, frozen=True, gc=False):
    """A number with an identity, bounds and a version.

    Attributes:
        value: signed 64-bit.
        lower: the least amount one ``Add`` may carry, at most 0.
        upper: the greatest amount one ``Add`` may carry, at least 0.
        resettable: whether ``Set`` is allowed.
        created: Unix milliseconds.
        expires: Unix milliseconds; from then on the counter does not exist.
        version: rises by one with every change, from 1.
        hour: the hour of UTC of the last change, in hours since 1970; never less than before. 0: unknown, because the
            counter was last changed before hours were recorded.
        base: the value at the start of that hour, or with which the counter was created in it.
        flags: ``OWNED``, ``LOCKED``, ``RESTRICTED`` and ``FROZEN``; 0 for an anonymous counter.
    """

    value: int
    lower: int
    upper: int
    resettable: bool
    created: int
    expires: int
    version: int
    hour: int = 0
    base: int = 0
    flags: int = 0


class Add(Struct, frozen=True, gc=False):
    """Add ``amount``; with ``creates``, create a missing counter first (bounds 0..1, not resettable).

    Attributes:
        lifetime: milliseconds from now until the counter expires, as in every operation that changes one. Counters
            with an owner never expire.
        passes: flags of the counter that do not hold it up: ``RESTRICTED`` once the owner's rules were checked,
            ``LOCKED`` too when the owner adds.
    """

    amount: int
    creates: bool = False
    lifetime: int = LIFETIME_MS
    passes: int = 0


class Set(Struct, frozen=True, gc=False):
    """Replace the value. ``forced`` allows it whatever the counter allows, for its owner and for the operator."""

    value: int
    forced: bool = False
    lifetime: int = LIFETIME_MS


class Create(Struct, frozen=True, gc=False):
    """Create a counter; refused if it exists.

    Attributes:
        flags: of the new counter.
        known: whether somebody with an account creates it, who may do so in a closed or full namespace, too.
        authorized: whether it may be created in every namespace, also in a reserved one.
    """

    value: int = 0
    lower: int = -1
    upper: int = 1
    resettable: bool = False
    lifetime: int = LIFETIME_MS
    flags: int = 0
    known: bool = False
    authorized: bool = False


class Amend(Struct, frozen=True, gc=False):
    """Change what a counter allows, for its owner; None leaves a member as it is."""

    lower: int | None = None
    upper: int | None = None
    resettable: bool | None = None
    flags: int | None = None


class Put(Struct, frozen=True, gc=False):
    """Store a counter as it was exported; ``replaces`` overwrites an existing one."""

    counter: Counter
    replaces: bool = False


class Renew(Struct, frozen=True, gc=False):
    """Prolong a counter's lifetime as a change would; its value stays."""

    lifetime: int


class Freeze(Struct, frozen=True, gc=False):
    """Stop all changes of a counter, or allow them again, for the operator. Its value and its expiry stay."""

    frozen: bool


class Delete(Struct, frozen=True, gc=False):
    """Delete a counter; with ``only_expired``, only if it has expired (for the sweep)."""

    only_expired: bool = False


Operation = Add | Set | Create | Amend | Put | Renew | Freeze | Delete

HIT = Add(1, creates=True)


class RefusalReason(Enum):
    """Why an operation was refused."""

    MISSING = "missing"
    EXISTS = "exists"
    OUT_OF_BOUNDS = "out of bounds"
    NOT_RESETTABLE = "not resettable"
    OUT_OF_RANGE = "out of range"
    CREATION_LIMITED = "creation limited"
    LOCKED = "locked"
    """Only the counter's owner may change it."""
    RESTRICTED = "restricted"
    """The counter counts only what its owner's rules admit."""
    FROZEN = "frozen"
    """The operator stopped all changes of the counter."""
    RESERVED = "namespace reserved"
    """Only the owner of the namespace's site creates counters in it."""
    CLOSED = "namespace closed"
    """The operator lets nobody without an account create counters in the namespace."""
    FULL = "namespace full"
    """The namespace has as many counters as one may have."""


class Outcome(Struct, frozen=True, gc=False):
    """The result of one operation.

    Attributes:
        value: the value afterwards; None when there is no counter.
        old_value: the value before; None when there was no counter.
        refused: None on success.
        created: whether the operation created the counter.
    """

    value: int | None
    old_value: int | None
    refused: RefusalReason | None = None
    created: bool = False


LIMITED = Outcome(None, None, RefusalReason.CREATION_LIMITED)
_MISSING = Outcome(None, None, RefusalReason.MISSING)
_REFUSED_CREATION = Outcome(None, None, RefusalReason.OUT_OF_BOUNDS)
_FRESH_HIT = Counter(0, 0, 1, resettable=False, created=0, expires=0, version=0)


def alive(counter: Counter | None, now: int) -> Counter | None:
    """The counter, or None if it has expired."""
    return None if counter is None or counter.expires <= now else counter


def would_create(counter: Counter | None, operation: Operation, now: int) -> bool:
    """Whether the operation would create a counter."""
    if counter is not None and counter.expires > now:
        return False
    return type(operation) is Create or (type(operation) is Add and operation.creates)


def apply(counter: Counter | None, operation: Operation, now: int) -> tuple[Counter | None, Outcome]:
    """Apply one operation.

    Returns:
        The counter afterwards and the outcome. The counter is the same object when nothing changed, and None when
        there is no counter afterwards.
    """
    kind = type(operation)
    if kind is Add:
        return _add(counter, operation, now)  # type: ignore[arg-type]  # narrowed by kind: hot path
    if isinstance(operation, Put):
        return _put(counter, operation, now)
    if isinstance(operation, Delete):
        return _delete(counter, operation, now)
    live = alive(counter, now)
    if isinstance(operation, Create):
        return _create(counter, live, operation, now)
    return (counter, _MISSING) if live is None else _change(live, operation, now)


def _change(live: Counter, operation: Operation, now: int) -> tuple[Counter, Outcome]:
    if isinstance(operation, Amend):
        return _amend(live, operation)
    if isinstance(operation, Freeze):
        return _freeze(live, operation)
    if isinstance(operation, Renew):
        return _renew(live, operation, now)
    assert isinstance(operation, Set)
    return _set(live, operation, now)


def apply_repeatedly(
    counter: Counter | None, operation: Operation, times: int, now: int
) -> tuple[Counter | None, list[Outcome]]:
    """Apply one operation several times: what as many calls of ``apply`` give, for hot counters at less cost."""
    if counter is not None and type(operation) is Add:
        amount, old = operation.amount, counter.value
        value = old + amount * times
        expires = _prolonged(counter, now, operation.lifetime)
        lives = counter.expires > now and expires > now and counter.flags <= OWNED
        if lives and counter.lower <= amount <= counter.upper and INT64_MIN <= value <= INT64_MAX:
            values = [old + amount * number for number in range(times + 1)]
            hour, base = _hour_of_change(counter, now)
            version = counter.version + times
            after = replace(counter, value=value, expires=expires, version=version, hour=hour, base=base)
            return after, [Outcome(new, before, None, False) for before, new in pairwise(values)]  # noqa: FBT003
    outcomes = []
    for _ in range(times):
        counter, outcome = apply(counter, operation, now)
        outcomes.append(outcome)
    return counter, outcomes


def _add(counter: Counter | None, operation: Add, now: int) -> tuple[Counter | None, Outcome]:
    amount = operation.amount
    before: Counter | None = counter
    created = False
    if before is None or before.expires <= now:
        if not operation.creates:
            return counter, _MISSING
        before = _FRESH_HIT
        created = True
    old = before.value
    if before.flags > OWNED and (held_up := before.flags & ~operation.passes) > OWNED:
        return counter, _barred(old, held_up)
    if not before.lower <= amount <= before.upper:
        return counter, _REFUSED_CREATION if created else Outcome(old, old, RefusalReason.OUT_OF_BOUNDS)
    value = old + amount
    if not INT64_MIN <= value <= INT64_MAX:
        return counter, Outcome(old, old, RefusalReason.OUT_OF_RANGE)
    # As ``_hour_of_change`` has it; hot.
    hour, base = before.hour, before.base
    if hour < (current := now // HOUR_MS):
        hour, base = current, old
    after = Counter(
        value,
        before.lower,
        before.upper,
        before.resettable,
        now if created else before.created,
        _prolonged(before, now, operation.lifetime),
        before.version + 1,
        hour,
        base,
        before.flags,
    )
    return after, Outcome(value, None if created else old, None, created)


def _set(live: Counter, operation: Set, now: int) -> tuple[Counter, Outcome]:
    # A counter without an owner that counts visitors once may still be set where it is resettable.
    barring = live.flags if live.flags & OWNED else live.flags & ~RESTRICTED
    if barring > OWNED and not operation.forced:
        return live, _barred(live.value, barring)
    if not (live.resettable or operation.forced):
        return live, Outcome(live.value, live.value, RefusalReason.NOT_RESETTABLE)
    if not INT64_MIN <= operation.value <= INT64_MAX:
        return live, Outcome(live.value, live.value, RefusalReason.OUT_OF_RANGE)
    expires = _prolonged(live, now, operation.lifetime)
    hour, base = _hour_of_change(live, now)
    after = replace(live, value=operation.value, expires=expires, version=live.version + 1, hour=hour, base=base)
    return after, Outcome(after.value, live.value)


def _create(
    counter: Counter | None, live: Counter | None, operation: Create, now: int
) -> tuple[Counter | None, Outcome]:
    if live is not None:
        return live, Outcome(live.value, live.value, RefusalReason.EXISTS)
    if not _in_range(operation.value, operation.lower, operation.upper):
        return counter, Outcome(None, None, RefusalReason.OUT_OF_RANGE)
    expires = FOREVER if operation.lifetime == NEVER or operation.flags & OWNED else now + operation.lifetime
    after = Counter(
        value=operation.value,
        lower=operation.lower,
        upper=operation.upper,
        resettable=operation.resettable,
        created=now,
        expires=expires,
        version=1,
        hour=now // HOUR_MS,
        base=operation.value,
        flags=operation.flags,
    )
    return after, Outcome(after.value, None, None, created=True)


def _amend(live: Counter, operation: Amend) -> tuple[Counter, Outcome]:
    lower = live.lower if operation.lower is None else operation.lower
    upper = live.upper if operation.upper is None else operation.upper
    resettable = live.resettable if operation.resettable is None else operation.resettable
    flags = live.flags if operation.flags is None else operation.flags
    if not _in_range(live.value, lower, upper):
        return live, Outcome(live.value, live.value, RefusalReason.OUT_OF_RANGE)
    expires = FOREVER if flags & OWNED else live.expires
    version = live.version + 1
    after = replace(
        live, lower=lower, upper=upper, resettable=resettable, flags=flags, expires=expires, version=version
    )
    return after, Outcome(live.value, live.value)


def _freeze(live: Counter, operation: Freeze) -> tuple[Counter, Outcome]:
    unchanged = Outcome(live.value, live.value)
    flags = live.flags | FROZEN if operation.frozen else live.flags & ~FROZEN
    return (live if flags == live.flags else replace(live, flags=flags, version=live.version + 1)), unchanged


def _renew(live: Counter, operation: Renew, now: int) -> tuple[Counter, Outcome]:
    expires = _prolonged(live, now, operation.lifetime)
    return replace(live, expires=expires, version=live.version + 1), Outcome(live.value, live.value)


def _put(counter: Counter | None, operation: Put, now: int) -> tuple[Counter | None, Outcome]:
    live = alive(counter, now)
    if live is not None and not operation.replaces:
        return live, Outcome(live.value, live.value, RefusalReason.EXISTS)
    imported = operation.counter
    if not _can_be_stored(imported):
        present = live.value if live else None
        return counter, Outcome(present, present, RefusalReason.OUT_OF_RANGE)
    # Versions only rise: a reader that has seen one must never take an older state for newer.
    version = imported.version if live is None else max(imported.version, live.version + 1)
    hour, base = (now // HOUR_MS, imported.value) if live is None else _hour_of_change(live, now)
    flags = imported.flags if live is None else live.flags
    expires = FOREVER if flags & OWNED else imported.expires
    after = replace(imported, version=version, expires=expires, hour=hour, base=base, flags=flags)
    return after, Outcome(after.value, live.value if live else None, None, created=live is None)


def _delete(counter: Counter | None, operation: Delete, now: int) -> tuple[Counter | None, Outcome]:
    live = alive(counter, now)
    if operation.only_expired:
        if live is not None:
            return live, Outcome(live.value, live.value, RefusalReason.EXISTS)
        live = counter
    if live is None:
        return counter, _MISSING
    return None, Outcome(None, live.value)


def _can_be_stored(counter: Counter) -> bool:
    return (
        _in_range(counter.value, counter.lower, counter.upper)
        and 0 <= counter.created <= INT64_MAX
        and 0 <= counter.expires <= INT64_MAX
        and 1 <= counter.version <= LAST_VERSION
    )


def _prolonged(counter: Counter, now: int, lifetime: int) -> int:
    expires = FOREVER if lifetime == NEVER else now + lifetime
    # Never earlier than before: a machine that starts with its clock in the past must not make counters
    # expire the moment the clock is put right. Where counters expire again, those of FOREVER get a lifetime.
    if counter.expires < expires or (counter.expires == FOREVER and not counter.flags & OWNED):
        return expires
    return counter.expires


def _barred(value: int, flags: int) -> Outcome:
    """The refusal of a change that a counter's flags hold up."""
    if flags & FROZEN:
        return Outcome(value, value, RefusalReason.FROZEN)
    return Outcome(value, value, RefusalReason.LOCKED if flags & LOCKED else RefusalReason.RESTRICTED)


def _hour_of_change(before: Counter, now: int) -> tuple[int, int]:
    """``hour`` and ``base`` of a counter that changes now."""
    hour = now // HOUR_MS
    # A clock that was put back: the hours of a counter stand in the order of its changes.
    return (before.hour, before.base) if before.hour >= hour else (hour, before.value)


def _in_range(value: int, lower: int, upper: int) -> bool:
    return INT64_MIN <= value <= INT64_MAX and INT64_MIN <= lower <= 0 <= upper <= INT64_MAX
