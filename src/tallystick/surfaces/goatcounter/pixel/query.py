"""The pixel's parameters (2.1). They must never change: old pages keep sending them."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from tallystick.errors import TallystickError
from tallystick.model.hit import MAX_TITLE
from tallystick.model.props import NO_PROPS, texts_of
from tallystick.model.referrer import MAX_REFERRER
from tallystick.model.screen import width_of
from tallystick.model.text import ESCAPES

LONGEST_PATH = 2_048
"""Bytes."""

LONGEST_PROPS = 8_192
"""Bytes; longer properties are no properties, because the beginning of a JSON text is none."""

LEAST_BOT = 150

QUERIES_REMEMBERED = VALUES_REMEMBERED = 8_192
LONGEST_REMEMBERED = 512
WIDTHS_REMEMBERED = 1_024

_READ = {
    b"p": 3 * LONGEST_PATH + 3,
    b"t": 12 * MAX_TITLE + 12,
    b"r": 12 * MAX_REFERRER,
    b"q": 8_192,
    b"page": 3 * LONGEST_PATH + 3,
    b"props": 3 * LONGEST_PROPS,
    **dict.fromkeys((b"e", b"s", b"b", b"ns"), 512),
}
"""The parameters, and how many bytes of each are read. A path or title that fills them is too long in any case: a byte
takes at most 3 bytes in a query, a character at most 12."""

_BOOLEANS = {"": False, "0": False, "false": False, "off": False, "1": True, "true": True, "on": True}
_whole = re.compile(r"[+-]?[0-9]{1,18}").fullmatch


class PixelRefused(TallystickError):
    """A parameter is not valid; the message is the value of ``X-Goatcounter``."""


class PixelQuery(Struct, frozen=True):
    """A hit as a page describes it; see ``Arrival``."""

    path: str
    title: str
    ref: str
    event: bool
    query: str
    width: int
    bot: int
    no_session: bool
    props: Mapping[str, str] = NO_PROPS
    page: str = ""


NOTHING_SENT = PixelQuery(path="", title="", ref="", event=False, query="", width=0, bot=0, no_session=False)


def pixel_query(raw: bytes) -> PixelQuery:
    """Decode a query. Unknown parameters are ignored; a repeated one has its first value.

    Raises:
        PixelRefused: a parameter is not valid.
    """
    parameters = repeated_part(raw)
    return parsed(raw) if parameters is None else _remembered(parameters)


def repeated_part(raw: bytes) -> bytes | None:
    """The part of a query that visitors of one page have in common, as a key of caches; None if it has none."""
    # The script ends a query with a random number.
    parameters, _, random = raw.partition(b"&rnd=")
    return parameters if len(parameters) <= LONGEST_REMEMBERED and b"&" not in random else None


def parsed(raw: bytes) -> PixelQuery:
    """Like ``pixel_query``, without a cache."""
    text = _parameters(raw).get
    query = PixelQuery(
        path=text(b"p", ""),
        title=text(b"t", ""),
        ref=text(b"r", ""),
        event=_boolean("e", flag) if (flag := text(b"e", "")) else False,
        query=text(b"q", ""),
        width=_width(size) if (size := text(b"s", "")) else 0,
        bot=_bot(code) if (code := text(b"b", "0")) != "0" else 0,
        no_session=_boolean("ns", flag) if (flag := text(b"ns", "")) else False,
        props=_props(props) if (props := text(b"props", "")) else NO_PROPS,
        page=text(b"page", ""),
    )
    if len(query.path) * 4 > LONGEST_PATH and len(query.path.encode()) > LONGEST_PATH:
        msg = f"ignored because path is longer than {LONGEST_PATH} bytes ({len('/count?') + len(raw)} bytes)"
        raise PixelRefused(msg)
    return query


_remembered = lru_cache(QUERIES_REMEMBERED)(parsed)


def _parameters(raw: bytes) -> dict[bytes, str]:
    """The known parameters, decoded."""
    parameters: dict[bytes, str] = {}
    for part in raw.split(b"&"):
        name, _, value = part.partition(b"=")
        if name in _READ and name not in parameters:
            parameters[name] = _decoded(value) if len(value) <= LONGEST_REMEMBERED else _beginning(name, value)
    return parameters


def _beginning(name: bytes, value: bytes) -> str:
    """The part of a long value that is read; a page's query is cut between its parameters."""
    most = _READ[name]
    if len(value) > most:
        value = value[:most].rpartition(b"%26")[0] if name == b"q" else value[:most]
    return _decoded.__wrapped__(value)


@lru_cache(VALUES_REMEMBERED)
def _decoded(value: bytes) -> str:
    """A decoded value. Values repeat from page to page, so each is decoded once."""
    return unquote_to_bytes(value.replace(b"+", b" ")).decode("utf-8", ESCAPES)


_width = lru_cache(WIDTHS_REMEMBERED)(width_of)


def _boolean(name: str, text: str) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise PixelRefused(_undecodable(name, text)) from None


def _bot(text: str) -> int:
    """Parse the script's own bot code."""
    if not text:
        return 0
    if not _whole(text):
        raise PixelRefused(_undecodable("b", text))
    code = int(text)
    if code and code < LEAST_BOT:
        msg = f"wrong value: b={code}"
        raise PixelRefused(msg)
    return code


def _props(text: str) -> Mapping[str, str]:
    """The properties of a JSON object; none of what is something else.

    msgspec refuses halves of surrogate pairs, which browsers send where a page's text was cut.
    """
    try:
        values = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return NO_PROPS
    return texts_of(values) if isinstance(values, dict) else NO_PROPS


def _no_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are no JSON


def _undecodable(name: str, text: str) -> str:
    return f"error decoding parameters: {name}: {text[:100]!a}"
