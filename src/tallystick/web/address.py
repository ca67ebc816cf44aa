"""The client address and the Host of a request. Addresses stay in memory; none is ever stored or logged."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Network = IPv4Network | IPv6Network

LONGEST_HOST = 300
"""Bytes of a Host header that are read: a legal name has 253 characters, and a port follows."""

LONGEST_ADDRESS = 100
FORWARDED_FOR = "X-Forwarded-For"
HOSTS_REMEMBERED = 1_024
ADDRESSES_REMEMBERED = 16_384
LONGEST_REMEMBERED = 100
"""Bytes of a forwarding header up to which its result is cached."""


class ClientAddresses:
    """Finds the client behind trusted proxies.

    A peer on a Unix socket is a trusted proxy: the permissions of the socket's file decide who may connect.

    Args:
        trusted: networks of proxies; the header of any other peer is ignored.
        header: with the client's address: one address, or a list that each proxy appends to. No other header is
            read, because a proxy passes on what the client wrote into it.

    Attributes:
        header: its name in lower case.
    """

    def __init__(self, trusted: Iterable[Network] = (), header: str = FORWARDED_FOR) -> None:
        self._trusted, self.header = tuple(trusted), header.lower().encode()
        self._remembered = lru_cache(ADDRESSES_REMEMBERED)(self._behind)

    def of(self, scope: Mapping[str, Any]) -> IPv4Address | IPv6Address | None:
        """The client's address; None when the server does not know it.

        The rightmost address that is not one of our proxies: everything left of it the client may have
        written itself.
        """
        peer = scope.get("client")
        host = peer[0] if peer else None
        if host is None and not _on_unix_socket(scope):
            return None
        if host is not None and not self._trusted:
            return _parse(host)
        values = [value for name, value in scope["headers"] if name == self.header]
        forwarded = values[0] if len(values) == 1 else b",".join(values)
        find = self._remembered if len(forwarded) <= LONGEST_REMEMBERED else self._behind
        return find(host, forwarded)

    def is_proxy(self, scope: Mapping[str, Any]) -> bool:
        """Whether the peer is a trusted proxy, so that its headers about the request are believed."""
        peer = scope.get("client")
        if not peer:
            return _on_unix_socket(scope)
        return bool(self._trusted) and self._is_trusted(_parse(peer[0]))

    def _behind(self, peer: str | None, forwarded: bytes) -> IPv4Address | IPv6Address | None:
        """The address of the client behind a peer.

        Args:
            peer: None for a proxy on a Unix socket.
        """
        address = None if peer is None else _parse(peer)
        if peer is not None and not self._is_trusted(address):
            return address
        for hop in reversed(_hops(forwarded.decode("latin-1"))):
            parsed = _parse(hop)
            if parsed is None:
                return address
            address = parsed
            if not self._is_trusted(address):
                return address
        return address

    def _is_trusted(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)


def _on_unix_socket(scope: Mapping[str, Any]) -> bool:
    """Whether a request without a client's address came over a Unix socket with a file: ASGI names its path."""
    server = scope.get("server")
    return server is not None and server[1] is None


def host_of(scope: Mapping[str, Any]) -> str:
    """The Host of a request: lower case, without port and last dot; empty without a Host header."""
    for name, value in scope["headers"]:
        if name == b"host":
            return bare_host_of(value)
    return ""


def bare_host_of(header: bytes) -> str:
    """Normalize the value of a Host header as ``host_of`` does."""
    return _bare_host(header[:LONGEST_HOST])


def bare_host(header: str) -> str:
    """Normalize a Host header as ``host_of`` does."""
    return _bare_host(header.encode("latin-1", "replace")[:LONGEST_HOST])


@lru_cache(HOSTS_REMEMBERED)
def _bare_host(header: bytes) -> str:
    host = header.decode("latin-1").strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].removesuffix(".")


@lru_cache(ADDRESSES_REMEMBERED)
def rate_limit_name(address: IPv4Address | IPv6Address | None) -> str:
    """The key of limits per address: an IPv4 address, or an IPv6 network of 64 bits (one customer)."""
    if address is None:
        return "unknown"
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return str(address)


def wider_network(address: IPv4Address | IPv6Address | None) -> int | None:
    """The IPv6 network of 48 bits that an address is in, as a number; None for others.

    One customer may hold such a network, with 65,536 names of ``rate_limit_name``.
    """
    return int(address) >> 80 if isinstance(address, IPv6Address) else None


@lru_cache(ADDRESSES_REMEMBERED)
def limit_name(address: IPv4Address | IPv6Address | None) -> str | None:
    """The name of a client in limits; None for loopback, where proxies and tests send many clients' requests."""
    return None if address is not None and address.is_loopback else rate_limit_name(address)


def _hops(forwarded: str) -> list[str]:
    return [hop.strip()[:LONGEST_ADDRESS] for hop in forwarded.split(",") if hop.strip()]


@lru_cache(ADDRESSES_REMEMBERED)
def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an address as proxies write it: bare, with a port, in brackets, IPv4 inside IPv6; None if malformed."""
    if text.startswith("["):
        text = text[1:].split("]", 1)[0]
    elif text.count(":") == 1:
        text = text.split(":", 1)[0]
    try:
        address = ip_address(text.split("%", 1)[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
