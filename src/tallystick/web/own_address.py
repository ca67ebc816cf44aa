"""The server's own address as browsers see it: for links, examples, cookies and checks of a form's origin.

In this order: ``--public-url``; the headers of a trusted proxy (``X-Forwarded-Proto`` and ``X-Forwarded-Host``, or
``Forwarded``, RFC 7239); the connection and the request's own Host. From any other peer the headers are ignored. Of a
list the first element counts: it comes from the proxy nearest to the browser.
"""

import re
from collections.abc import Awaitable, Iterator, Mapping, MutableMapping
from typing import Any

from tallystick.web.address import ClientAddresses
from tallystick.web.asgi import AsgiApp, Receive, Scope, Send

OWN_ADDRESS = "tallystick.own_address"
"""Key of the ``OwnAddress`` in a request's scope."""

_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_PROTO, _HOST, _FORWARDED = b"x-forwarded-proto", b"x-forwarded-host", b"forwarded"

_legal_host = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?").fullmatch
_pair = re.compile(r'\s*([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*))\s*').fullmatch


class OwnAddress:
    """Finds this server's own origin.

    Args:
        addresses: which peers are trusted proxies.
        public_url: a fixed origin for every request.
        base_path: the path under which the server is reached, for example ``/stats``; empty without one.
    """

    def __init__(
        self, addresses: ClientAddresses | None = None, public_url: str | None = None, base_path: str = ""
    ) -> None:
        self.base_path = base_path
        self._addresses = addresses or ClientAddresses()
        self._public_url = public_url

    def origin(self, scope: Mapping[str, Any]) -> str:
        """The origin as a browser writes it: lower case, without the scheme's default port."""
        if self._public_url is not None:
            return self._public_url
        scheme, host = self._forwarded(scope) if self._addresses.is_proxy(scope) else ("", "")
        scheme = scheme or ("https" if scope.get("scheme") in {"https", "wss"} else "http")
        host = host or _legal(_header(scope, b"host")) or "localhost"
        return f"{scheme}://{host.removesuffix(_DEFAULT_PORTS[scheme])}"

    @staticmethod
    def _forwarded(scope: Mapping[str, Any]) -> tuple[str, str]:
        """Scheme and host from a proxy's headers; each empty if it is missing."""
        standard = dict(_pairs(_header(scope, _FORWARDED)))
        proto = _first(_header(scope, _PROTO)) or standard.get("proto", "")
        host = _legal(_first(_header(scope, _HOST))) or _legal(standard.get("host", ""))
        return _SCHEMES.get(proto.lower(), ""), host


class Located:
    """An ASGI application that puts the ``OwnAddress`` into the scope of its requests, for ``own_origin``."""

    def __init__(self, app: AsgiApp, own: OwnAddress) -> None:
        self._app, self._own = app, own

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass the request on. No coroutine of its own: hot path."""
        locate(scope, self._own)
        return self._app(scope, receive, send)


def locate(scope: MutableMapping[str, Any], own: OwnAddress) -> None:
    """Put the ``OwnAddress`` into a scope."""
    scope[OWN_ADDRESS] = own


def own_origin(scope: Mapping[str, Any]) -> str:
    """The server's origin for a request, for example ``https://count.example.com``."""
    return _own(scope).origin(scope)


def own_base(scope: Mapping[str, Any]) -> str:
    """The path under which the server is reached, for example ``/stats``; empty without ``--base-path``."""
    return _own(scope).base_path


def own_url(scope: Mapping[str, Any]) -> str:
    """The URL to which the server's own paths are appended, for example ``https://example.com/stats``."""
    return own_origin(scope) + own_base(scope)


def is_own_origin(origin: str, scope: Mapping[str, Any]) -> bool:
    """Whether an ``Origin`` header names this server, by its own origin or by the Host of the request.

    Schemes are not compared with the Host: behind a proxy that does not forward it, the scheme is unknown.
    """
    host = _header(scope, b"host").lower()
    shown = origin.lower()
    return shown == own_origin(scope) or (bool(host) and shown.partition("://")[2] == host)


def _own(scope: Mapping[str, Any]) -> OwnAddress:
    own: OwnAddress = scope.get(OWN_ADDRESS) or _UNCONFIGURED
    return own


def _header(scope: Mapping[str, Any], name: bytes) -> str:
    """The value of a header, of a repeated one the first; empty if it is missing."""
    return next((value.decode("latin-1").strip() for key, value in scope["headers"] if key == name), "")


def _first(listed: str) -> str:
    return listed.partition(",")[0].strip()


def _legal(host: str) -> str:
    return host.lower() if _legal_host(host) else ""


def _pairs(forwarded: str) -> Iterator[tuple[str, str]]:
    """The pairs of the first element of a ``Forwarded`` header; malformed ones are dropped."""
    for part in _first(forwarded).split(";"):
        if found := _pair(part):
            name, quoted, bare = found.groups()
            yield name.lower(), bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted)


_UNCONFIGURED = OwnAddress()
