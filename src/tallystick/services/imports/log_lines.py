"""Lines of web servers' logs: each format turns one into fields by the names that ``log:`` formats use."""

import re
from collections.abc import Callable
from itertools import pairwise

import msgspec
from msgspec import Struct, field

from tallystick.errors import InputRefused

Fields = dict[str, str]
Read = Callable[[str], Fields | None]
"""None for a line that is of another format."""

NAMES = frozenset(
    {"ignore", "time", "date", "datetime", "remote_addr", "xff", "method", "status", "http", "path", "url", "query"}
    | {"referrer", "user_agent", "host", "content_type", "timing_sec", "timing_milli", "timing_micro", "size"}
)
TIMES = ("date", "time", "datetime")

_COMMON = '$remote_addr $ignore $ignore [$datetime] "$method $path $http" $status $size'
FORMATS = {
    "common": _COMMON,
    "common-vhost": f"$host {_COMMON}",
    "combined": f'{_COMMON} "$referrer" "$user_agent"',
    "combined-vhost": f'$host {_COMMON} "$referrer" "$user_agent"',
    "bunny": (
        "$ignore|$status|$datetime|$size|$ignore|$remote_addr|$referrer|$url|$ignore|$user_agent|$ignore|$ignore"
    ),
}
DATETIMES = {"bunny": "unix_milli"}
"""Layouts that are a format's own."""

PATTERNS = dict.fromkeys(("status", "size", "timing_sec", "timing_milli", "timing_micro"), r"[\d.]*|-")

_placed = re.compile(r"\$([a-z_]+)")
_escaped_bytes = re.compile(r"(?:\\x[0-9A-Fa-f]{2})+")
_escaped = re.compile(r'\\(["\\])')


def line_reader(form: str, times: dict[str, str]) -> Read:
    """A reader of the lines of ``log:`` formats.

    Args:
        times: patterns of ``$date``, ``$time`` and ``$datetime``.

    Raises:
        InputRefused: the format makes no sense.
    """
    fits = re.compile(_pattern(form, times), re.ASCII).fullmatch

    def read(line: str) -> Fields | None:
        found = fits(line)
        return {name: _plain(value) for name, value in found.groupdict().items()} if found else None

    return read


def _pattern(form: str, times: dict[str, str]) -> str:
    literals = _placed.split(form)[::2]
    names = _placed.findall(form)
    _check(names, form)
    if "" in literals[1:-1]:
        msg = f"the format {form!r} has two fields with nothing between them"
        raise InputRefused(msg)
    pattern = re.escape(literals[0])
    for name, (before, after) in zip(names, pairwise(literals), strict=True):
        value = times.get(name) or PATTERNS.get(name) or _value(before, after)
        group = "?:" if name == "ignore" else f"?P<{name}>"
        pattern += f"({group}{value}){re.escape(after)}"
    # Some servers are told to add more at the end of a line.
    return pattern + (r"(?: .*)?" if form.endswith('"') else "")


def _check(names: list[str], form: str) -> None:
    for name in names:
        if name not in NAMES:
            msg = f"unknown format specifier: ${name}"
            raise InputRefused(msg)
    kept = [name for name in names if name != "ignore"]
    if len(set(kept)) < len(kept):
        msg = f"a name stands twice in the format {form!r}"
        raise InputRefused(msg)
    if not {"path", "url"} & set(kept) or not ("datetime" in kept or {"date", "time"} <= set(kept)):
        msg = f"the format {form!r} needs $path or $url, and $datetime or $date and $time"
        raise InputRefused(msg)


def _value(before: str, after: str) -> str:
    """What a field may hold: never what ends it, so that no line takes long to be found wrong."""
    if not after:
        return ".*"
    if before.endswith('"') and after.startswith('"'):
        return r'(?:[^"\\]|\\.)*'
    return f"[^{re.escape(after[0])}]*"


def _plain(value: str) -> str:
    """A value without what servers do to characters that would spoil a line; ``-`` is nothing."""
    if value == "-":
        return ""
    if "\\" in value:
        value = _escaped_bytes.sub(
            lambda run: bytes.fromhex(run[0].replace("\\x", "")).decode("utf-8", "replace"), value
        )
        value = _escaped.sub(r"\1", value)
    return value


class CaddyRequest(Struct):
    """What Caddy tells of a request."""

    method: str = ""
    host: str = ""
    uri: str = ""
    proto: str = ""
    client_ip: str = ""
    remote_ip: str = ""
    remote_addr: str = ""
    headers: dict[str, list[str]] = field(default_factory=dict)


class CaddyLine(Struct):
    """A line of Caddy's access log."""

    request: CaddyRequest
    ts: float | str
    status: int = 0
    size: int = 0
    resp_headers: dict[str, list[str]] = field(default_factory=dict)


_decode = msgspec.json.Decoder(CaddyLine).decode


def caddy_line(line: str) -> Fields | None:
    """A line of Caddy's access log (JSON)."""
    try:
        found = _decode(line)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    request = found.request
    return {
        "datetime": str(found.ts),
        "remote_addr": request.client_ip or request.remote_ip or request.remote_addr,
        "method": request.method,
        "status": str(found.status),
        "size": str(found.size),
        "http": request.proto,
        "path": request.uri,
        "host": request.host,
        "referrer": _header(request.headers, "Referer"),
        "user_agent": _header(request.headers, "User-Agent"),
        "language": _header(request.headers, "Accept-Language"),
        "content_type": _header(found.resp_headers, "Content-Type"),
    }


def _header(headers: dict[str, list[str]], name: str) -> str:
    return next(iter(headers.get(name) or headers.get(name.lower()) or ()), "")
