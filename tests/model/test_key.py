from collections import Counter

import pytest

from tallystick.model.key import LANES, Key, lane_of, legal_name


@pytest.mark.parametrize("name", ["abc", "a" * 64, "...", "A-z_0.9", "---"])
def test_a_legal_name(name: str) -> None:
    assert legal_name(name)


@pytest.mark.parametrize(
    "name", ["", "ab", "a" * 65, "a/b", "abc\n", "\nabc", "abc ", "abç", ":HOST:", "a%20b", "a\0b"]
)
def test_an_illegal_name(name: str) -> None:
    assert not legal_name(name)


def test_a_key_reads_as_its_path() -> None:
    assert str(Key("example.com", "visits")) == "example.com/visits"


def test_a_lane_never_changes() -> None:
    # Lanes are stored: another function would lose every counter there is.
    assert [lane_of(Key("example.com", key)) for key in ("visits", "about", "contact")] == [7, 10, 6]


def test_lanes_share_the_keys_evenly() -> None:
    found = Counter(lane_of(Key("example.com", f"page-{number}")) for number in range(16_000))
    assert sorted(found) == list(range(LANES))
    assert max(found.values()) < 1_300
