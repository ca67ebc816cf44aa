"""Values for tests: what a test does not name is ordinary."""

from tallystick.model.counter import HOUR_MS, LIFETIME_MS, Counter
from tallystick.model.key import Key

NOW = 1_800_000_000_000
"""The time at which tests without a clock of their own happen."""


def a_counter(  # noqa: PLR0913  # the fields of a counter
    value: int = 0,
    *,
    lower: int = -1,
    upper: int = 1,
    resettable: bool = False,
    created: int = NOW - 1_000,
    expires: int = NOW + LIFETIME_MS - 1_000,
    version: int = 1,
) -> Counter:
    """A living counter, as ``create`` makes it."""
    return Counter(value, lower, upper, resettable, created, expires, version, hour=NOW // HOUR_MS, base=value)


def an_expired_counter(value: int = 7, *, version: int = 3) -> Counter:
    """A counter whose lifetime ended this very millisecond."""
    return a_counter(value, expires=NOW, version=version)


def a_key(key: str = "visits", namespace: str = "example.com") -> Key:
    """A key in one namespace."""
    return Key(namespace, key)
