"""Properties as one canonical text."""

import json
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.props import decoded, encoded, is_too_long, texts_of

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.dictionaries(texts, texts, max_size=6))
def test_what_was_encoded_is_decoded(props: dict[str, str]) -> None:
    text = encoded(props)
    assert decoded(text) == props
    assert json.loads(text or "{}") == props


def test_equal_properties_are_equal_texts() -> None:
    orders = permutations({"plan": "pro", "é": 'a"b', "Plan": ""}.items())
    assert {encoded(dict(order)) for order in orders} == {'{"Plan":"","plan":"pro","é":"a\\"b"}'}


def test_no_properties_are_an_empty_text() -> None:
    assert encoded({}) == ""
    assert decoded("") == {}


def test_values_become_texts_and_what_is_none_is_left_out() -> None:
    values = {"a": "b", "n": 1, "f": 0.5, "t": True, "none": None, "list": ["x"], "object": {}, " ": "x", "blank": " "}
    assert texts_of(values) == {"a": "b", "n": "1", "f": "0.5", "t": "true"}


def test_the_first_thirty_are_taken() -> None:
    values: dict[str, object] = {"none": None, **{f"{number}": number for number in range(50)}}
    assert list(texts_of(values)) == [f"{number}" for number in range(30)]


def test_limits_are_bytes() -> None:
    assert not is_too_long("x" * 300, "ü" * 1_000)
    assert not is_too_long("😀" * 75, "x" * 2_000)
    assert is_too_long("x" * 301, "")
    assert is_too_long("ü" * 151, "")
    assert is_too_long("", "ü" * 1_001)


@given(st.dictionaries(st.text(max_size=5), st.one_of(st.text(max_size=5), st.integers(), st.floats(), st.none())))
def test_any_texts_can_be_stored(values: dict[str, object]) -> None:
    props = texts_of(values)
    assert decoded(encoded(props)) == props
    assert "\0" not in "".join([*props, *props.values()])
