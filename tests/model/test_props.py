"""Properties as one canonical text."""

import json
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.props import decoded, encoded

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
