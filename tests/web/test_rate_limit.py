"""Windows: when they open and end, whom they admit, and that memory is bounded."""

import time
from ipaddress import ip_address
from types import SimpleNamespace

import pytest

from support.services import limits
from tallystick.errors import InvalidSetting, StartRefused
from tallystick.web import rate_limit
from tallystick.web.public_limits import CreationLimit
from tallystick.web.rate_limit import (
    UNLIMITED,
    WIDER,
    Admission,
    Rate,
    Windows,
)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The limits' own clock, standing still."""
    clock = SimpleNamespace(now=1_000.7)
    monkeypatch.setattr("tallystick.web.rate_limit.time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def a_creation_limit(per_second: int, amount: int | None = None) -> CreationLimit:
    return CreationLimit(per_second, limits(Rate("counter-creations", amount, 60)))


def test_new_counters_of_a_namespace_are_limited_for_longer() -> None:
    limit, client = a_creation_limit(0, 2), ip_address("192.0.2.1")
    assert [limit.admit(client, "example.com") for _ in range(3)] == [True, True, False]
    assert limit.admit(client, "other.com")
    assert limit.admit(ip_address("192.0.2.2"), "example.com")


def test_a_heavy_request_is_admitted_while_anything_is_left() -> None:
    windows = Windows(3, 60)
    assert [windows.admit("ada", 2).admitted for _ in range(3)] == [True, True, False]
    assert Windows(3, 60).admit("ada", 500).admitted


def test_a_window_opens_with_the_first_creation_and_lasts_a_second(clock: SimpleNamespace) -> None:
    limit, client = a_creation_limit(3), ip_address("192.0.2.1")
    admitted = []
    for moment in (1_000.7, 1_001.2, 1_001.6, 1_001.69, 1_001.7, 1_001.8, 1_001.9, 1_002.0):
        clock.now = moment
        admitted.append(limit.admit(client, "example.com"))
    assert admitted == [True, True, True, False, True, True, True, False]


def test_nobody_is_told_to_wait_longer_than_the_window(clock: SimpleNamespace) -> None:
    clock.now = 2_039.697  # 60 later the clock's numbers have a bit less behind the point
    assert Windows(1, 60).admit("ada").wait == 60


def test_each_client_has_a_window_of_its_own() -> None:
    limit = a_creation_limit(1)
    assert all(limit.admit(ip_address(f"192.0.2.{last}"), "example.com") for last in range(1, 100))


def addresses_in_memory(limit: CreationLimit) -> int:
    return len(vars(limit)["_windows"])


def test_addresses_are_forgotten() -> None:
    """They are in memory for a second or until the next creation after it, so that memory is bounded."""
    limit = a_creation_limit(1)
    for last in range(200):
        limit.admit(ip_address(f"192.0.2.{last}"), "example.com")
    deadline = time.monotonic() + 20
    assert addresses_in_memory(limit) > 1
    while addresses_in_memory(limit) > 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        limit.admit(ip_address("198.51.100.1"), "example.com")


def test_an_admission_tells_what_is_left_and_when_the_window_ends(clock: SimpleNamespace) -> None:
    windows = Windows(2, 120)
    assert windows.admit("a") == Admission(admitted=True, limit=2, left=1, reset=120)
    clock.now += 30.5
    assert windows.admit("a") == Admission(admitted=True, limit=2, left=0, reset=89.5)
    refused = windows.admit("a")
    assert refused == Admission(admitted=False, limit=2, left=0, reset=89.5)
    assert refused.wait == 90
    clock.now += 89.5
    assert windows.admit("a").left == 1


def test_windows_that_are_over_are_forgotten_when_another_opens(clock: SimpleNamespace) -> None:
    windows = Windows(1, 10)
    for number in range(5):
        windows.admit(number)
        clock.now += 4
    assert len(windows) == 3
    assert not windows.admit(4).admitted


def test_beyond_so_many_windows_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MOST_KEYS", 3)
    windows = Windows(1, 3_600)
    assert [windows.admit(key).admitted for key in "abcd"] == [True] * 4
    assert len(windows) == 3
    assert [windows.admit(key).admitted for key in "da"] == [False, True]


@pytest.mark.parametrize(
    ("rates", "name", "limit"),
    [
        ((), "count", 4),
        ((), "api", 60),
        ((), "login", 20),
        ((Rate("api", 7, 1),), "api", 7),
        ((Rate("api", 7, 1),), "export", 60),
        ((Rate("api", None, 0),), "api", UNLIMITED.limit),
        ((Rate("", None, 0),), "login", UNLIMITED.limit),
        ((Rate("", None, 0), Rate("login", 3, 60)), "login", 3),
        ((Rate("login", 3, 60), Rate("", None, 0)), "login", UNLIMITED.limit),
    ],
)
def test_the_last_word_on_a_limit_counts(rates: tuple[Rate, ...], name: str, limit: int) -> None:
    assert limits(*rates).admit(name, "someone").limit == limit


def test_a_limit_counts_by_name_and_key(clock: SimpleNamespace) -> None:
    names = tuple(limits().in_force)
    low = limits(*(Rate(name, 1, 60) for name in names))
    assert all(low.admit(name, key).admitted for name in names for key in ("a", "b"))
    assert not any(low.admit(name, key).admitted for name in names for key in ("a", "b"))
    clock.now += 60
    assert low.admit("api", "a").admitted


def test_what_is_not_limited_is_always_admitted() -> None:
    none = limits(Rate("", None, 0))
    assert all(none.admit("count", "someone") is UNLIMITED for _ in range(10))


@pytest.mark.parametrize(
    ("address", "others"),
    [
        ("192.0.2.1", ["192.0.2.1"]),
        ("2001:db8::1", ["2001:db8::ffff"]),
    ],
)
def test_the_state_of_an_addresss_limit_is_what_its_next_request_is_told(
    clock: SimpleNamespace, address: str, others: list[str]
) -> None:
    low, own = limits(Rate("unknown-token", 2, 60)), ip_address(address)
    for _ in range(2):
        assert low.address_state("unknown-token", own).admitted
        low.admit_address("unknown-token", own)
    for each in (own, *map(ip_address, others)):
        assert low.address_state("unknown-token", each) == low.admit_address("unknown-token", each)
        assert not low.address_state("unknown-token", each).admitted
    clock.now += 60
    assert low.address_state("unknown-token", own).admitted


def test_the_state_of_an_address_knows_its_wider_network() -> None:
    low = limits(Rate("unknown-token", 1, 60))
    for number in range(WIDER):
        low.admit_address("unknown-token", ip_address(f"2001:db8:0:{number}::1"))
    assert not low.address_state("unknown-token", ip_address("2001:db8:0:ffff::1")).admitted
    assert low.address_state("unknown-token", ip_address("2001:db8:1::1")).admitted
    assert limits(Rate("", None, 0)).address_state("unknown-token", None) is UNLIMITED


def test_a_limit_that_no_surface_declares_cannot_be_set() -> None:
    with pytest.raises(InvalidSetting, match=r"there is no limit called 'pixel'; names are keyed, counter-creations, "):
        limits(Rate("pixel", 1, 1))


def test_two_surfaces_cannot_declare_one_limit() -> None:
    with pytest.raises(StartRefused, match="two surfaces declare the rate limit api"):
        rate_limit.RateLimits([Rate("api", 1, 1), Rate("api", 2, 1)])
