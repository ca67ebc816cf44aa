"""Addresses of statistics: what is viewed comes back from the address that is made of it."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.errors import InputRefused
from tallystick.model.dimension_names import DIMENSIONS
from tallystick.surfaces.dashboard.analytics.view import OPPOSITES, Chip, View, is_filter, values_of, view_of

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
values = texts.filter(bool) | st.sampled_from(
    ["!x", "~x", "=x", "*x", "!~x", "a,b", "\\", "\\,", ",", "a\\", "+", "&=#%", "\n"]
)
names = st.sampled_from(sorted(DIMENSIONS)) | st.sampled_from(["prop:plan", "prop:paid by", "goal", "segment"])
chips = st.builds(Chip, names, st.sampled_from(sorted(OPPOSITES)), st.lists(values, min_size=1, max_size=4).map(tuple))
views = st.builds(
    View,
    period=st.sampled_from(["28d", "today", "2026-03", "2026-03-01..2026-03-09", "2026-03-10T14:00..2026-03-10T14:59"]),
    compare=st.sampled_from(["previous", "year", "off", "2026-01-01..2026-01-28"]),
    match_weekdays=st.booleans(),
    by=st.sampled_from(["", "day", "week"]),
    graph=st.sampled_from(["visitors", "bounce_rate"]),
    chips=st.lists(chips, max_size=5).map(tuple),
    expression=texts.map(str.strip),
    text=texts.map(str.strip),
    lists=st.sampled_from([(), ("entry-pages",), ("channels", "regions")]),
)


@given(views)
def test_an_address_says_everything_that_is_viewed(view: View) -> None:
    assert view_of(parse_qsl(view.query, keep_blank_values=True)) == view


@pytest.mark.parametrize(
    ("query", "chip"),
    [
        ("page=/blog", Chip("page", "is", ("/blog",))),
        ("entry_page=!/blog", Chip("entry page", "is_not", ("/blog",))),
        ("page=~blog", Chip("page", "contains", ("blog",))),
        ("page=!~blog", Chip("page", "contains_not", ("blog",))),
        ("page=*^/a$", Chip("page", "matches", ("^/a$",))),
        ("page=!*^/a$", Chip("page", "matches_not", ("^/a$",))),
        ("page==~odd", Chip("page", "is", ("~odd",))),
        ("country=DE,NL", Chip("country", "is", ("DE", "NL"))),
        ("page=/a\\,b", Chip("page", "is", ("/a,b",))),
        ("prop:plan=pro", Chip("prop:plan", "is", ("pro",))),
    ],
)
def test_filters_of_addresses(query: str, chip: Chip) -> None:
    assert view_of(parse_qsl(query)).chips == (chip,)


def test_the_usual_view_has_no_query() -> None:
    assert View().at("/sites/example.com") == "/sites/example.com"
    assert view_of([]) == View()


def test_addresses_are_readable() -> None:
    view = View(period="7d").filtered("source", "Hacker News").filtered("page", "/blog/a", "contains")
    assert view.query == "period=7d&source=Hacker+News&page=~/blog/a"


def test_a_filter_on_the_same_dimension_replaces_the_one_before() -> None:
    view = View().filtered("source", "Google").filtered("page", "/a").filtered("source", "Bing")
    assert view.chips == (Chip("page", "is", ("/a",)), Chip("source", "is", ("Bing",)))


def test_filters_on_the_wire() -> None:
    view = View(
        chips=(
            Chip("page", "contains", ("blog",)),
            Chip("country", "is_not", ("DE",)),
            Chip("segment", "is", ("3",)),
            Chip("goal", "is_not", ("Signup",)),
        ),
        expression="source is Google or source is Bing",
    )
    assert view.filters == [
        ["contains", "event:page", ["blog"], {"case_sensitive": False}],
        ["is_not", "visit:country", ["DE"]],
        ["is", "segment", [3]],
        ["has_not_done", ["is", "event:goal", ["Signup"]]],
        ["or", [["is", "visit:source", ["Google"]], ["is", "visit:source", ["Bing"]]]],
    ]


@pytest.mark.parametrize("name", ["done", "time", "day", "add", "find", "from", "access-token", "prop:", "", "period"])
def test_other_parameters_are_no_filters(name: str) -> None:
    assert not is_filter(name)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("compare=tomorrow", "compare: 'tomorrow' is not one of previous, year, off"),
        ("graph=money", "graph: 'money' is not one of visitors"),
        ("&".join(["page=/a"] * 21), "at most 20 filters"),
        ("page=" + "x" * 3_000, "at most 2,048 characters"),
    ],
)
def test_refused_addresses(query: str, message: str) -> None:
    with pytest.raises(InputRefused, match=message):
        view_of(parse_qsl(query))


def test_values_between_commas() -> None:
    assert values_of("a,b\\,c,,d\\") == ("a", "b,c", "", "d\\")
