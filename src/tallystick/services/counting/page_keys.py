"""The counters of a page's ``/busuanzi.js``, by the page's address.

``surfaces/counters/scripts/static/busuanzi.source.js`` makes the same names.
"""

import re
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from tallystick.errors import InputRefused
from tallystick.model.key import Key

OF_SITES = ("site_pv", "site_uv")
OF_PAGES = ("page_pv", "page_uv")
ADDRESSES = ("http://", "https://")
"""How addresses of pages begin."""

_LONGEST = 64
_SHORTEST = 3
_LONGEST_WORDS = 39
_FNV_OFFSET, _FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3


def page_key(address: str, name: str) -> Key:
    """The counter of a page, or of its site.

    Args:
        address: of the page, beginning with ``http://`` or ``https://``.
        name: ``site_pv``, ``site_uv``, ``page_pv`` or ``page_uv``.

    Raises:
        InputRefused: the address or the name is none.
    """
    try:
        parts = urlsplit(address.strip())
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in {"http", "https"} or not host:
        msg = f"{address!r} is no address of a page, such as https://blog.example.com/post/"
        raise InputRefused(msg)
    namespace = re.sub(r"[^A-Za-z0-9_.-]", "", _as_browsers_write(host))[:_LONGEST].rjust(_SHORTEST, ".")
    if name in OF_SITES:
        return Key(namespace, name)
    if name in OF_PAGES:
        return Key(namespace, f"{name}.{_name_of(parts.path)}")
    msg = f"{name!r} is none of {', '.join((*OF_SITES, *OF_PAGES))}"
    raise InputRefused(msg)


def _as_browsers_write(host: str) -> str:
    try:
        return host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        return host


def _name_of(path: str) -> str:
    with suppress(UnicodeDecodeError):  # such a path stays as it is written
        path = unquote(path, errors="strict")
    path = path.removesuffix("/")
    for suffix in ("/index.html", "/index.htm", "/index"):
        path = path.removesuffix(suffix)
    path = path or "/"
    words = re.sub(r"[^A-Za-z0-9_-]+", "-", path).lstrip("-")[:_LONGEST_WORDS].rstrip("-")
    return f"{'index' if path == '/' else words or 'page'}.{_fnv(path.encode()):016x}"


def _fnv(data: bytes) -> int:
    """FNV-1a of 64 bits."""
    digest = _FNV_OFFSET
    for byte in data:
        digest = (digest ^ byte) * _FNV_PRIME % 2**64
    return digest
