"""Origins (RFC 6454) in the one form in which browsers write them."""

import re
from ipaddress import IPv6Address
from urllib.parse import urlsplit

import idna

LONGEST_ORIGIN = 300
"""Characters: a host has 253 at most."""

_USUAL_PORTS = {"http": 80, "https": 443}
_legal_host = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,252}").fullmatch


def browser_origin(text: str) -> str:
    """Scheme, host and port as a browser sends them: lower case, the usual port left out, other scripts in Punycode.

    Raises:
        ValueError: it is not http:// or https://, a host and perhaps a port; or it is more than that.
    """
    stripped = text.strip()
    if len(stripped) > LONGEST_ORIGIN:
        msg = f"an origin has at most {LONGEST_ORIGIN} characters"
        raise ValueError(msg)
    parts = urlsplit(stripped)
    more = parts.path not in {"", "/"} or "?" in stripped or "#" in stripped or "@" in parts.netloc
    if parts.scheme not in _USUAL_PORTS or more:
        msg = "an origin is http:// or https:// and a host, without anything behind it"
        raise ValueError(msg)
    host, port = _host(parts.hostname or ""), parts.port
    if port is None or port == _USUAL_PORTS[parts.scheme]:
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}:{port}"


def _host(host: str) -> str:
    if ":" in host:
        return f"[{IPv6Address(host).compressed}]"
    ascii_host = host.lower() if host.isascii() else _punycode(host)
    if not _legal_host(ascii_host):
        msg = f"{host!r} is no host"
        raise ValueError(msg)
    return ascii_host


def _punycode(host: str) -> str:
    """As browsers do it (UTS 46); what that refuses, such as symbols, by the older rules, as browsers do too."""
    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        return host.encode("idna").decode()
