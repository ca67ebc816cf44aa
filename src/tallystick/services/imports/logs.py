"""Reading logs of web servers (GoatCounter contract, 5.6)."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import ip_address

from msgspec import Struct

from tallystick.errors import InputRefused
from tallystick.services.imports import log_lines
from tallystick.services.imports.excluding import Rule, excluded_by, path_of
from tallystick.services.imports.log_lines import FORMATS, TIMES, Fields, caddy_line, line_reader
from tallystick.services.imports.times import COMMON_LOG, TimeFormat, moment, time_format
from tallystick.services.imports.told import BadLine, Excluded, Item, Told
from tallystick.services.ingest import Arrival

LOG_FORMATS = (*FORMATS, "caddy")
CUSTOM = "log:"
REMEMBERED = 4_096
"""Moments remembered: lines of one second stand together."""

_port = re.compile(r"\[(.*)\](?::\d+)?|([^:]*):\d+").fullmatch


class Layouts(Struct, frozen=True):
    """How times are spelled in a ``log:`` format."""

    date: str = "2006-01-02"
    time: str = "15:04:05"
    datetime: str = COMMON_LOG


def log_reader(
    form: str, layouts: Layouts, rules: Sequence[Rule], now: Callable[[], int]
) -> Callable[[int, bytes], Item | None]:
    """A reader of one line, by its number and its bytes; None for a line that says nothing.

    Args:
        now: Unix seconds.

    Raises:
        InputRefused: there is no such format, or it makes no sense.
    """
    times = _time_formats(form, layouts)
    read = _reader(form, times)

    @lru_cache(REMEMBERED)
    def when(*texts: str) -> int | None:
        names = TIMES[:2] if len(texts) > 1 else TIMES[2:]
        return moment(*((times[name], text) for name, text in zip(names, texts, strict=True)))

    def item(number: int, raw: bytes) -> Item | None:
        line = raw.decode("utf-8", "replace").strip("\r\n")
        if not line.strip() or line.startswith("#"):
            return None
        fields = read(line)
        if fields is None:
            return BadLine(number, f"it is not of the format {form}")
        if rule := excluded_by(fields, rules):
            return Excluded(number, rule)
        created = when(fields["datetime"]) if "datetime" in fields else when(fields["date"], fields["time"])
        if created is None:
            return BadLine(number, "its time makes no sense")
        return Told(number, _arrival(fields, created, now()))

    return item


def _reader(form: str, times: dict[str, TimeFormat]) -> log_lines.Read:
    if form == "caddy":
        return caddy_line
    found = form.removeprefix(CUSTOM) if form.startswith(CUSTOM) else FORMATS.get(form)
    if found is None:
        msg = f"unknown format: {form}"
        raise InputRefused(msg)
    return line_reader(found, {name: times[name].pattern for name in TIMES})


def _time_formats(form: str, layouts: Layouts) -> dict[str, TimeFormat]:
    if form == "caddy":
        return {"datetime": _caddy_time()}
    own = log_lines.DATETIMES.get(form, COMMON_LOG)
    return {
        "date": time_format(layouts.date),
        "time": time_format(layouts.time),
        "datetime": time_format(layouts.datetime if form.startswith(CUSTOM) else own),
    }


def _caddy_time() -> TimeFormat:
    """Caddy writes seconds with a fraction, unless told to write something that people read."""
    forms = [
        time_format(layout) for layout in ("2006/01/02 15:04:05", "rfc3339", "2006-01-02T15:04:05-0700", COMMON_LOG)
    ]
    seconds = time_format("unix_sec_float")

    def parts(text: str) -> dict[str, str]:
        return next((found for form in forms if (found := form.parts(text))), None) or seconds.parts(text)

    return TimeFormat("", parts)


def _arrival(fields: Fields, created: int, now: int) -> Arrival:
    path = path_of(fields)
    return Arrival(
        path=path,
        ref=fields.get("referrer", ""),
        query=fields.get("query") or path.partition("?")[2],
        agent=fields.get("user_agent", ""),
        address=_address(fields),
        language=fields.get("language", ""),
        created=created,
        sessionless=True,
        received=now,
    )


def _address(fields: Fields) -> str | None:
    """The visitor's address: the last public one that proxies have passed on, else who was connected."""
    forwarded = [_bare(part) for part in fields.get("xff", "").split(",")]
    public = [text for text in forwarded if _is_public(text)]
    return public[-1] if public else _bare(fields.get("remote_addr", "")) or None


def _bare(text: str) -> str:
    """An address without the port that some servers write behind it."""
    text = text.strip()
    found = _port(text)
    return (found[1] or found[2] or "") if found else text


@lru_cache(REMEMBERED)
def _is_public(text: str) -> bool:
    try:
        return ip_address(text).is_global
    except ValueError:
        return False
