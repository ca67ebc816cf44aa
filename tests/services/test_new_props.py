"""A site gets so many names and values of properties from browsers in a day."""

import pytest

from tallystick.model.props import encoded
from tallystick.services.ingest import new_props
from tallystick.services.ingest.new_props import DAY_S, OTHER, NewProps

NOW = 20_000 * DAY_S


def sent(props: NewProps, name: str, value: object, site: int = 1, now: int = NOW) -> str:
    return props.bounded(site, encoded({name: f"{value}"}), now)


def test_values_beyond_the_limit_are_one_value() -> None:
    props = NewProps()
    for number in range(new_props.VALUES_A_DAY):
        assert sent(props, "plan", number) == encoded({"plan": f"{number}"})
    assert sent(props, "plan", "one more") == encoded({"plan": OTHER})
    assert sent(props, "plan", 17) == encoded({"plan": "17"})
    assert sent(props, "colour", "red") == encoded({"colour": "red"})
    assert sent(props, "plan", "one more", site=2) == encoded({"plan": "one more"})


def test_names_beyond_the_limit_are_left_out() -> None:
    props = NewProps()
    for number in range(new_props.NAMES_A_DAY):
        assert sent(props, f"{number}", "x")
    assert sent(props, "one more", "x") == ""
    assert props.bounded(1, encoded({"one more": "x", "5": "y"}), NOW) == encoded({"5": "y"})


def test_the_next_day_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_props, "VALUES_A_DAY", 1)
    props = NewProps()
    assert [sent(props, "a", number, now=NOW + DAY_S - 1) for number in (1, 2)] == [
        encoded({"a": "1"}),
        encoded({"a": OTHER}),
    ]
    assert sent(props, "a", 2, now=NOW + DAY_S) == encoded({"a": "2"})


def test_what_is_known_changes_nothing() -> None:
    props, text = NewProps(), encoded({"a": "1"})
    assert not props.knows(1, text, NOW)
    props.bounded(1, text, NOW)
    assert props.knows(1, text, NOW + 1)
    assert not props.knows(2, text, NOW)
    assert not props.knows(1, text, NOW + DAY_S)
    assert not props.knows(1, encoded({"a": "2"}), NOW)


def test_no_properties_take_no_memory() -> None:
    props = NewProps()
    assert props.bounded(1, "", NOW) == ""
    assert props.remembered == 0


def test_memory_is_limited_and_the_site_that_sent_none_for_longest_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_props, "REMEMBERED", 100)
    props = NewProps()
    for number in range(1_000):
        sent(props, f"{number % 7}", number, site=number % 50)
        sent(props, "a", "b", site=1_000)
        assert props.remembered <= 100
    assert props.knows(1_000, encoded({"a": "b"}), NOW)
    assert not props.knows(950 % 50, encoded({f"{0 % 7}": "0"}), NOW)
