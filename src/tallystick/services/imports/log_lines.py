"""Splits lines of web servers' logs into fields, named as in ``log:`` formats."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import Struct

from tallystick.errors import InputRefused
from tallystick.model.text import ESCAPES

Fields = dict[str, str]
Read = Callable[[str], Fields | None]
"""Reads a line; None for a line of another format."""

NAMES = frozenset(
    {"ignore", "time", "date", "datetime", "remote_addr", "xff", "method", "status", "http", "path", "url", "query"}
    | {"referrer", "user_agent", "host", "content_type", "timing_sec", "timing_milli", "timing_micro", "size"}
)
TIMES = ("date", "time", "datetime")

# Between address and time there are an ident and a user, whose name may have blanks.
_COMMON = '$remote_addr $ignore [$datetime] "$method $path $http" $status $size'
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
"""Layouts of times by format, where they are not the usual one."""

PATTERNS = dict.fromkeys(("status", "size", "timing_sec", "timing_milli", "timing_micro"), r"[\d.]*|-")
ADDRESSES = ("remote_addr", "xff")
_LIST = "(?>[^ ,]*(?: *, *[^ ,]+)*)"
"""Addresses separated by commas, with or without blanks."""
_BLANKS = "(?> {1,64})"
"""Bounded, so that a long run of blanks is not searched again from each of its blanks."""

_placed = re.compile(r"\$([a-z_]+)")
_escaped_bytes = re.compile(r"(?:\\x[0-9A-Fa-f]{2})+")
_escaped = re.compile(r'\\(["\\])')


def line_reader(form: str, times: dict[str, str]) -> Read:
    """A function that reads lines of a ``log:`` format.

    A blank in the format matches one blank; if the line does not match, one or more, as Jetty writes.

    Args:
        times: patterns of ``$date``, ``$time`` and ``$datetime``.

    Raises:
        InputRefused: the format is invalid.
    """
    fits = re.compile(_pattern(form, times, re.escape), re.ASCII).fullmatch
    fits_with_blanks = re.compile(_pattern(form, times, _with_blanks), re.ASCII).fullmatch

    def read(line: str) -> Fields | None:
        match = fits(line) or fits_with_blanks(line)
        return {name: _plain(value) for name, value in match.groupdict().items()} if match else None

    return read


def fields_of(form: str) -> frozenset[str]:
    """The names of a format's fields."""
    return frozenset(_placed.findall(form))


def _with_blanks(literal: str) -> str:
    return _BLANKS.join(map(re.escape, re.split(" +", literal)))


def _pattern(form: str, times: dict[str, str], literal: Callable[[str], str]) -> str:
    """A regular expression for a format.

    Args:
        literal: the pattern of a text between two fields.
    """
    literals = _placed.split(form)[::2]
    names = _placed.findall(form)
    _check(names, form)
    if "" in literals[1:-1]:
        msg = f"the format {form!r} has two fields with nothing between them"
        raise InputRefused(msg)
    pattern = literal(literals[0])
    for name, following, (before, after) in zip(names, [*names[1:], ""], pairwise(literals), strict=True):
        end = literal(after) + (f"(?:{times[following]})" if following in times else "")
        value = times.get(name) or PATTERNS.get(name) or _value(name, before, after, end)
        group = "?:" if name == "ignore" else f"?P<{name}>"
        pattern += f"({group}{value}){literal(after)}"
    # Some servers add more at the end of a line.
    return pattern + (r"(?: .*)?" if form.endswith('"') else " *")


def _check(names: list[str], form: str) -> None:
    for name in names:
        if name not in NAMES:
            msg = f"unknown format specifier: ${name}"
            raise InputRefused(msg)
    kept = [name for name in names if name != "ignore"]
    if len(set(kept)) < len(kept):
        msg = f"the format {form!r} has a field twice"
        raise InputRefused(msg)
    if not {"path", "url"} & set(kept) or not ("datetime" in kept or {"date", "time"} <= set(kept)):
        msg = f"the format {form!r} needs $path or $url, and $datetime or $date and $time"
        raise InputRefused(msg)


def _value(name: str, before: str, after: str, end: str) -> str:
    """The pattern of a field. It never matches the text that ends the field, so that bad lines fail in linear time.

    Args:
        end: the pattern of the text ``after`` the field, including a time that follows it.
    """
    if not after:
        return ".*"
    if before.endswith('"') and after.startswith('"'):
        return r'[^"\\]*(?:\\.[^"\\]*)*'
    if name in ADDRESSES and after.startswith(" "):
        return _LIST
    first = re.escape(after[0])
    if len(after) == 1:
        return f"[^{first}]*"
    return f"[^{first}]*(?:(?!{end}){first}[^{first}]*)*"


def _plain(value: str) -> str:
    """A value without the escapes that servers write for special characters; ``-`` stands for an empty value."""
    if value == "-":
        return ""
    if "\\" in value:
        value = _escaped_bytes.sub(lambda run: bytes.fromhex(run[0].replace("\\x", "")).decode("utf-8", ESCAPES), value)
        value = _escaped.sub(r"\1", value)
    return value


class CaddyRequest(Struct):
    """A request in Caddy's log. Only ``uri`` has a fixed type: Caddy's filters may rewrite the others."""

    uri: str = ""
    method: Any = ""
    host: Any = ""
    proto: Any = ""
    client_ip: Any = ""
    remote_ip: Any = ""
    remote_addr: Any = ""
    headers: Any = None


class CaddyLine(Struct):
    """A line of Caddy's access log."""

    request: CaddyRequest
    ts: int | float | str
    status: Any = ""
    size: Any = ""
    resp_headers: Any = None


_decode = msgspec.json.Decoder(CaddyLine).decode


def caddy_line(line: str) -> Fields | None:
    """Read a line of Caddy's access log (JSON); None for other lines."""
    try:
        entry = _decode(line)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    request = entry.request
    return {
        "datetime": f"{entry.ts:.6f}" if isinstance(entry.ts, float) else str(entry.ts),
        "remote_addr": next(filter(None, map(_text, (request.client_ip, request.remote_ip, request.remote_addr))), ""),
        "method": _text(request.method),
        "status": _text(entry.status),
        "size": _text(entry.size),
        "http": _text(request.proto),
        "path": request.uri,
        "host": _text(request.host),
        "referrer": _header(request.headers, "Referer"),
        "user_agent": _header(request.headers, "User-Agent"),
        "language": _header(request.headers, "Accept-Language"),
        "content_type": _header(entry.resp_headers, "Content-Type"),
    }


def _header(headers: Any, name: str) -> str:  # noqa: ANN401  # as it was logged
    if not isinstance(headers, dict):
        return ""
    return _text(headers.get(name) or headers.get(name.lower()))


def _text(value: Any) -> str:  # noqa: ANN401  # as it was logged
    """A text, or a number or the first of a list as text; empty for anything else."""
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) else ""
