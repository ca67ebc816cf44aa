"""Who sent a request, with and without proxies in between."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.web.address import ClientAddresses, rate_limit_name

TRUSTED = (ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def found(peer: str | None, *forwarded: str, trusted: tuple[str, ...] = ()) -> str | None:
    networks = tuple(map(ip_network, trusted)) or TRUSTED
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    scope = {"client": None if peer is None else (peer, 4711), "headers": [(b"host", b"x"), *headers]}
    address = ClientAddresses(networks).of(scope)
    return None if address is None else str(address)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.1"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.1, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.1,198.51.100.1,10.0.0.2, 127.0.0.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.1", "198.51.100.1"], "198.51.100.1"),  # a repeated header is one list
        ("10.0.0.1", ["198.51.100.1", "10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["198.51.100.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["198.51.100.1:80"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::1]:80"], "2001:db8::1"),
        ("10.0.0.1", ["[2001:db8::1]"], "2001:db8::1"),
        ("10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["", " , "], "10.0.0.1"),
        ("fd12::1", ["2001:db8::1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("::1", ["198.51.100.1"], "::1"),
        ("fe80::1%eth0", [], "fe80::1"),
        ("not an address", ["198.51.100.1"], None),
        (None, ["198.51.100.1"], None),
    ],
)
def test_the_client_is_the_rightmost_address_that_is_no_proxy_of_ours(
    peer: str | None, forwarded: list[str], client: str | None
) -> None:
    assert found(peer, *forwarded) == client


def test_without_trusted_proxies_the_header_means_nothing() -> None:
    scope = {"client": ("127.0.0.1", 1), "headers": [(b"x-forwarded-for", b"198.51.100.1")]}
    assert ClientAddresses().of(scope) == ip_address("127.0.0.1")


@pytest.mark.parametrize("name", ["X-Real-IP", "x-real-ip", "CF-Connecting-IP"])
@pytest.mark.parametrize(
    ("peer", "sent", "client"),
    [
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", " 198.51.100.1 ", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.9, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("192.0.2.1", "198.51.100.1", "192.0.2.1"),
    ],
)
def test_a_proxy_may_name_the_client_in_another_header(name: str, peer: str, sent: str | None, client: str) -> None:
    own = [] if sent is None else [(name.lower().encode(), sent.encode())]
    # A client can write X-Forwarded-For itself, and such a proxy passes it on.
    scope = {"client": (peer, 1), "headers": [(b"x-forwarded-for", b"203.0.113.7"), *own]}
    assert ClientAddresses(TRUSTED, name).of(scope) == ip_address(client)


BY_UNIX_SOCKET = [
    ([], None),
    (["198.51.100.1"], "198.51.100.1"),
    (["203.0.113.7, 198.51.100.1"], "198.51.100.1"),
    (["203.0.113.7", "198.51.100.1"], "198.51.100.1"),
    (["203.0.113.7, nonsense"], None),
    (["198.51.100.1, 10.0.0.2"], "198.51.100.1"),
    (["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
    (["[2001:db8::1]:4711"], "2001:db8::1"),
]


@pytest.mark.parametrize(("forwarded", "client"), BY_UNIX_SOCKET)
def test_a_peer_on_a_unix_socket_is_a_proxy(forwarded: list[str], client: str | None) -> None:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    scope = {"client": None, "server": ("/run/http.sock", None), "headers": headers}
    addresses = ClientAddresses(TRUSTED)
    assert addresses.is_proxy(scope)
    assert addresses.of(scope) == (client and ip_address(client))


@pytest.mark.parametrize("server", [None, ("127.0.0.1", 8080)])
def test_a_peer_without_an_address_is_no_proxy_elsewhere(server: tuple[str, int] | None) -> None:
    scope = {"client": None, "server": server, "headers": [(b"x-forwarded-for", b"198.51.100.1")]}
    assert ClientAddresses(TRUSTED).of(scope) is None
    assert not ClientAddresses(TRUSTED).is_proxy(scope)


@given(header=st.binary(max_size=60))
def test_no_header_breaks_it(header: bytes) -> None:
    scope = {"client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", header)]}
    assert ClientAddresses(TRUSTED).of(scope) is not None


@given(invented=st.lists(st.ip_addresses(), max_size=3), client=st.ip_addresses(v=4))
def test_what_a_client_writes_itself_never_changes_who_it_is(invented: list[object], client: object) -> None:
    """The proxy appends the address it saw to whatever the client sent."""
    header = ", ".join(map(str, [*invented, client]))
    told = found("192.0.2.1", header, trusted=("192.0.2.0/24",))
    if ip_address(str(client)) not in ip_network("192.0.2.0/24"):
        assert told == str(client)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        (None, "unknown"),
    ],
)
def test_a_limit_counts_by_address_or_by_network(address: str | None, name: str) -> None:
    assert rate_limit_name(None if address is None else ip_address(address)) == name
