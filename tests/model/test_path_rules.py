"""Which pages a rule counts under one path, and which rules there can be."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.path import clean_path
from tallystick.model.path_rules import (
    LONGEST_PATH_RULE,
    PATH_RULES_AT_MOST,
    PathRules,
    normal_path_rules,
    path_rule_problem,
)


@pytest.mark.parametrize(
    ("rule", "gathered", "others"),
    [
        (
            "/orders/*",
            ["/orders/17", "/Orders/x?tab=2", "/orders/*"],
            ["/orders", "/orders/17/pdf", "/a/orders/17", ""],
        ),
        ("/orders/*/pdf", ["/orders/17/pdf", "/orders/17/PDF"], ["/orders/17", "/orders/17/18/pdf", "/orders/17/pdf2"]),
        ("/docs/**", ["/docs/a", "/docs/a/b/c", "/DOCS/A#b"], ["/docs", "/docs2/a"]),
        ("/*/docs/**", ["/de/docs/a/b"], ["/de/docs", "/docs/a/b", "/de/at/docs/a"]),
        ("/search?*", ["/search?q=x", "/search?"], ["/search", "/searching", "/search/a?q=x"]),
        ("/a-*-z", ["/a--z", "/a-b-z", "/A-b-c-Z"], ["/a-z", "/a-/-z"]),
        ("/über/*", ["/%C3%9Cber/17", "/über/x", "/ÜBER/%C3%9F"], ["/uber/17"]),
        ("/%C3%BCber/*", ["/über/17"], ["/ober/17"]),
        ("/a.c/*", ["/a.c/1"], ["/abc/1"]),
    ],
)
def test_a_rule_gathers_what_fits_it(rule: str, gathered: list[str], others: list[str]) -> None:
    assert path_rule_problem(rule) == ""
    rules = PathRules([rule])
    assert [rules.name_of(path) for path in gathered] == [rule] * len(gathered)
    assert [rules.name_of(path) for path in others] == [None] * len(others)


def test_the_first_rule_that_fits_applies() -> None:
    paths = ["/shop/sale/1", "/shop/x/1"]
    assert [PathRules(["/shop/sale/*", "/shop/**"]).name_of(path) for path in paths] == ["/shop/sale/*", "/shop/**"]
    assert [PathRules(["/shop/**", "/shop/sale/*"]).name_of(path) for path in paths] == ["/shop/**"] * 2


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("", "must begin with /"),
        ("https://example.com/*", "must begin with /"),
        ("/about", "must have a *"),
        ("/*", "must not gather all paths"),
        ("/*/**", "must not gather all paths"),
        ("/**/a", "can have ** as its last part only"),
        ("/a**", "can have ** as its last part only"),
        ("/a/***", "can have ** as its last part only"),
        ("/a*b*", "can have one *"),
        ("/a/*" + "x" * LONGEST_PATH_RULE, "must be shorter than 500"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rule: str, problem: str) -> None:
    (normal,) = normal_path_rules([rule])
    assert path_rule_problem(normal).startswith(problem)


def test_rules_are_stored_in_one_spelling_and_once() -> None:
    given_rules = [" orders/*/ ", "/Orders/*", "/docs/**", "/docs/*", "/%C3%BCber/*", "/über/*"]
    assert normal_path_rules(given_rules) == ("/orders/*", "/docs/**", "/docs/*", "/%C3%BCber/*")


@given(st.lists(st.text("/a*%2Ü?#", max_size=12), max_size=4), st.text("/a*%2ü?#", max_size=30))
def test_any_text_has_one_name_and_that_name_stays(texts: list[str], path: str) -> None:
    rules = PathRules(rule for rule in normal_path_rules(texts) if not path_rule_problem(rule))
    name = rules.name_of(clean_path(path))
    assert name is None or rules.name_of(name) is not None


def test_matching_takes_time_by_length_only() -> None:
    hostile = PathRules(f"/{'a*/' * 120}{number}" for number in range(PATH_RULES_AT_MOST))
    begun = time.process_time()
    assert hostile.name_of("/" + "a/" * 120 + "x") is None
    assert hostile.name_of("/" + "a" * 2_047) is None
    assert time.process_time() - begun < 0.5
