"""What holds for every counter, every operation and every moment."""

from hypothesis import given
from hypothesis import strategies as st

from strategies import counters, operations, times
from tallystick.model.counter import (
    FOREVER,
    INT64_MAX,
    INT64_MIN,
    NEVER,
    Add,
    Counter,
    Delete,
    Operation,
    Put,
    Renew,
    Set,
    alive,
    apply,
    apply_repeatedly,
    would_create,
)

maybe_counters = st.none() | counters()


@given(st.lists(operations(), max_size=20), times())
def test_the_value_never_leaves_64_bits(steps: list[Operation], now: int) -> None:
    counter: Counter | None = None
    for operation in steps:
        counter, outcome = apply(counter, operation, now)
        if counter is not None:
            assert INT64_MIN <= counter.value <= INT64_MAX
        if outcome.value is not None:
            assert INT64_MIN <= outcome.value <= INT64_MAX


@given(maybe_counters, operations(), st.integers(0, 5), times())
def test_an_operation_applied_repeatedly_does_what_it_does_one_after_the_other(
    before: Counter | None, operation: Operation, repetitions: int, now: int
) -> None:
    counter, outcomes = before, []
    for _ in range(repetitions):
        counter, outcome = apply(counter, operation, now)
        outcomes.append(outcome)
    assert apply_repeatedly(before, operation, repetitions, now) == (counter, outcomes)


@given(maybe_counters, operations(), times())
def test_a_refused_operation_changes_nothing_and_tells_the_present_value(
    before: Counter | None, operation: Operation, now: int
) -> None:
    after, outcome = apply(before, operation, now)
    if outcome.refused:
        living = alive(before, now)
        present = living.value if living else None
        assert after is before
        assert (outcome.value, outcome.old_value, outcome.created) == (present, present, False)


@given(maybe_counters, operations(), times())
def test_a_successful_operation_tells_the_values_before_and_after(
    before: Counter | None, operation: Operation, now: int
) -> None:
    after, outcome = apply(before, operation, now)
    if outcome.refused is None:
        assert after is not before
        assert outcome.value == (after.value if after else None)
        swept = isinstance(operation, Delete) and operation.only_expired
        living = before if swept else alive(before, now)
        assert outcome.old_value == (living.value if living else None)
        assert outcome.created == (living is None and after is not None)


@given(maybe_counters, operations(), times())
def test_the_version_rises_by_one(before: Counter | None, operation: Operation, now: int) -> None:
    after, outcome = apply(before, operation, now)
    if outcome.refused is not None or after is None:
        return
    living = alive(before, now)
    if isinstance(operation, Put):
        assert after.version >= operation.counter.version
        assert living is None or after.version > living.version
    else:
        assert after.version == (living.version + 1 if living else 1)


@given(maybe_counters, operations(), times())
def test_bounds_and_creation_time_stay(before: Counter | None, operation: Operation, now: int) -> None:
    after, outcome = apply(before, operation, now)
    living = alive(before, now)
    if living and after and not outcome.refused and not isinstance(operation, Put):
        assert (after.lower, after.upper, after.resettable, after.created) == (
            living.lower,
            living.upper,
            living.resettable,
            living.created,
        )


@given(maybe_counters, operations(), times())
def test_only_what_would_create_creates(before: Counter | None, operation: Operation, now: int) -> None:
    _, outcome = apply(before, operation, now)
    if outcome.created and not isinstance(operation, Put):
        assert would_create(before, operation, now)


@given(maybe_counters, operations(), times())
def test_no_change_brings_the_end_of_a_living_counter_nearer(
    before: Counter | None, operation: Operation, now: int
) -> None:
    after, outcome = apply(before, operation, now)
    living = alive(before, now)
    if living and after and isinstance(operation, Add | Set | Renew) and not outcome.refused:
        renewed = FOREVER if operation.lifetime == NEVER else now + operation.lifetime
        # One that never expired expires again where counters do.
        assert after.expires == (renewed if living.expires == FOREVER else max(living.expires, renewed))
