"""Origins, as browsers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.origin import browser_origin


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://example.com", "https://example.com"),
        ("https://example.com/", "https://example.com"),
        (" HTTPS://Example.COM ", "https://example.com"),
        ("https://example.com:443", "https://example.com"),
        ("https://example.com:0443/", "https://example.com"),
        ("https://example.com:", "https://example.com"),
        ("http://example.com:80", "http://example.com"),
        ("http://example.com:443", "http://example.com:443"),
        ("https://example.com:8443", "https://example.com:8443"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://BÜCHER.example:443", "https://xn--bcher-kva.example"),
        ("https://bu\u0308cher.example", "https://xn--bcher-kva.example"),
        ("https://straße.example", "https://xn--strae-oqa.example"),
        ("https://例え.example", "https://xn--r8jz45g.example"),
        ("https://☃.example", "https://xn--n3h.example"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://a_b.example", "https://a_b.example"),
        ("https://[2001:DB8:0::1]:443", "https://[2001:db8::1]"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_one_form(text: str, origin: str) -> None:
    assert browser_origin(text) == origin
    assert browser_origin(origin) == origin


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "example.com", "ftp://example.com", "https://", "https:///", "https://example.com/a"),
        *("https://example.com?", "https://example.com#", "https://me@example.com", "https://example.com:x"),
        *("https://example.com:99999", "https://a b", "https://[::1", "https://[x]", "https://" + "a" * 300),
        *("https://\u200b", "https://a..\u00fc", "javascript:alert(1)"),
    ],
)
def test_what_is_no_origin(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        browser_origin(text)


@given(st.text(max_size=40))
def test_any_text_is_an_origin_in_its_one_form_or_refused(text: str) -> None:
    for written in (text, f"https://{text}", f"http://a.{text}:80"):
        try:
            origin = browser_origin(written)
        except ValueError:
            continue
        assert browser_origin(origin) == origin
        assert origin.isascii()
