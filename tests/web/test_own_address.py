"""Under which address this server is reached, with and without proxies in between."""

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.web.address import ClientAddresses
from tallystick.web.own_address import OwnAddress, is_own_origin, locate

PROXIES = ClientAddresses((ip_network("127.0.0.0/8"),))


def a_scope(*headers: tuple[str, str], peer: str | None = "127.0.0.1", scheme: str = "http") -> dict[str, Any]:
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return {"client": None if peer is None else (peer, 1), "scheme": scheme, "headers": raw}


HOST = ("Host", "count.example.com")
PROTO, FORWARDED_HOST, FORWARDED = "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded"


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ([], "http://count.example.com"),
        ([(PROTO, "https")], "https://count.example.com"),
        ([(PROTO, "HTTPS")], "https://count.example.com"),
        ([(PROTO, "https,http")], "https://count.example.com"),
        ([(PROTO, " https , http")], "https://count.example.com"),
        ([(PROTO, "https"), (PROTO, "http")], "https://count.example.com"),
        ([(PROTO, "http, https")], "http://count.example.com"),
        ([(PROTO, "wss")], "https://count.example.com"),
        ([(PROTO, "ws")], "http://count.example.com"),
        ([(PROTO, "javascript")], "http://count.example.com"),
        ([(PROTO, "")], "http://count.example.com"),
        ([(FORWARDED_HOST, "stats.example.org")], "http://stats.example.org"),
        ([(PROTO, "https"), (FORWARDED_HOST, "Stats.example.org, inner:8080")], "https://stats.example.org"),
        ([(PROTO, "https"), (FORWARDED_HOST, "stats.example.org:443")], "https://stats.example.org"),
        ([(PROTO, "https"), (FORWARDED_HOST, "stats.example.org:8443")], "https://stats.example.org:8443"),
        ([(FORWARDED_HOST, "stats.example.org:80")], "http://stats.example.org"),
        ([(FORWARDED_HOST, "[2001:db8::1]:8080")], "http://[2001:db8::1]:8080"),
        ([(FORWARDED_HOST, "a b")], "http://count.example.com"),
        ([(FORWARDED_HOST, 'x"><script>')], "http://count.example.com"),
        ([(FORWARDED, "proto=https")], "https://count.example.com"),
        ([(FORWARDED, "for=192.0.2.1;proto=https;host=stats.example.org")], "https://stats.example.org"),
        ([(FORWARDED, 'Proto="https"; HOST="stats.example.org:8443"')], "https://stats.example.org:8443"),
        ([(FORWARDED, "proto=https;host=a.example, proto=http;host=b.example")], "https://a.example"),
        ([(FORWARDED, "proto=https"), (FORWARDED, "proto=http")], "https://count.example.com"),
        ([(FORWARDED, 'for="[2001:db8::1]:4711";proto=https')], "https://count.example.com"),
        ([(FORWARDED, "nonsense;=;proto")], "http://count.example.com"),
        ([(PROTO, "https"), (FORWARDED, "proto=http;host=b.example")], "https://b.example"),
    ],
)
def test_what_a_trusted_proxy_says_is_believed(headers: list[tuple[str, str]], origin: str) -> None:
    assert OwnAddress(PROXIES).origin(a_scope(HOST, *headers)) == origin
    assert OwnAddress(PROXIES).origin(a_scope(HOST, *headers, peer="192.0.2.1")) == "http://count.example.com"
    assert OwnAddress(PROXIES).origin(a_scope(HOST, *headers, peer=None)) == "http://count.example.com"
    assert OwnAddress().origin(a_scope(HOST, *headers)) == "http://count.example.com"


@pytest.mark.parametrize("headers", [[], [(PROTO, "http"), (FORWARDED_HOST, "b.example")], [(FORWARDED, "proto=http")]])
def test_a_public_url_is_used_whatever_a_request_says(headers: list[tuple[str, str]]) -> None:
    own = OwnAddress(PROXIES, "https://stats.example.org")
    assert own.origin(a_scope(HOST, *headers)) == "https://stats.example.org"


@pytest.mark.parametrize(
    ("host", "scheme", "origin"),
    [
        ("Count.Example.com:8080", "http", "http://count.example.com:8080"),
        ("count.example.com:443", "https", "https://count.example.com"),
        ("count.example.com:443", "http", "http://count.example.com:443"),
        ("a b", "http", "http://localhost"),
        ("", "https", "https://localhost"),
    ],
)
def test_without_a_proxy_the_connection_and_the_host_count(host: str, scheme: str, origin: str) -> None:
    assert OwnAddress().origin(a_scope(("Host", host), scheme=scheme)) == origin


@given(st.lists(st.tuples(st.sampled_from([PROTO, FORWARDED_HOST, FORWARDED, "Host"]), st.text(max_size=40))))
def test_any_header_makes_an_origin_without_marks_of_html(headers: list[tuple[str, str]]) -> None:
    readable = [(name, value.encode("utf-8", "replace").decode("latin-1")) for name, value in headers]
    origin = OwnAddress(PROXIES).origin(a_scope(*readable))
    assert origin.startswith(("http://", "https://"))
    assert not set(origin) & set(" <>\"'\\@?#\r\n")


@pytest.mark.parametrize(
    ("origin", "ours"),
    [
        ("https://stats.example.org", True),
        ("HTTPS://Stats.example.org", True),
        ("http://count.example.com", True),
        ("https://count.example.com", True),
        ("http://stats.example.org", False),
        ("https://evil.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_which_origin_is_our_own(origin: str, ours: bool) -> None:  # noqa: FBT001
    scope = a_scope(HOST)
    locate(scope, OwnAddress(PROXIES, "https://stats.example.org"))
    assert is_own_origin(origin, scope) == ours


def test_without_a_host_no_origin_is_our_own() -> None:
    assert not is_own_origin("", a_scope())
    assert not is_own_origin("null", a_scope(("Host", "")))
