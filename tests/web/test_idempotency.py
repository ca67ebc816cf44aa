"""How a request's key is written."""

import pytest

from tallystick.errors import InputRefused
from tallystick.web.idempotency import key_in

WRITTEN = [
    ("8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324"),
    ('"8e03978e-40d5-43e8-bc93-6894a57f9324"', "8e03978e-40d5-43e8-bc93-6894a57f9324"),
    ("  a\t", "a"),
    ("a,b;c", "a,b;c"),
    ('a"b', 'a"b'),
    ('"two words"', "two words"),
    (r'"a\"b\\c"', r'a"b\c'),
    ("k" * 255, "k" * 255),
    ('"' + r"\\" * 255 + '"', "\\" * 255),
]


@pytest.mark.parametrize(("header", "key"), WRITTEN)
def test_a_key_is_quoted_or_bare(header: str, key: str) -> None:
    assert key_in(header) == key


@pytest.mark.parametrize(
    "header", ["", " ", '""', '"', '"a', '"a"b', '"a";q=1', r'"a\b"', "a b", "a, b", "ä", "a\x00", '"a\x7f"', "k" * 256]
)
def test_anything_else_is_no_key(header: str) -> None:
    with pytest.raises(InputRefused, match="1 to 255 visible"):
        key_in(header)


@pytest.mark.parametrize(
    ("header", "key"), [("monday's hits", "monday's hits"), ("é", "é"), ('"a b"', "a b"), ("a", "a")]
)
def test_any_printable_text_may_stand_bare_where_a_surface_allows_it(header: str, key: str) -> None:
    assert key_in(header, bare_texts=True) == key
