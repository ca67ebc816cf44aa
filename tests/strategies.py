"""Arbitrary counters, operations and times, biased to where rules change: bounds, edges of the range, expiry."""

from hypothesis import strategies as st

from builders import NOW
from tallystick.model.counter import (
    FOREVER,
    INT64_MAX,
    INT64_MIN,
    LIFETIME_MS,
    NEVER,
    Add,
    Counter,
    Create,
    Delete,
    Operation,
    Put,
    Renew,
    Set,
)

_edges = st.sampled_from([INT64_MIN, INT64_MIN + 1, INT64_MAX - 1, INT64_MAX])
_beyond = st.sampled_from([INT64_MIN - 1, INT64_MAX + 1, 10**40])
values = st.integers(-3, 3) | _edges
any_integers = values | _beyond
lifetimes = st.sampled_from([1, LIFETIME_MS, NEVER])


def times() -> st.SearchStrategy[int]:
    """Around NOW, at which some counters expire."""
    return st.integers(NOW - 2, NOW + 2)


@st.composite
def counters(draw: st.DrawFn) -> Counter:
    """A counter that can be stored; it may have expired, or live longer than others."""
    return Counter(
        value=draw(values),
        lower=draw(st.integers(-3, 0) | st.just(INT64_MIN)),
        upper=draw(st.integers(0, 3) | st.just(INT64_MAX)),
        resettable=draw(st.booleans()),
        created=NOW - 1_000,
        expires=draw(times() | st.sampled_from([NOW + LIFETIME_MS, NOW + 2 * LIFETIME_MS, FOREVER, INT64_MAX])),
        version=draw(st.integers(1, 5)),
    )


def operations() -> st.SearchStrategy[Operation]:
    """Any operation, also one that makes no sense."""
    return st.one_of(
        st.builds(Add, any_integers, creates=st.booleans(), lifetime=lifetimes),
        st.builds(Set, any_integers, forced=st.booleans(), lifetime=lifetimes),
        st.builds(
            Create, any_integers, lower=any_integers, upper=any_integers, resettable=st.booleans(), lifetime=lifetimes
        ),
        st.builds(Renew, lifetime=lifetimes),
        st.builds(Put, counters(), replaces=st.booleans()),
        st.builds(Delete, only_expired=st.booleans()),
    )
