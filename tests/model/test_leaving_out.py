"""Rules for paths, hosts and campaigns that a site leaves out."""

import re

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.leaving_out import (
    campaign_expression,
    campaign_problem,
    country_problem,
    host_expression,
    host_problem,
    normal_path_rule,
    path_expression,
    path_problem,
)


@pytest.mark.parametrize(
    ("rule", "fitting", "others"),
    [
        ("/admin", ["/admin", "/Admin"], ["/admin/x", "/administration", "/x/admin", "/admin?a=b", "/admin\n"]),
        ("/admin/*", ["/admin/", "/admin/x", "/admin/x/y?z", "/ADMIN/x"], ["/admin", "/x/admin/y"]),
        ("/admin*", ["/admin", "/admin/x", "/administration"], ["/x/admin"]),
        ("*.php", ["/a.php", "/b/c.php", "/a.PHP"], ["/a.php5", "/axphp"]),
        ("*wp-*", ["/wp-login", "/x/wp-"], ["/wp"]),
        ("/", ["/"], ["/a"]),
        ("/de/über", ["/de/über", "/de/%C3%BCber"], ["/de/uber"]),
        ("/de/%C3%BCber*", ["/de/über/x", "/de/%C3%BCber"], []),
        ("/a[b](c)|.{2}^$\\", ["/a[b](c)|.{2}^$\\"], ["/ab", "/a"]),
    ],
)
def test_paths(rule: str, fitting: list[str], others: list[str]) -> None:
    expression = re.compile(path_expression([rule]))
    assert [path for path in fitting if not expression.fullmatch(path)] == []
    assert [path for path in others if expression.fullmatch(path)] == []


@pytest.mark.parametrize(
    ("rule", "fitting", "others"),
    [
        ("example.com", ["example.com"], ["www.example.com", "a.example.com", "examplexcom", "example.com.evil.test"]),
        ("*.example.com", ["a.example.com", "b.a.example.com"], ["example.com", "aexample.com", ".example.com"]),
        ("localhost", ["localhost"], ["localhost.example.com"]),
    ],
)
def test_hosts(rule: str, fitting: list[str], others: list[str]) -> None:
    expression = re.compile(host_expression([rule]))
    assert [host for host in fitting if not expression.fullmatch(host)] == []
    assert [host for host in others if expression.fullmatch(host)] == []


signs = st.text("/*.?ab%Ü|()[]{}\\^$+- \n\"'<>", min_size=1, max_size=6)


@given(rules=st.lists(signs, min_size=1, max_size=3), path=signs)
def test_the_warehouse_understands_expressions_as_python_does(rules: list[str], path: str) -> None:
    for expression in (path_expression(rules), host_expression(rules), campaign_expression(rules)):
        (found,) = duckdb.execute("SELECT regexp_matches(?, ?)", [path, expression]).fetchone() or (None,)
        assert found == (re.compile(expression).fullmatch(path) is not None)


@given(text=st.text(max_size=20) | signs)
def test_cleaning_a_rule_twice_changes_nothing(text: str) -> None:
    assert normal_path_rule(normal_path_rule(text)) == normal_path_rule(text)


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("/admin", ""),
        ("/", ""),
        ("*.php", ""),
        ("/a*", ""),
        ("*a*", ""),
        ("", "must not be all paths"),
        ("*", "must not be all paths"),
        ("/*", "must not be all paths"),
        ("**", "must not be all paths"),
        ("/a*b", "can have * at the beginning and at the end only"),
        ("/a**", "can have * at the beginning and at the end only"),
        ("admin*", "must begin with / or *"),
        ("https://example.com/admin", "must be paths without https:// and host"),
        ("/" + "a" * 2_048, "must be shorter than 2048 characters"),
    ],
)
def test_problems_of_paths(rule: str, problem: str) -> None:
    found = path_problem(rule)
    assert found.startswith(problem)
    assert bool(found) == bool(problem)


@pytest.mark.parametrize("host", ["example.com", "*.example.com", "localhost", "127.0.0.1", "a_b.example", "*.com"])
def test_hosts_that_can_be_left_out(host: str) -> None:
    assert not host_problem(host)


@pytest.mark.parametrize(
    "host", ["", "*", "*.", "a b", "a/b", "https://example.com", "a.*.example.com", "*a.example.com", "é", "a" * 64]
)
def test_hosts_that_cannot_be_left_out(host: str) -> None:
    assert host_problem(host).startswith("must be host names, such as")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("spring letter", ""),
        ("*", ""),
        ("a" * 2_048, ""),
        ("", "must be names of campaigns, such as spring-letter"),
        ("a" * 2_049, "must be shorter than 2049 characters"),
    ],
)
def test_problems_of_campaigns(name: str, problem: str) -> None:
    assert campaign_problem(name) == problem


def test_countries_are_codes() -> None:
    assert [code for code in ("NL", "US") if country_problem(code)] == []
    assert [code for code in ("", "nl", "USA", "N1", "NL\n") if not country_problem(code)] == []
