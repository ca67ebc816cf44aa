"""Origins (RFC 6454) in the form in which browsers send them."""

import re
from ipaddress import IPv6Address
from urllib.parse import urlsplit

import idna

LONGEST_ORIGIN = 300
"""Characters: a host has 253 at most."""

_USUAL_PORTS = {"http": 80, "https": 443}
_legal_host = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,252}").fullmatch


def browser_origin(text: str) -> str:
    """The origin as a browser sends it: lower case, without the default port, other scripts in Punycode.

    Raises:
        ValueError: the text is not http:// or https://, a host and an optional port, and nothing else.
    """
    stripped = text.strip()
    if len(stripped) > LONGEST_ORIGIN:
        msg = f"an origin has at most {LONGEST_ORIGIN} characters"
        raise ValueError(msg)
    parts = urlsplit(stripped)
    has_more = parts.path not in {"", "/"} or "?" in stripped or "#" in stripped or "@" in parts.netloc
    if parts.scheme not in _USUAL_PORTS or has_more:
        msg = "an origin is http:// or https:// and a host with an optional port, and nothing after it"
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
        msg = f"{host!r} is not a valid host"
        raise ValueError(msg)
    return ascii_host


def _punycode(host: str) -> str:
    """Encode as browsers do: by UTS 46, or by the older IDNA rules for hosts that UTS 46 refuses, such as symbols."""
    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        return host.encode("idna").decode()
