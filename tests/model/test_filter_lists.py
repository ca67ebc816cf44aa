"""Filters as nested lists."""

from typing import Any

import msgspec
import pytest
from hypothesis import given

from questions.worlds import CONDITIONS
from tallystick.model.dimension_names import DIMENSIONS
from tallystick.model.dimensions import BROWSER, CAMPAIGN, EVENT_NAME, PAGE, QUESTION_DIMENSIONS, SOURCE
from tallystick.model.filter_lists import DEEPEST, filter_of, lists_of, stored_filter_of
from tallystick.model.filter_text import parse_filter
from tallystick.model.question import AllOf, AnyOf, FilterExpression, HasDone, Match, Not, Operator
from tallystick.model.shown_values import with_shown_values
from tallystick.services.analytics.display_names import country_by_name
from tallystick.services.inquiries.names import vocabulary


@given(condition=CONDITIONS)
def test_a_filter_is_the_same_after_it_was_written_as_json(condition: FilterExpression) -> None:
    assert stored_filter_of(msgspec.json.decode(msgspec.json.encode(lists_of(condition)))) == condition


def test_every_name_stands_for_a_dimension_of_its_own() -> None:
    wires = set(DIMENSIONS.values()) - {"visit:country_name"}
    known = [filter_of(["is", wire, ["x"]], country_by_name()) for wire in wires]
    dimensions = [match.dimension for match in known if isinstance(match, Match)]
    assert sorted(each.name for each in dimensions) == sorted(each.name for each in QUESTION_DIMENSIONS)


def test_names_mean_what_they_mean_in_queries() -> None:
    of_queries = vocabulary(extended=True).dimensions
    for wire in DIMENSIONS.values():
        match = filter_of(["is", wire, ["x"]], country_by_name())
        assert isinstance(match, Match)
        assert match.dimension == of_queries[wire].grouping


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("page is /a, /b", Match(dimension=PAGE, values=("/a", "/b"))),
        ("event is not Click", Match(dimension=EVENT_NAME, values=("Click",), negated=True)),
        (
            "source ~ goo ignoring case or campaign is Spring",
            AnyOf(
                (
                    Match(
                        dimension=with_shown_values(SOURCE), operator=Operator.CONTAINS, values=("goo",), caseless=True
                    ),
                    Match(dimension=with_shown_values(CAMPAIGN), values=("Spring",)),
                )
            ),
        ),
        (
            "not (browser matches ^H) and has not done (page is /)",
            AllOf(
                (
                    Match(
                        dimension=with_shown_values(BROWSER), operator=Operator.MATCHES, values=("^H",), negated=True
                    ),
                    Not(HasDone(Match(dimension=PAGE, values=("/",)))),
                )
            ),
        ),
    ],
)
def test_filters_that_people_write_are_understood(text: str, condition: FilterExpression) -> None:
    assert filter_of(parse_filter(text), country_by_name()) == condition


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ("page", "a filter is a list such as"),
        ([], "a filter is a list such as"),
        (["is"], "a filter is a list such as"),
        (["is", "event:page", "/"], "a filter is a list such as"),
        (["and", ["is", "event:page", ["/"]]], "a filter is a list such as"),
        (["is", "event:page", ["/"], {}], "a filter is a list such as"),
        (["is", "event:page", ["/"], {"case_sensitive": 1}], "a filter is a list such as"),
        (["is", "event:page", ["/"], {"case_sensitive": True, "x": 1}], "a filter is a list such as"),
        (["not", []], "a filter is a list such as"),
        ([["is", "event:page", ["/"]]], "a filter is a list such as"),
        (["equals", "event:page", ["/"]], "there is no operator 'equals'; operators are is, is_not, contains"),
        (["is", "event:goal", ["/"]], "there is no filter on 'event:goal'; there are event:page, event:name"),
        (["is", "event:page", [None]], "the filter on page has a value that is no text"),
        (["is", "event:page", [True]], "the filter on page has a value that is no text"),
    ],
)
def test_what_is_no_filter_is_refused(lists: Any, said: str) -> None:
    with pytest.raises(ValueError, match="^" + said):
        filter_of(lists, country_by_name())


def test_filters_are_not_nested_without_end() -> None:
    lists: Any = ["is", "event:page", ["/"]]
    for _ in range(DEEPEST):
        lists = ["not", lists]
    filter_of(lists, country_by_name())
    with pytest.raises(ValueError, match=r"^filters can be nested 200 deep$"):
        filter_of(["not", lists], country_by_name())


def test_levels_that_mean_nothing_are_left_out() -> None:
    page, source = ["is", "event:page", ["/"]], ["is", "visit:source", ["x"]]
    both = filter_of(["and", [page, source]], country_by_name())
    assert (
        filter_of(["and", [["and", [["or", [page]]]], ["and", [["not", ["not", source]]]]]], country_by_name()) == both
    )
    either = filter_of(["or", [page, source]], country_by_name())
    assert filter_of(["not", ["and", [["not", page], ["not", ["or", [source]]]]]], country_by_name()) == either
    only = AllOf((AllOf((filter_of(page, country_by_name()),)),))
    assert stored_filter_of(lists_of(only)) == only
