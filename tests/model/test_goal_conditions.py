"""Goals as filters."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tallystick.model.dimensions import EVENT_NAME, PAGE, prop
from tallystick.model.goal import Goal
from tallystick.model.goal_conditions import (
    EVENTS_ONLY,
    PAGEVIEWS_ONLY,
    condition_of,
    conditions_of,
    escaped,
    page_expression,
)
from tallystick.model.question import AllOf, AnyOf, FilterExpression, Match, Operator


def a_goal(**fields: object) -> Goal:
    return Goal(site=1, name="a goal", **fields)  # type: ignore[arg-type]


ONE_PAGE = Match(dimension=PAGE, values=("/thanks",), caseless=True, sites=(1,))
LIKE = Match(dimension=PAGE, operator=Operator.MATCHES, values=(r"^/blog/[^/]*$",), caseless=True, sites=(1,))
SIGNUP = Match(dimension=EVENT_NAME, values=("Signup",), caseless=True, sites=(1,))


@pytest.mark.parametrize(
    ("goal", "condition"),
    [
        (a_goal(page="/thanks"), AllOf((ONE_PAGE, PAGEVIEWS_ONLY))),
        (a_goal(page="/blog/*"), AllOf((LIKE, PAGEVIEWS_ONLY))),
        (a_goal(event="Signup"), AllOf((SIGNUP, EVENTS_ONLY))),
        (
            a_goal(event="Signup", props=(("plan", "pro"), ("via", "/a"))),
            AllOf(
                (
                    SIGNUP,
                    EVENTS_ONLY,
                    Match(dimension=prop("plan"), values=("pro",)),
                    Match(dimension=prop("via"), values=("/a",)),
                )
            ),
        ),
    ],
)
def test_a_goal_is_a_filter_of_one_hit(goal: Goal, condition: FilterExpression) -> None:
    assert condition_of(goal) == condition
    assert conditions_of([goal]) == condition


def test_several_goals_are_compared_together() -> None:
    pro = a_goal(event="Signup", props=(("plan", "pro"),))
    elsewhere = replace(a_goal(page="/a"), site=2)
    goals = [
        a_goal(page="/a"),
        a_goal(event="x"),
        pro,
        a_goal(page="/b"),
        a_goal(event="y"),
        a_goal(page="/c/**"),
        elsewhere,
    ]
    assert conditions_of(goals) == AnyOf(
        (
            condition_of(pro),
            AllOf((Match(dimension=PAGE, values=("/a", "/b"), caseless=True, sites=(1,)), PAGEVIEWS_ONLY)),
            AllOf(
                (
                    Match(dimension=PAGE, operator=Operator.MATCHES, values=("^/c/.*$",), caseless=True, sites=(1,)),
                    PAGEVIEWS_ONLY,
                )
            ),
            AllOf((Match(dimension=EVENT_NAME, values=("x", "y"), caseless=True, sites=(1,)), EVENTS_ONLY)),
            AllOf((Match(dimension=PAGE, values=("/a",), caseless=True, sites=(2,)), PAGEVIEWS_ONLY)),
        )
    )
    assert conditions_of([]) == AnyOf(())


@pytest.mark.parametrize(
    ("pattern", "found", "missed"),
    [
        ("/blog/*", ["/blog/a", "/blog/a.b-c"], ["/blog", "/blog/a/b", "/x/blog/a", "/blogs/a"]),
        ("/blog/**", ["/blog/a", "/blog/a/b"], ["/blog", "/x/blog/a"]),
        ("/**/end", ["/a/end", "/a/b/end"], ["/end", "/a/end/b"]),
        ("/a*b/", ["/ab", "/axb"], ["/a/b", "/axbc"]),
        ("**", ["/", "/a/b"], []),
        ("/***x", ["/x", "/a/b/cx"], ["/x/y"]),
        ("/a.b+(c)*", ["/a.b+(c)", "/a.b+(c)d"], ["/aXb+(c)", "/a.bb(c)"]),
    ],
)
def test_a_star_stands_for_anything_but_a_slash_and_two_for_anything(
    pattern: str, found: list[str], missed: list[str]
) -> None:
    expression = re.compile(page_expression(pattern))
    assert [path for path in (*found, *missed) if expression.search(path)] == found


@given(text=st.text())
def test_an_escaped_text_is_found_and_nothing_else(text: str) -> None:
    assert re.fullmatch(escaped(text), text)
    assert not re.fullmatch(escaped(text), text + "x")
