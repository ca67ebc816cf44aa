"""The search for pages, with GoatCounter's words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.errors import InputRefused
from tallystick.model.filter_lists import read_filter
from tallystick.surfaces.dashboard.analytics.text_filter import WORDS, text_filter

IS_EVENT = ["is_not", "event:name", ["pageview"]]
NO_CASE = {"case_sensitive": False}


@pytest.mark.parametrize(
    ("query", "lists"),
    [
        (
            "blog in:path",
            [
                [
                    "or",
                    [
                        contains := ["contains", "event:page", ["blog"], NO_CASE],
                        ["and", [IS_EVENT, ["contains", "event:name", ["blog"], NO_CASE]]],
                    ],
                ]
            ],
        ),
        (
            ":not in:path blog",
            [["not", ["or", [contains, ["and", [IS_EVENT, ["contains", "event:name", ["blog"], NO_CASE]]]]]]],
        ),
        (
            "a.b at:start at:end in:path",
            [
                [
                    "or",
                    [
                        ["matches", "event:page", ["(?i)^a\\.b$"]],
                        ["and", [IS_EVENT, ["matches", "event:name", ["(?i)^a\\.b$"]]]],
                    ],
                ]
            ],
        ),
        ("x in:title", [["or", [["is", "event:page", ["/t"]], ["and", [IS_EVENT, ["is", "event:name", ["/t"]]]]]]]),
        ("is:event", [IS_EVENT]),
        ("is:pageview", [["is", "event:name", ["pageview"]]]),
        (":not", []),
        ("", []),
    ],
)
def test_words_mean_filters(query: str, lists: list[Any]) -> None:
    assert text_filter(query).lists(["/t"]) == lists


def test_without_a_place_paths_and_titles_are_searched() -> None:
    search = text_filter("Two  Words")
    assert search.text == "Two Words"
    assert (search.in_path, search.in_title) == (True, True)
    assert ["is", "event:page", ["/t"]] in search.lists(["/t"])[0][1]


@pytest.mark.parametrize(
    ("query", "title", "fits"),
    [
        ("hello", "Say HELLO there", True),
        ("hello at:start", "Say hello", False),
        ("hello at:end", "Say hello", True),
        ("say at:start at:end", "Say hello", False),
        ("straße", "STRASSE", True),
    ],
)
def test_titles_that_fit(query: str, title: str, *, fits: bool) -> None:
    assert text_filter(query).fits(title) is fits


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=12)).map(" ".join), st.lists(st.text(min_size=1), max_size=3))
def test_any_text_makes_filters_that_can_be_read(query: str, titled: list[str]) -> None:
    for each in text_filter(query).lists(titled):
        read_filter(each, lambda listed: listed)  # type: ignore[arg-type, return-value]


def test_a_long_search_is_refused() -> None:
    assert text_filter("x" * 500).text == "x" * 500
    with pytest.raises(InputRefused, match="at most 500 characters"):
        text_filter("x" * 501)
