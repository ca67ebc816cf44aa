"""Flags of counters with owners: what they hold up, and that such counters never expire."""

import pytest
from msgspec.structs import replace

from builders import NOW, a_counter
from tallystick.model.counter import (
    FOREVER,
    HIT,
    LOCKED,
    OWNED,
    RESTRICTED,
    Add,
    Amend,
    Counter,
    Create,
    Delete,
    Operation,
    Put,
    RefusalReason,
    Renew,
    Set,
    apply,
    apply_repeatedly,
)


def an_owned_counter(value: int = 4, flags: int = 0) -> Counter:
    return replace(a_counter(value, expires=FOREVER, resettable=True), flags=OWNED | flags)


@pytest.mark.parametrize(
    ("flags", "operation", "refused"),
    [
        (0, HIT, None),
        (0, Set(7), None),
        (LOCKED, HIT, RefusalReason.LOCKED),
        (LOCKED, Add(1, passes=RESTRICTED), RefusalReason.LOCKED),
        (LOCKED, Add(1, passes=RESTRICTED | LOCKED), None),
        (LOCKED, Set(7), RefusalReason.LOCKED),
        (LOCKED, Set(7, forced=True), None),
        (RESTRICTED, HIT, RefusalReason.RESTRICTED),
        (RESTRICTED, Add(1, passes=RESTRICTED), None),
        (RESTRICTED, Set(7), RefusalReason.RESTRICTED),
        (LOCKED | RESTRICTED, HIT, RefusalReason.LOCKED),
        (LOCKED | RESTRICTED, Add(1, passes=RESTRICTED), RefusalReason.LOCKED),
        (LOCKED, Amend(flags=OWNED), None),
        (LOCKED, Renew(1_000), None),
        (LOCKED, Put(a_counter(9), replaces=True), None),
        (0, Delete(only_expired=True), RefusalReason.EXISTS),
    ],
)
def test_what_flags_hold_up(flags: int, operation: Operation, refused: RefusalReason | None) -> None:
    before = an_owned_counter(flags=flags)
    after, outcome = apply(before, operation, NOW)
    assert outcome.refused is refused
    if refused is not None:
        assert (after, outcome.value, outcome.old_value) == (before, 4, 4)
        assert apply_repeatedly(before, operation, 3, NOW) == (before, [outcome] * 3)
        return
    assert after is not None
    assert after.expires == FOREVER
    assert after.flags & OWNED
    assert after.version > before.version


def test_many_additions_are_as_many_single_ones() -> None:
    for flags in (0, RESTRICTED, LOCKED):
        operation, single = Add(1, lifetime=5, passes=RESTRICTED), an_owned_counter(flags=flags)
        together = apply_repeatedly(single, operation, 3, NOW)
        outcomes = []
        after: Counter | None = single
        for _ in range(3):
            after, outcome = apply(after, operation, NOW)
            outcomes.append(outcome)
        assert together == (after, outcomes)


def test_a_counter_is_created_with_its_flags_and_changed() -> None:
    counter, _ = apply(None, Create(3, flags=OWNED, lifetime=1_000), NOW)
    assert counter is not None
    assert (counter.flags, counter.expires) == (OWNED, FOREVER)
    changed, _ = apply(counter, Amend(lower=-9, upper=0, resettable=True, flags=OWNED | LOCKED), NOW)
    assert changed is not None
    assert (changed.lower, changed.upper, changed.resettable, changed.flags) == (-9, 0, True, OWNED | LOCKED)
    assert apply(changed, Amend(), NOW)[0] == replace(changed, version=3)
    assert apply(changed, Amend(upper=-1), NOW)[1].refused is RefusalReason.OUT_OF_RANGE
    claimed, _ = apply(a_counter(7), Amend(flags=OWNED), NOW)
    assert claimed is not None
    assert claimed.expires == FOREVER
    assert apply(None, Amend(), NOW)[1].refused is RefusalReason.MISSING
