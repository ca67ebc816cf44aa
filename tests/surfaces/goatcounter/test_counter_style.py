"""What is left of a ``style`` that anyone may put into a link."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.surfaces.goatcounter.visitor_counter.style import LONGEST, safe_style

KEPT = [
    ("#gcvc-by { display: none }", "#gcvc-by { display: none; }"),
    ("div{COLOR:Red!important;fill:#fff}", "div { color: Red !important; fill: #fff; }"),
    ("a, b > c { margin: -1px auto 0 .5em }", "a, b > c { margin: -1px auto 0 .5em; }"),
    ("#gcvc { font: bold 12px/1.5 'Open Sans', serif }", "#gcvc { font: bold 12px/1.5 'Open Sans', serif; }"),
    ("#gcvc { width: calc(100% - (2 * 4px)) }", "#gcvc { width: calc(100% - (2 * 4px)); }"),
    ("a { color: rgb(1 2 3 / 50%) } b { rx: 3 }", "a { color: rgb(1 2 3 / 50%); }\nb { rx: 3; }"),
    ("color: red", "body, #gcvc { color: red; }"),
    ("/* why */ a { color: /* not */ red }", "a { color: red; }"),
    ("@import 'x'; a { color: red }", "a { color: red; }"),
]


@pytest.mark.parametrize(("css", "expected"), KEPT)
def test_harmless_rules_are_kept(css: str, expected: str) -> None:
    assert safe_style(css).replace(" !important", "!important") == expected.replace(" !important", "!important")


DROPPED = [
    "a { background: url(http://x.example/) }",
    "a { background: URL (x) }",
    "a { background: u\\72l(x) }",
    "a { background: image-set('x' 1x) }",
    "a { background: -webkit-image-set('x' 1x) }",
    "a { color: var(--x) }",
    "a { color: attr(x) }",
    "a { position: fixed }",
    "a { behavior: x }",
    "a { -moz-binding: x }",
    "a { --own: x }",
    "a { content: 'x' }",
    "a { color: expression(alert) }",
    "a { color: red</style><script>alert(1)</script> }",
    "</style><script>alert(1)</script> a { color: red }",
    "a[href^='x'] { color: red }",
    "a { color: 'red }",
    "a { color: red /* }",
    "a { color",
    "a } color: red",
    "@media print { a { color: red } }",
    "@font-face { font-family: x; src: url(x) }"[:34] + " }",
    "a { color: }",
    "",
]


@pytest.mark.parametrize("css", DROPPED)
def test_everything_else_is_dropped(css: str) -> None:
    assert safe_style(css) == ""


@pytest.mark.parametrize("css", ["a { color: red; background: url(x) }", "a { background: url(';'); color: red }"])
def test_what_is_dropped_leaves_the_rest(css: str) -> None:
    assert safe_style(css) == "a { color: red; }"


PIECES = [
    "a",
    "#gcvc",
    "{",
    "}",
    ";",
    ":",
    "color",
    "font",
    "red",
    "url(",
    ")",
    "(",
    "'",
    '"',
    "\\",
    "/*",
    "*/",
    "@",
    "<",
    "&",
    "--",
]


@given(st.one_of(st.text(max_size=LONGEST), st.lists(st.sampled_from(PIECES), max_size=60).map("".join)))
def test_nothing_loads_anything_or_leaves_its_element(css: str) -> None:
    left = safe_style(css)
    assert not set("<&\\@") & set(left)
    assert left.isascii()
    assert "/*" not in left
    assert "url" not in left.lower() or "url(" not in left.lower().replace(" ", "")
    assert re.sub(r"[^{}]", "", left) in {"", *("{}" * amount for amount in range(1, LONGEST))}


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_what_is_safe_stays_as_it_is(css: str) -> None:
    left = safe_style(css)
    assert not left or safe_style(left) == left
