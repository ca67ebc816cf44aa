"""CountAPI's names and bytes. Foreign names stop here.

Field names, their order and the texts of known errors are the contract's (1.2 and 1.3).
"""

import re
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Struct

from tallystick.errors import InputRefused
from tallystick.model.counter import INT64_MAX, INT64_MIN, Counter
from tallystick.model.key import DEFAULT_NAMESPACE, Key, legal_name
from tallystick.web.cors import ANY_HEADER

Headers = tuple[tuple[bytes, bytes], ...]

LONGEST_NAME = 64
SHORTEST_NAME = 3
LONGEST_CALLBACK = 128
LONGEST_NUMBER = 30

HOST = ":HOST:"
PATHNAME = ":PATHNAME:"

_encode = msgspec.json.Encoder().encode
_integer = re.compile(r"[+-]?[0-9]+").fullmatch
_illegal = re.compile(r"[^A-Za-z0-9_\-.]")
_callback = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*(?:\.[A-Za-z_$][A-Za-z0-9_$]*)*").fullmatch

COMMON: Headers = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"X-Path, Retry-After, Idempotent-Replayed"),
)
JSON: Headers = (*COMMON, (b"content-type", b"application/json; charset=utf-8"), (b"cache-control", b"no-store"))
SCRIPT: Headers = (
    *COMMON,
    (b"content-type", b"text/javascript; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
GIF: Headers = (*COMMON, (b"content-type", b"image/gif"), (b"cache-control", b"no-store, no-cache, max-age=0"))
PREFLIGHT: Headers = (
    *COMMON,
    (b"access-control-allow-methods", b"GET, HEAD, POST, OPTIONS"),
    (b"access-control-allow-headers", ANY_HEADER),
    (b"access-control-max-age", b"86400"),
    (b"allow", b"GET, HEAD, POST, OPTIONS"),
    (b"cache-control", b"no-store"),
)

REPLAYED: Headers = ((b"idempotent-replayed", b"true"),)
"""Marks a replayed response."""

ABSENT = frozenset({"", "null", "undefined"})
"""Texts that clients send for a number they do not have."""


class Payload(Struct, frozen=True):
    """A response before it is encoded as JSON, JSONP or an image.

    Attributes:
        body: a JSON object.
        path: the value of ``X-Path``; None for no header.
        refused: reason of the refusal in the metrics; None on success.
    """

    status: int
    body: bytes
    path: bytes | None = None
    headers: Headers = ()
    refused: str | None = None


def error_body(message: str) -> bytes:
    """``{"error": message}``."""
    return _encode({"error": message})


def value_body(value: int | None) -> bytes:
    """The body of get, hit and update."""
    return b'{"value":null}' if value is None else b'{"value":%d}' % value


def set_body(old_value: int | None, value: int | None) -> bytes:
    """The body of set."""
    return _encode({"old_value": old_value, "value": value})


def create_body(key: Key | None, value: int | None) -> bytes:
    """The body of create; all null when the key was not created."""
    namespace, name = (None, None) if key is None else key
    return _encode({"namespace": namespace, "key": name, "value": value})


def info_body(key: Key, counter: Counter | None, now: int) -> bytes:
    """The body of info; ``ttl`` and ``created`` in milliseconds, all null for a missing key."""
    if counter is None:
        return _encode(dict.fromkeys(_INFO_FIELDS))
    values = (
        key.namespace,
        key.key,
        counter.expires - now,
        counter.created,
        counter.lower,
        counter.upper,
        counter.resettable,
        counter.value,
    )
    return _encode(dict(zip(_INFO_FIELDS, values, strict=True)))


_INFO_FIELDS = (
    "namespace",
    "key",
    "ttl",
    "created",
    "update_lowerbound",
    "update_upperbound",
    "enable_reset",
    "value",
)


def stats_body(keys_created: int, keys_updated: int, requests: int, version: str) -> bytes:
    """The body of stats."""
    return _encode(
        {"keys_created": keys_created, "keys_updated": keys_updated, "requests": requests, "version": version}
    )


def jsonp_body(callback: str, answer: Payload) -> bytes:
    """``callback({...});`` with the status inside, under both names that clients look for."""
    inside = {**msgspec.json.decode(answer.body), "status": answer.status, "code": answer.status}
    # The comment keeps the bytes from being taken for another file format that a callback name could spell.
    return b"/**/%s(%s);" % (callback.encode(), _script_safe(_encode(inside)))


def _script_safe(json: bytes) -> bytes:
    return json.replace(b"<", b"\\u003c").replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")


def query(raw: bytes) -> dict[str, str]:
    """The query's parameters; the first value of a repeated one."""
    if not raw:
        return {}
    pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True)
    return dict(reversed(pairs))


def callback_name(parameters: dict[str, str]) -> str | None:
    """The name of the function that JSONP calls, dotted for a member. Any other text is refused and not echoed."""
    text = parameters.get("callback")
    if not text:
        return None
    if len(text) > LONGEST_CALLBACK or not _callback(text):
        msg = "callback must be the name of a JavaScript function"
        raise InputRefused(msg)
    return text


def integer(parameters: dict[str, str], name: str) -> int | None:
    """A whole number, None when absent. A ``+`` in a query arrives as a space."""
    text = parameters.get(name, "").strip(" ")
    if text in ABSENT:
        return None
    if not _integer(text):
        msg = f"{name} must be a whole number"
        raise InputRefused(msg)
    sign, digits = (-1 if text[0] == "-" else 1), text.lstrip("+-0")
    # More digits are out of all bounds in any case, and Python refuses to parse very long numbers.
    return sign * (int(digits or "0") if len(digits) <= LONGEST_NUMBER else 10**LONGEST_NUMBER)


def integer_64(parameters: dict[str, str], name: str) -> int | None:
    """A whole number of 64 bits, None when absent."""
    number = integer(parameters, name)
    if number is not None and not INT64_MIN <= number <= INT64_MAX:
        msg = f"{name} must lie within the signed 64-bit range"
        raise InputRefused(msg)
    return number


def choice(parameters: dict[str, str], name: str, choices: tuple[str, ...]) -> str | None:
    """A parameter with a few values; None when it is absent.

    Raises:
        InputRefused: it has another value.
    """
    text = parameters.get(name, "")
    if text in ABSENT:
        return None
    if text not in choices:
        msg = f"{name} must be {', '.join(choices[:-1])} or {choices[-1]}"
        raise InputRefused(msg)
    return text


def flag(parameters: dict[str, str], name: str) -> bool:
    """Off unless 1 or true: the typed client sends true, which the original service is said to have ignored."""
    text = parameters.get(name, "").strip(" ").lower()
    if text in {"1", "true"}:
        return True
    if text in ABSENT or text in {"0", "false"}:
        return False
    msg = f"{name} must be 0 or 1"
    raise InputRefused(msg)


def key_of(namespace: str | None, name: str, page: "CallingPage | None" = None) -> Key | None:
    """The key that a request names, None when a name is illegal.

    Args:
        page: replaces the reserved words; None leaves them illegal.
    """
    if page is not None:
        namespace = page.replaced(namespace)
        name = page.replaced(name) or ""
    namespace = DEFAULT_NAMESPACE if namespace is None else namespace
    return Key(namespace, name) if legal_name(namespace) and legal_name(name) else None


class CallingPage:
    """The calling page, from which the server fills in the reserved words.

    ``Referer`` has host and path; ``Origin`` is a fallback for the host. Without both the names are ``...``: the
    published client calls ``visits()`` from Node and expects 200.

    Args:
        headers: of the request.
        address: the page's URL as the ``page`` parameter gives it; wins over the headers.
    """

    def __init__(self, headers: list[tuple[bytes, bytes]], address: str | None = None) -> None:
        self._headers = headers
        self._address = address or None

    def replaced(self, name: str | None) -> str | None:
        """The name; for a reserved word, the page's host or path."""
        if name not in {HOST, PATHNAME}:
            return name
        host, path = self._host_and_path()
        raw = host if name == HOST else path.replace("/", "")
        return _illegal.sub("", raw)[:LONGEST_NAME].rjust(SHORTEST_NAME, ".")

    def _host_and_path(self) -> tuple[str, str]:
        if self._address is not None:
            return _split(self._address)
        referer = self._header(b"referer")
        host, path = _split(referer)
        return (host or _split(self._header(b"origin"))[0], path)

    def _header(self, name: bytes) -> str:
        for header, value in self._headers:
            if header == name:
                return value.decode("latin-1")
        return ""


def _split(address: str) -> tuple[str, str]:
    """Host name (lower case, no port) and path of a URL; both empty if it is malformed."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return "", ""
    if parts.scheme not in {"http", "https"} or not host:
        return "", ""
    return host, parts.path
