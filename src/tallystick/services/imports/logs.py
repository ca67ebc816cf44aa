"""Reads logs of web servers (GoatCounter contract, 5.6)."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from msgspec import Struct

from tallystick.errors import InputRefused
from tallystick.model.text import ESCAPES
from tallystick.services.imports import log_lines
from tallystick.services.imports.exclude_rules import Rule, excluded_by, path_of
from tallystick.services.imports.log_lines import FORMATS, TIMES, Fields, caddy_line, fields_of, line_reader
from tallystick.services.imports.parsed import BadLine, ExcludedLine, ParsedHit, ParsedLine
from tallystick.services.imports.texts import with_blanks, without_padding
from tallystick.services.imports.times import ACCEPTED, COMMON_LOG, TimeFormat, moment, time_format
from tallystick.services.ingest.collection_rules import address_of
from tallystick.services.ingest.ingest import Arrival
from tallystick.services.ingest.sources import host_of_url

LOG_FORMATS = (*FORMATS, "caddy")
CUSTOM = "log:"
DIGITS_OF_SECONDS, DIGITS_OF_MILLISECONDS = 11, 14
"""The greatest numbers of digits until the year 5138."""
REMEMBERED = 4_096
"""Cached moments: lines of the same second follow each other."""

_port = re.compile(r"\[(.*)\](?::\d+)?|([^:]*):\d+").fullmatch


class Layouts(Struct, frozen=True):
    """The layouts of times in a log; None stands for the format's usual layout."""

    date: str | None = None
    time: str | None = None
    datetime: str | None = None


_FORM_OWN = Layouts("2006-01-02", "15:04:05", COMMON_LOG)


def log_reader(
    form: str, layouts: Layouts, rules: Sequence[Rule], now: Callable[[], int]
) -> Callable[[int, bytes], ParsedLine | None]:
    """A function that reads one line, given its number and bytes; it returns None for lines without content.

    Args:
        now: Unix seconds.

    Raises:
        InputRefused: the format is unknown or invalid.
    """
    times = _time_formats(form, layouts)
    read = _reader(form, times)

    @lru_cache(REMEMBERED)
    def when(*texts: str) -> int | None:
        names = TIMES[:2] if len(texts) > 1 else TIMES[2:]
        return moment(*((times[name], text) for name, text in zip(names, texts, strict=True)))

    def item(number: int, raw: bytes) -> ParsedLine | None:
        # Bytes that are not UTF-8 become escapes, as in the pixel: paths of Latin-1 sites have them.
        line = without_padding(raw).decode("utf-8", ESCAPES).strip("\r\n").lstrip(" ")
        if not line.strip() or line.startswith("#"):
            return None
        fields = read(line)
        if fields is None:
            return BadLine(number, f"it is not of the format {form}")
        if rule := excluded_by(fields, rules):
            return ExcludedLine(number, rule)
        created = when(fields["datetime"]) if "datetime" in fields else when(fields["date"], fields["time"])
        if created is None:
            return BadLine(number, "its time is invalid")
        return ParsedHit(number, _arrival(fields, created, now()))

    return item


def _reader(form: str, times: dict[str, TimeFormat]) -> log_lines.Read:
    if form == "caddy":
        return caddy_line
    return line_reader(_pattern_of(form), {name: times[name].pattern for name in TIMES})


def _pattern_of(form: str) -> str:
    pattern = form.removeprefix(CUSTOM) if form.startswith(CUSTOM) else FORMATS.get(form)
    if pattern is None:
        msg = f"unknown format: {form}"
        raise InputRefused(msg)
    return pattern


def _time_formats(form: str, layouts: Layouts) -> dict[str, TimeFormat]:
    """The formats of a log's times: the given layouts, else the usual ones of the format."""
    used = fields_of("$datetime" if form == "caddy" else _pattern_of(form))
    formats = {}
    for name in TIMES:
        given: str | None = getattr(layouts, name)
        if given is not None and name not in used:
            msg = f"--{name} is for formats with ${name}; {form} has none"
            raise InputRefused(msg)
        formats[name] = _usual_format(form, name) if given is None else _given_format(name, given)
    return formats


def _given_format(name: str, layout: str) -> TimeFormat:
    form = time_format(layout)
    if not form.says(name):
        msg = f"--{name} does not accept {layout!r}: it has no {'time of day' if name == 'time' else 'day'}; {ACCEPTED}"
        raise InputRefused(msg)
    return form


def _usual_format(form: str, name: str) -> TimeFormat:
    if form == "caddy":
        return _caddy_time()
    own = getattr(_FORM_OWN, name)
    return time_format(log_lines.DATETIMES.get(form, own) if name == "datetime" else own)


def _caddy_time() -> TimeFormat:
    """Caddy's time: seconds with a fraction, or another configured format, which is recognised by the text."""
    forms = [
        time_format(layout) for layout in ("2006/01/02 15:04:05", "rfc3339", "2006-01-02T15:04:05-0700", COMMON_LOG)
    ]
    forms += [time_format("unix_sec_float")]
    milliseconds, nanoseconds = time_format("unix_milli_float"), time_format("unix_nano")

    def parts(text: str) -> dict[str, str]:
        digits = text.partition(".")[0]
        if digits.isdigit() and len(digits) > DIGITS_OF_SECONDS:
            return (nanoseconds if len(digits) > DIGITS_OF_MILLISECONDS else milliseconds).parts(text)
        return next((parts for form in forms if (parts := form.parts(text))), {})

    return TimeFormat("", parts, frozenset())


def _arrival(fields: Fields, created: int, now: int) -> Arrival:
    path = path_of(fields)
    return Arrival(
        path=path,
        ref=fields.get("referrer", ""),
        query=fields.get("query") or path.partition("?")[2],
        host=host_of_url(f"//{fields['host']}") if fields.get("host") else "",
        agent=with_blanks(fields.get("user_agent", "")),
        address=_address(fields),
        language=fields.get("language", ""),
        created=created,
        sessionless=True,
        received=now,
    )


def _address(fields: Fields) -> str | None:
    """The visitor's address: the last public one that proxies forwarded, else the one of the connection."""
    forwarded, connected = (
        [_bare(part) for part in fields.get(name, "").split(",")] for name in ("xff", "remote_addr")
    )
    for public in ([text for text in among if _is_public(text)] for among in (forwarded, connected)):
        if public:
            return public[-1]
    return next(filter(_is_address, connected), connected[0]) or None


def _bare(text: str) -> str:
    """An address without the quotation marks, encoded blanks and port that some servers write around it."""
    text = text.replace("%2520", "").replace("%20", "").strip(' "+')
    match = _port(text)
    return (match[1] or match[2] or "") if match else text


def _is_public(text: str) -> bool:
    address = address_of(text)
    return not isinstance(address, str) and address.is_global


def _is_address(text: str) -> bool:
    return not isinstance(address_of(text), str)
