"""Filters as people write them."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.dimension_names import DIMENSIONS, OTHER_NAMES, TIMES, filtered_by, grouped_by, name_of, plain
from tallystick.model.filter_text import DEEPEST, LONGEST, OPERATORS, parse_filter

GOOGLE = ["is", "visit:source", ["Google"]]
PAGE = ["is", "event:page", ["/a"]]
BLOG = ["contains", "event:page", ["blog"]]
ANY_CASE = {"case_sensitive": False}


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("source is Google", GOOGLE),
        ("  source   is   Google  ", GOOGLE),
        ("SOURCE Is Google", GOOGLE),
        ('source is "Google"', GOOGLE),
        ("source is Hacker  News", ["is", "visit:source", ["Hacker News"]]),
        ("source is Direct / None", ["is", "visit:source", ["Direct / None"]]),
        ('source is ""', ["is", "visit:source", [""]]),
        ("page is /a, /b", ["is", "event:page", ["/a", "/b"]]),
        ('page is "/a,b","c \\" \\\\ \\d", /d', ["is", "event:page", ["/a,b", 'c " \\ \\d', "/d"]]),
        ("page is not /a", ["is_not", "event:page", ["/a"]]),
        ("page is notable", ["is", "event:page", ["notable"]]),
        ("page contains blog", BLOG),
        ("page does not contain blog", ["contains_not", "event:page", ["blog"]]),
        ("page matches ^/blog/[0-9]+$", ["matches", "event:page", ["^/blog/[0-9]+$"]]),
        ('page does  not  match "(a|b)"', ["matches_not", "event:page", ["(a|b)"]]),
        ("source=Google", GOOGLE),
        ("source==Google", GOOGLE),
        ("source = Google", GOOGLE),
        ("page!=/a", ["is_not", "event:page", ["/a"]]),
        ("page~blog", BLOG),
        ("page !~ blog", ["contains_not", "event:page", ["blog"]]),
        ("page is /a?b=c~d", ["is", "event:page", ["/a?b=c~d"]]),
        ("source is google ignoring case", ["is", "visit:source", ["google"], ANY_CASE]),
        ('source is "a", b IGNORING  CASE', ["is", "visit:source", ["a", "b"], ANY_CASE]),
        ("source is Google and page is /a", ["and", [GOOGLE, PAGE]]),
        ("source=Google and page=/a or page~blog", ["or", [["and", [GOOGLE, PAGE]], BLOG]]),
        ("page~blog or source=Google AND page=/a", ["or", [BLOG, ["and", [GOOGLE, PAGE]]]]),
        ("(page~blog or source=Google) and page=/a", ["and", [["or", [BLOG, GOOGLE]], PAGE]]),
        ("((source is Google))", GOOGLE),
        ("not (source is Google)", ["not", GOOGLE]),
        ("not(source=Google or not (page=/a))", ["not", ["or", [GOOGLE, ["not", PAGE]]]]),
        ("has done (page is /a)", ["has_done", PAGE]),
        ("has not done (page is /a) and source is Google", ["and", [["has_not_done", PAGE], GOOGLE]]),
        ("source is and-or, orange, android", ["is", "visit:source", ["and-or", "orange", "android"]]),
        ("event is Outbound Link: Click", ["is", "event:name", ["Outbound Link: Click"]]),
        ("utm campaign is a", ["is", "visit:utm_campaign", ["a"]]),
        ("utm_campaign is a", ["is", "visit:utm_campaign", ["a"]]),
        ("Campaign is a", ["is", "visit:utm_campaign", ["a"]]),
        ("next-page is /a", ["is", "event:next_page", ["/a"]]),
        ("os is Linux", ["is", "visit:os", ["Linux"]]),
        ("entry host is example.com", ["is", "visit:entry_page_hostname", ["example.com"]]),
        ("goal is Signup", ["is", "event:goal", ["Signup"]]),
        ('goal is "Visit /a", b', ["is", "event:goal", ["Visit /a", "b"]]),
        ("goal contains sign ignoring case", ["contains", "event:goal", ["sign"], ANY_CASE]),
        ("has done (goal=Signup)", ["has_done", ["is", "event:goal", ["Signup"]]]),
        ("prop:plan is pro", ["is", "event:props:plan", ["pro"]]),
        ("Prop:Plan is not pro, Free", ["is_not", "event:props:Plan", ["pro", "Free"]]),
        (
            'prop:plan=pro and prop:"a, \\"b\\" is" ~ x',
            ["and", [["is", "event:props:plan", ["pro"]], ["contains", 'event:props:a, "b" is', ["x"]]]],
        ),
        ("prop:event:props:x-y.z matches ^a", ["matches", "event:props:event:props:x-y.z", ["^a"]]),
        ('prop:x is ""', ["is", "event:props:x", [""]]),
        ('segment is "Germans on phones"', ["is", "segment", ["Germans on phones"]]),
        ("segment is 3, Buyers", ["is", "segment", [3, "Buyers"]]),
        ("not (segment = 3) and goal=x", ["and", [["not", ["is", "segment", [3]]], ["is", "event:goal", ["x"]]]]),
    ],
)
def test_a_filter_is_read(text: str, parsed: list[object]) -> None:
    assert parse_filter(text) == parsed


OPERATOR = 'expected "is", "is not", "contains", "does not contain", "matches" or "does not match"'
FILTER = "expected a filter such as: source is Google. Several values are separated by commas: page is /a, /b"
FORGOTTEN = 'expected "and" or "or" before the next filter, or double quotes around the value'
IN_QUOTES = 'expected a value in double quotes where it has parentheses or quotes (\\")'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"character 1 (the end): {FILTER}"),
        ("  /a", f"character 3 (/a): {FILTER}"),
        ("page is /a or /b", f"character 15 (/b): {FILTER}"),
        ("page is /a and", f"character 15 (the end): {FILTER}"),
        ("()", f"character 2 ()): {FILTER}"),
        (
            "prop: is x",
            'character 6 (is x): expected the name of a property after "prop:", in double quotes if it has blanks',
        ),
        ('prop:"" is x', "character 6: prop: is followed by the name of a property, of at most 300 bytes: prop:plan"),
        (f"prop:{'ä' * 151} is x", "character 6: prop: is followed by the name of a property"),
        ("prop:plan", f"character 10 (the end): {OPERATOR}"),
        ("prop:a b is x", f"character 8 (b is x): {OPERATOR}"),
        (
            "segment is not x",
            'character 9 (is not x): a segment takes "is" only; its opposite is: not (segment is NAME)',
        ),
        ("segment ~ x", 'character 9 (~ x): a segment takes "is" only'),
        ("segment is x ignoring case", 'character 14 (ignoring case): expected "and", "or" or the end'),
        ("sorce is Google", 'character 1: there is no "sorce": did you mean "source"?'),
        (
            "page=/a and brwser version = 1",
            'character 13: there is no "brwser version": did you mean "browser version"?',
        ),
        ("Xyzzy", 'character 1: there is no "Xyzzy": names are page, event, host'),
        ("day is 2026-01-01", 'character 1: "day" is no filter: the period of a question says when'),
        ("page", f"character 5 (the end): {OPERATOR}"),
        ("page /a", f"character 6 (/a): {OPERATOR}"),
        ("page does contain blog", f"character 6 (does contain blog): {OPERATOR}"),
        ("page isn't /a", f"character 6 (isn't /a): {OPERATOR}"),
        ("page is", 'character 8 (the end): expected a value after "is"'),
        ("page is   not", 'character 14 (the end): expected a value after "is not"'),
        ("page is /a,", 'character 12 (the end): expected a value after ","'),
        ("page is and source is Google", 'character 9 (and source is Google): expected a value after "is"'),
        ("page is (none)", 'character 9 ((none)): expected a value after "is"'),
        ("page matches a(b)", f"character 15 ((b)): {IN_QUOTES}"),
        ('page is a"b"', f'character 10 ("b"): {IN_QUOTES}'),
        ('page is "/a', 'character 9 ("/a): expected a second " at the end of the value'),
        ('page is "/a" b', 'character 14 (b): expected "and", "or" or the end'),
        ("page matches a{1,2}", "character 17 (,2}): expected double quotes around a value with commas or braces"),
        ("page is /a source is Google", f"character 19 (is Google): {FORGOTTEN}"),
        ("page=/a source=Google", f"character 9 (source=Google): {FORGOTTEN}"),
        ("page matches a ignoring case", "character 16 (ignoring case): expressions have no"),
        ("not page is /a", 'character 5 (page is /a): expected "(" after "not"'),
        ("has done page is /a", 'character 10 (page is /a): expected "(" after "has done"'),
        ("has not done", 'character 13 (the end): expected "(" after "has not done"'),
        ("(page is /a", 'character 12 (the end): expected "and", "or" or ")"'),
        ("page is /a)", 'character 11 ()): expected "and", "or" or the end'),
        ("page is /a) or source is somewhere else", "character 11 () or source is somew…): expected"),
        ("page is " + "a" * LONGEST, "a filter has at most 4,000 characters"),
        ("(" * DEEPEST + "(page=/a)" + ")" * DEEPEST, "character 21 ((page=/a)"),
    ],
)
def test_a_message_says_where_and_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        parse_filter(text)


def test_bounds_are_the_last_that_are_accepted() -> None:
    assert parse_filter("(" * DEEPEST + "page=/a" + ")" * DEEPEST) == PAGE
    assert parse_filter("page=" + "a" * (LONGEST - 5))


@given(st.text('()",=~! andorpageishasdone\\{}\n', max_size=60) | st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_filter(text)
    except ValueError as refused:
        assert "character " in str(refused)  # noqa: PT017  # most texts are refused


# A filter as text, in every spelling.

WORDS = {wire: [words for words, each in OPERATORS.items() if each == wire] for wire in OPERATORS.values()}
BARE = st.from_regex(r"\A[/a-zA-Z0-9.?=~^$*+\[\]|:;_-]{1,8}\Z").filter(
    lambda word: word.lower() not in {"and", "or", "ignoring", "not"}
)
VALUES = BARE | st.text(max_size=8)


@st.composite
def comparisons(draw: st.DrawFn, dimensions: tuple[str, ...] = tuple(DIMENSIONS.values())) -> list[object]:
    operator = draw(st.sampled_from([*WORDS]))
    parts: list[object] = [operator, draw(st.sampled_from(dimensions)), draw(st.lists(VALUES, min_size=1, max_size=3))]
    return [*parts, ANY_CASE] if not operator.startswith("matches") and draw(st.booleans()) else parts


def _joined(parts: st.SearchStrategy[list[object]]) -> st.SearchStrategy[list[object]]:
    return st.one_of(
        st.builds(
            lambda name, each: [name, each], st.sampled_from(["and", "or"]), st.lists(parts, min_size=2, max_size=3)
        ),
        st.builds(lambda name, each: [name, each], st.sampled_from(["not", "has_done", "has_not_done"]), parts),
    )


def printed(draw: st.DrawFn, parsed: Any) -> str:
    name = parsed[0]
    if name in {"and", "or"}:
        parts = [(each[0], printed(draw, each)) for each in parsed[1]]
        # "and" binds tighter: only what binds as loosely as its surroundings, or looser, needs parentheses.
        loose = {"and", "or"} if name == "and" else {"or"}
        word = f" {draw(st.sampled_from([name, name.upper()]))} "
        return word.join(f"({text})" if kind in loose else text for kind, text in parts)
    if name in {"not", "has_done", "has_not_done"}:
        return f"{name.replace('_', draw(st.sampled_from([' ', '  '])))} ({printed(draw, parsed[1])})"
    operator = draw(st.sampled_from(WORDS[name]))
    blank = draw(st.sampled_from(["", " "])) if operator in {"=", "==", "!=", "~", "!~"} else " "
    spelled = name_of(parsed[1]).replace(" ", draw(st.sampled_from([" ", "_", "-"])))
    values = ", ".join(_value(draw, value) for value in parsed[2])
    return f"{spelled}{blank}{operator}{blank or ' '}{values}{' ignoring case' if parsed[3:] else ''}"


def _value(draw: st.DrawFn, value: str) -> str:
    bare = value and all(each.isascii() and (each.isalnum() or each in "/.?=~^$*+[]|:;_-") for each in value)
    if bare and value.lower() not in {"and", "or", "not"} and draw(st.booleans()):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.recursive(comparisons(), _joined, max_leaves=8), st.data())
def test_a_filter_printed_as_text_is_read_back(parsed: list[object], data: st.DataObject) -> None:
    text = data.draw(st.composite(printed)(parsed))
    if len(text) <= LONGEST:
        assert parse_filter(text) == parsed


# Names.


@pytest.mark.parametrize("name", [*DIMENSIONS, *TIMES, *OTHER_NAMES])
def test_every_name_is_known_in_every_spelling(name: str) -> None:
    wire = grouped_by(name)
    assert {grouped_by(name.replace(" ", each).upper()) for each in "_-"} == {wire}
    assert name_of(wire) == plain(name)
    if plain(name) not in TIMES:
        assert filtered_by(name) == wire


def test_a_name_that_is_grouped_by_is_suggested() -> None:
    with pytest.raises(ValueError, match='there is no "weekdays": did you mean "weekday"\\?'):
        grouped_by("weekdays")
    assert name_of("visit:other") == "visit:other"
