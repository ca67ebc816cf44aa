"""Lines of web servers' logs: each format turns one into fields by the names that ``log:`` formats use."""

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
"""None for a line that is of another format."""

NAMES = frozenset(
    {"ignore", "time", "date", "datetime", "remote_addr", "xff", "method", "status", "http", "path", "url", "query"}
    | {"referrer", "user_agent", "host", "content_type", "timing_sec", "timing_milli", "timing_micro", "size"}
)
TIMES = ("date", "time", "datetime")

# Between address and time stand an ident and a user, whose name may hold blanks.
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
"""Layouts that are a format's own."""

PATTERNS = dict.fromkeys(("status", "size", "timing_sec", "timing_milli", "timing_micro"), r"[\d.]*|-")
ADDRESSES = ("remote_addr", "xff")
_LIST = "(?>[^ ,]*(?: *, *[^ ,]+)*)"
"""Addresses with commas between them, which blanks may surround."""
_BLANKS = "(?> {1,64})"
"""Bounded, so that a long run of blanks is not looked through again from each of them."""

_placed = re.compile(r"\$([a-z_]+)")
_escaped_bytes = re.compile(r"(?:\\x[0-9A-Fa-f]{2})+")
_escaped = re.compile(r'\\(["\\])')


def line_reader(form: str, times: dict[str, str]) -> Read:
    """A reader of the lines of ``log:`` formats.

    A blank of the format stands for one blank; in lines that do not fit so, for one or more, as Jetty writes.

    Args:
        times: patterns of ``$date``, ``$time`` and ``$datetime``.

    Raises:
        InputRefused: the format makes no sense.
    """
    fits = re.compile(_pattern(form, times, re.escape), re.ASCII).fullmatch
    fits_with_blanks = re.compile(_pattern(form, times, _with_blanks), re.ASCII).fullmatch

    def read(line: str) -> Fields | None:
        found = fits(line) or fits_with_blanks(line)
        return {name: _plain(value) for name, value in found.groupdict().items()} if found else None

    return read


def fields_of(form: str) -> frozenset[str]:
    """The names of a format's fields."""
    return frozenset(_placed.findall(form))


def _with_blanks(literal: str) -> str:
    return _BLANKS.join(map(re.escape, re.split(" +", literal)))


def _pattern(form: str, times: dict[str, str], literal: Callable[[str], str]) -> str:
    """A regular expression for a format.

    Args:
        literal: what the text between two fields matches.
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
        msg = f"a name stands twice in the format {form!r}"
        raise InputRefused(msg)
    if not {"path", "url"} & set(kept) or not ("datetime" in kept or {"date", "time"} <= set(kept)):
        msg = f"the format {form!r} needs $path or $url, and $datetime or $date and $time"
        raise InputRefused(msg)


def _value(name: str, before: str, after: str, end: str) -> str:
    """What a field may hold: never what ends it, so that a line that does not fit is rejected in linear time.

    Args:
        end: a pattern of the text ``after`` the field, with the time that follows it.
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
    """A value without what servers do to characters that would spoil a line; ``-`` is nothing."""
    if value == "-":
        return ""
    if "\\" in value:
        value = _escaped_bytes.sub(lambda run: bytes.fromhex(run[0].replace("\\x", "")).decode("utf-8", ESCAPES), value)
        value = _escaped.sub(r"\1", value)
    return value


class CaddyRequest(Struct):
    """A request in Caddy's log. Only the page's address needs its type: filters of Caddy may rewrite the rest."""

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
    """A line of Caddy's access log (JSON)."""
    try:
        found = _decode(line)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    request = found.request
    return {
        "datetime": f"{found.ts:.6f}" if isinstance(found.ts, float) else str(found.ts),
        "remote_addr": next(filter(None, map(_text, (request.client_ip, request.remote_ip, request.remote_addr))), ""),
        "method": _text(request.method),
        "status": _text(found.status),
        "size": _text(found.size),
        "http": _text(request.proto),
        "path": request.uri,
        "host": _text(request.host),
        "referrer": _header(request.headers, "Referer"),
        "user_agent": _header(request.headers, "User-Agent"),
        "language": _header(request.headers, "Accept-Language"),
        "content_type": _header(found.resp_headers, "Content-Type"),
    }


def _header(headers: Any, name: str) -> str:  # noqa: ANN401  # as it was logged
    if not isinstance(headers, dict):
        return ""
    return _text(headers.get(name) or headers.get(name.lower()))


def _text(value: Any) -> str:  # noqa: ANN401  # as it was logged
    """A text, a number as one, or the first of a list; empty for anything else."""
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) else ""
