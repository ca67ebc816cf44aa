"""The rules by which a counter changes, as rows."""

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from builders import NOW, a_counter, an_expired_counter
from tallystick.model.counter import (
    HIT,
    HOUR_MS,
    INT64_MAX,
    INT64_MIN,
    LAST_VERSION,
    LIFETIME_MS,
    Add,
    Counter,
    Create,
    Delete,
    Operation,
    Outcome,
    Put,
    RefusalReason,
    Renew,
    Set,
    alive,
    apply,
    would_create,
)

RENEWED = NOW + LIFETIME_MS


@dataclass(frozen=True)
class Row:
    """One operation on one counter; ``after`` is None where nothing is left or nothing may change."""

    name: str
    before: Counter | None
    operation: Operation
    outcome: Outcome
    after: Counter | None = None


HOUR = NOW // HOUR_MS


def changed(  # noqa: PLR0913  # the fields of a counter
    value: int,
    *,
    lower: int = -1,
    upper: int = 1,
    resettable: bool = False,
    created: int = a_counter().created,
    base: int = 4,
) -> Counter:
    """``a_counter`` after its first change, just now; its value was ``base``."""
    return Counter(value, lower, upper, resettable, created, RENEWED, version=2, hour=HOUR, base=base)


def fresh(value: int, *, lower: int = -1, upper: int = 1, resettable: bool = False, base: int | None = None) -> Counter:
    """A counter made just now; ``base`` is the value that it was made with, where that is another."""
    made_with = value if base is None else base
    return Counter(value, lower, upper, resettable, NOW, RENEWED, version=1, hour=HOUR, base=made_with)


def refused(reason: RefusalReason, value: int | None) -> Outcome:
    return Outcome(value, value, reason)


REFUSED = [
    Row("add to nothing", None, Add(1), refused(RefusalReason.MISSING, None)),
    Row("add to an expired one", an_expired_counter(), Add(1), refused(RefusalReason.MISSING, None)),
    Row("set nothing", None, Set(5), refused(RefusalReason.MISSING, None)),
    Row("set nothing by force", None, Set(5, forced=True), refused(RefusalReason.MISSING, None)),
    Row("set an expired one", an_expired_counter(), Set(5, forced=True), refused(RefusalReason.MISSING, None)),
    Row("delete nothing", None, Delete(), refused(RefusalReason.MISSING, None)),
    Row("delete an expired one", an_expired_counter(), Delete(), refused(RefusalReason.MISSING, None)),
    Row("sweep nothing", None, Delete(only_expired=True), refused(RefusalReason.MISSING, None)),
    Row("sweep a living one", a_counter(4), Delete(only_expired=True), refused(RefusalReason.EXISTS, 4)),
    Row("add more than upper", a_counter(4), Add(2), refused(RefusalReason.OUT_OF_BOUNDS, 4)),
    Row("add less than lower", a_counter(4), Add(-2), refused(RefusalReason.OUT_OF_BOUNDS, 4)),
    Row("hit where upper is 0", a_counter(4, upper=0), HIT, refused(RefusalReason.OUT_OF_BOUNDS, 4)),
    Row("subtract where lower is 0", a_counter(4, lower=0), Add(-1), refused(RefusalReason.OUT_OF_BOUNDS, 4)),
    Row("create by an amount beyond 0..1", None, Add(2, creates=True), refused(RefusalReason.OUT_OF_BOUNDS, None)),
    Row(
        "revive by an amount beyond 0..1",
        an_expired_counter(),
        Add(-1, creates=True),
        refused(RefusalReason.OUT_OF_BOUNDS, None),
    ),
    Row("add past the top", a_counter(INT64_MAX), Add(1), refused(RefusalReason.OUT_OF_RANGE, INT64_MAX)),
    Row("subtract past the bottom", a_counter(INT64_MIN), Add(-1), refused(RefusalReason.OUT_OF_RANGE, INT64_MIN)),
    Row(
        "add the whole range to a positive value",
        a_counter(1, upper=INT64_MAX),
        Add(INT64_MAX),
        refused(RefusalReason.OUT_OF_RANGE, 1),
    ),
    Row("set one that may not be reset", a_counter(4), Set(9), refused(RefusalReason.NOT_RESETTABLE, 4)),
    Row("set past the top", a_counter(4, resettable=True), Set(2**63), refused(RefusalReason.OUT_OF_RANGE, 4)),
    Row("set past the bottom", a_counter(4), Set(-(2**63) - 1, forced=True), refused(RefusalReason.OUT_OF_RANGE, 4)),
    Row("create one that exists", a_counter(4), Create(9), refused(RefusalReason.EXISTS, 4)),
    Row("create past the top", None, Create(2**63), refused(RefusalReason.OUT_OF_RANGE, None)),
    Row("create with lower above 0", None, Create(lower=1), refused(RefusalReason.OUT_OF_RANGE, None)),
    Row("create with upper below 0", None, Create(upper=-1), refused(RefusalReason.OUT_OF_RANGE, None)),
    Row(
        "create with lower past the bottom", None, Create(lower=-(2**63) - 1), refused(RefusalReason.OUT_OF_RANGE, None)
    ),
    Row("create with upper past the top", None, Create(upper=2**63), refused(RefusalReason.OUT_OF_RANGE, None)),
    Row("import over one that exists", a_counter(4), Put(a_counter(9)), refused(RefusalReason.EXISTS, 4)),
    Row("import a value past the top", None, Put(a_counter(2**63)), refused(RefusalReason.OUT_OF_RANGE, None)),
    Row(
        "import a value past the top over one that exists",
        a_counter(4),
        Put(a_counter(2**63), replaces=True),
        refused(RefusalReason.OUT_OF_RANGE, 4),
    ),
    Row("import bounds that exclude 0", None, Put(a_counter(lower=1)), refused(RefusalReason.OUT_OF_RANGE, None)),
    Row("import version 0", None, Put(a_counter(version=0)), refused(RefusalReason.OUT_OF_RANGE, None)),
    Row(
        "import the version after the last",
        None,
        Put(a_counter(version=LAST_VERSION + 1)),
        refused(RefusalReason.OUT_OF_RANGE, None),
    ),
    Row(
        "import a creation past the top", None, Put(a_counter(created=2**63)), refused(RefusalReason.OUT_OF_RANGE, None)
    ),
    Row(
        "import an expiry past the top", None, Put(a_counter(expires=2**63)), refused(RefusalReason.OUT_OF_RANGE, None)
    ),
    Row("import an expiry before 1970", None, Put(a_counter(expires=-1)), refused(RefusalReason.OUT_OF_RANGE, None)),
]

CHANGED = [
    Row("hit nothing", None, HIT, Outcome(1, None, created=True), fresh(1, lower=0, base=0)),
    Row(
        "hit an expired one: a new life",
        an_expired_counter(),
        HIT,
        Outcome(1, None, created=True),
        fresh(1, lower=0, base=0),
    ),
    Row("hit one that exists", a_counter(4), HIT, Outcome(5, 4), changed(5)),
    Row("hit in the last millisecond", a_counter(4, expires=NOW + 1), HIT, Outcome(5, 4), changed(5)),
    Row("add the upper bound", a_counter(4, upper=9), Add(9), Outcome(13, 4), changed(13, upper=9)),
    Row("add the lower bound", a_counter(4, lower=-9), Add(-9), Outcome(-5, 4), changed(-5, lower=-9)),
    Row("add 0: it renews", a_counter(4, expires=NOW + 1), Add(0), Outcome(4, 4), changed(4)),
    Row(
        "add up to the top",
        a_counter(INT64_MAX - 1),
        Add(1),
        Outcome(INT64_MAX, INT64_MAX - 1),
        changed(INT64_MAX, base=INT64_MAX - 1),
    ),
    Row(
        "subtract down to the bottom",
        a_counter(INT64_MIN + 1),
        Add(-1),
        Outcome(INT64_MIN, INT64_MIN + 1),
        changed(INT64_MIN, base=INT64_MIN + 1),
    ),
    Row(
        "add the whole range to 0",
        a_counter(0, upper=INT64_MAX),
        Add(INT64_MAX),
        Outcome(INT64_MAX, 0),
        changed(INT64_MAX, upper=INT64_MAX, base=0),
    ),
    Row(
        "set one that may be reset",
        a_counter(4, resettable=True),
        Set(-9),
        Outcome(-9, 4),
        changed(-9, resettable=True),
    ),
    Row("set another by force", a_counter(4), Set(9, forced=True), Outcome(9, 4), changed(9)),
    Row(
        "set the top",
        a_counter(4, resettable=True),
        Set(INT64_MAX),
        Outcome(INT64_MAX, 4),
        changed(INT64_MAX, resettable=True),
    ),
    Row(
        "set the bottom",
        a_counter(4, resettable=True),
        Set(INT64_MIN),
        Outcome(INT64_MIN, 4),
        changed(INT64_MIN, resettable=True),
    ),
    Row(
        "create",
        None,
        Create(5, lower=-3, upper=8, resettable=True),
        Outcome(5, None, created=True),
        fresh(5, lower=-3, upper=8, resettable=True),
    ),
    Row("create over an expired one", an_expired_counter(), Create(), Outcome(0, None, created=True), fresh(0)),
    Row(
        "create the widest",
        None,
        Create(INT64_MIN, lower=INT64_MIN, upper=INT64_MAX),
        Outcome(INT64_MIN, None, created=True),
        fresh(INT64_MIN, lower=INT64_MIN, upper=INT64_MAX),
    ),
    Row("import", None, Put(a_counter(9, version=6)), Outcome(9, None, created=True), a_counter(9, version=6)),
    Row(
        "import over an expired one",
        an_expired_counter(version=9),
        Put(a_counter(9, version=6)),
        Outcome(9, None, created=True),
        a_counter(9, version=6),
    ),
    Row(
        "import over one that exists",
        a_counter(4, version=3),
        Put(a_counter(9, version=6), replaces=True),
        Outcome(9, 4),
        replace(a_counter(9, version=6), base=4),
    ),
    Row(
        "import an older state: the version still rises",
        a_counter(4, version=8),
        Put(a_counter(9, version=6), replaces=True),
        Outcome(9, 4),
        replace(a_counter(9, version=9), base=4),
    ),
    Row(
        "import the last version",
        None,
        Put(a_counter(version=LAST_VERSION)),
        Outcome(0, None, created=True),
        a_counter(version=LAST_VERSION),
    ),
]

REMOVED = [
    Row("delete", a_counter(4), Delete(), Outcome(None, 4)),
    Row("sweep an expired one", an_expired_counter(7), Delete(only_expired=True), Outcome(None, 7)),
]


def named(row: Row) -> str:
    return row.name


@pytest.mark.parametrize("row", REFUSED, ids=named)
def test_a_refused_operation_says_why_and_changes_nothing(row: Row) -> None:
    after, outcome = apply(row.before, row.operation, NOW)
    assert outcome == row.outcome
    assert after is row.before


@pytest.mark.parametrize("row", CHANGED + REMOVED, ids=named)
def test_an_operation_does_what_it_says(row: Row) -> None:
    assert apply(row.before, row.operation, NOW) == (row.after, row.outcome)


def test_a_counter_lives_up_to_its_last_millisecond() -> None:
    assert alive(a_counter(expires=NOW + 1), NOW) == a_counter(expires=NOW + 1)
    assert alive(a_counter(expires=NOW), NOW) is None
    assert alive(None, NOW) is None


@pytest.mark.parametrize("operation", [HIT, Set(5, forced=True)])
def test_a_clock_that_was_set_back_does_not_shorten_a_life(operation: Operation) -> None:
    after, _ = apply(a_counter(4, expires=RENEWED), operation, NOW - 10 * LIFETIME_MS)
    assert after is not None
    assert after.expires == RENEWED


@pytest.mark.parametrize("operation", [HIT, Set(5, forced=True), Put(a_counter(5), replaces=True)])
def test_an_hour_begins_with_its_first_change(operation: Operation) -> None:
    later, _ = apply(a_counter(4), operation, NOW + HOUR_MS)
    assert later is not None
    assert (later.hour, later.base, later.value) == (HOUR + 1, 4, 5)
    again, _ = apply(later, Add(1), NOW + 2 * HOUR_MS - 1)
    assert again is not None
    assert (again.hour, again.base, again.value) == (HOUR + 1, 4, 6)


def test_a_clock_that_was_set_back_begins_no_hour() -> None:
    after, _ = apply(a_counter(4), HIT, NOW - HOUR_MS)
    assert after is not None
    assert (after.hour, after.base) == (HOUR, 4)


def test_a_renewal_is_no_change_of_the_value() -> None:
    after, _ = apply(a_counter(4), Renew(LIFETIME_MS), NOW + HOUR_MS)
    assert after is not None
    assert (after.hour, after.base) == (HOUR, 4)


def test_a_public_counter_lives_182_and_a_half_days() -> None:
    assert LIFETIME_MS == 15_770_000 * 1_000


@pytest.mark.parametrize("before", [None, an_expired_counter()])
def test_hit_and_create_make_a_counter_that_is_missing(before: Counter | None) -> None:
    assert would_create(before, HIT, NOW)
    assert would_create(before, Create(), NOW)
    assert not would_create(before, Add(1), NOW)
    assert not would_create(before, Set(1), NOW)
    assert not would_create(before, Delete(), NOW)


@pytest.mark.parametrize("operation", [HIT, Create()])
def test_nothing_makes_a_counter_that_exists(operation: Operation) -> None:
    assert not would_create(a_counter(), operation, NOW)
