"""Filters are written as people write them, and read back as the same lists."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.dimension_names import DIMENSIONS, WIRE_GOAL
from tallystick.model.filter_text import parse_filter
from tallystick.model.filter_words import words_of

ROWS: list[tuple[list[Any], str]] = [
    ([], ""),
    ([["is", "visit:source", ["Google"]]], "source is Google"),
    ([["is_not", "event:page", ["/a", "/b c"]]], 'page is not /a, "/b c"'),
    ([["contains", "event:page", ["blog"], {"case_sensitive": False}]], "page contains blog ignoring case"),
    ([["is", "event:props:paid by", ['a"b\\c']]], 'prop:"paid by" is "a\\"b\\\\c"'),
    (
        [["is", "visit:country", ["DE"]], ["or", [["is", "event:goal", ["A"]], ["is", "event:name", ["and"]]]]],
        'country is DE and (goal is A or event is "and")',
    ),
    (
        [["not", ["and", [["is", "event:page", ["/"]], ["matches", "event:page", ["^/a"]]]]]],
        'not (page is / and page matches "^/a")',
    ),
    ([["has_not_done", ["is", "event:name", ["Signup"]]]], "has not done (event is Signup)"),
]


@pytest.mark.parametrize(("filters", "words"), ROWS)
def test_filters_are_written_as_people_write_them(filters: list[Any], words: str) -> None:
    assert words_of(filters) == words


names = st.sampled_from([*DIMENSIONS.values(), WIRE_GOAL]) | st.text(min_size=1, max_size=20).map(
    lambda key: f"event:props:{key}"
)
values = st.lists(st.text(max_size=20), min_size=1, max_size=3)
comparisons = st.tuples(st.sampled_from(["is", "is_not", "contains", "contains_not"]), names, values).map(
    list
) | st.tuples(st.sampled_from(["is", "contains"]), names, values, st.just({"case_sensitive": False})).map(list)
filters = st.recursive(
    comparisons,
    lambda inner: (
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)).map(list)
        | st.tuples(st.sampled_from(["not", "has_done", "has_not_done"]), inner).map(list)
    ),
    max_leaves=6,
)


@given(filters)
def test_what_is_written_is_read_back(lists: list[Any]) -> None:
    assert parse_filter(words_of([lists])) == lists


@pytest.mark.parametrize("lists", [["is"], ["is", "event:page"], "x", ["near", "event:page", ["/"]]])
def test_what_is_no_filter_is_refused(lists: Any) -> None:
    with pytest.raises(ValueError, match="no filter"):
        words_of([lists])
