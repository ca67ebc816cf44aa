"""Decodes parameters and bodies of this contract (1.0)."""

import json
import re
from asyncio import to_thread
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

from tallystick.model.moments import without_leap_second
from tallystick.model.text import ESCAPES
from tallystick.surfaces.goatcounter.errors import InvalidValues
from tallystick.web.bodies import HALF_A_PAIR, json_problem
from tallystick.web.query import first_values
from tallystick.web.refusals import ApiRefused

Body = TypeVar("Body")

LONGEST_QUERY = 65_536
"""Bytes; a list of thousands of path ids fits in."""
LONGEST_AT_ONCE = 8_192
"""Bytes that are decoded on the event loop; longer queries are decoded on a thread."""
LONGEST_BODY_AT_ONCE = 65_536
"""Bytes of a body that are decoded on the event loop."""
MOST_VALUES, MOST_OBJECTS = 400_000, 100_000
"""The most commas and opening braces in a longer body, those in texts included; the largest batch has far fewer."""
SLICE = 16_384
ESCAPE = len(rb"\ud83d")

TRUE = frozenset({"true", "on", "1", "checked"})

_whole = re.compile(r"[+-]?[0-9]{1,18}").fullmatch
_time = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))?", re.ASCII).fullmatch
_pair = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}").match
_unknown_field = re.compile(r"Object contains unknown field `(.*?)`(?: - at `[^`]*`)?", re.DOTALL).fullmatch


async def query_values(raw: bytes) -> dict[str, str]:
    """A query's parameters, percent-decoded; the first value of a repeated one.

    Raises:
        ApiRefused: 414, the query is too long.
    """
    if len(raw) > LONGEST_QUERY:
        msg = f"the query is longer than {LONGEST_QUERY} bytes"
        raise ApiRefused(msg, 414)
    # Paths may have bytes that are not UTF-8, also where they are parameters.
    return first_values(raw, ESCAPES) if len(raw) <= LONGEST_AT_ONCE else await to_thread(first_values, raw, ESCAPES)


class Parameters:
    """The query parameters of one endpoint. An empty parameter counts as missing.

    Args:
        query: as it was sent.
        names: the parameters of the endpoint, in ``snake_case``; each may also be sent in
            ``CamelCase``, as one published client does.

    Raises:
        ApiRefused: a parameter is unknown.
    """

    def __init__(self, query: Mapping[str, str], names: Collection[str]) -> None:
        spellings = {name: name for name in names} | {_camel_case(name): name for name in names}
        self._values: dict[str, str] = {}
        for name, value in query.items():
            if name not in spellings:
                raise ApiRefused(unknown_parameter(name))
            self._values.setdefault(spellings[name], value)

    def text(self, name: str) -> str:
        """The value as sent; empty if it is missing."""
        return self._values.get(name, "")

    def integer(self, name: str, default: int) -> int:
        """Parse a whole number.

        Raises:
            ApiRefused: it is not a whole number.
        """
        text = self.text(name).strip()
        if not text:
            return default
        if not _whole(text):
            raise ApiRefused(_bad_value(name, text, "a whole number"))
        return int(text)

    def flag(self, name: str) -> bool:
        """Whether a flag is on; any value that is not in ``TRUE`` is off."""
        return self.text(name).strip() in TRUE

    def words(self, name: str) -> list[str]:
        """A list, separated by commas or spaces."""
        return self.text(name).replace(",", " ").split()

    def time(self, name: str) -> int | None:
        """A date (its midnight in UTC) or RFC 3339, as Unix seconds; None if it is missing.

        Raises:
            ApiRefused: it is neither.
        """
        text = self.text(name).strip()
        return _seconds(name, text) if text else None


def moment_of(text: str) -> datetime:
    """A date (its midnight in UTC) or RFC 3339.

    Raises:
        ValueError: it is neither.
    """
    if not _time(text):
        msg = "neither a date nor RFC 3339"
        raise ValueError(msg)
    plain, leap = without_leap_second(text)
    moment = datetime.fromisoformat(plain)
    try:
        moment += timedelta(seconds=leap)
    except OverflowError as error:
        msg = "after the year 9999"
        raise ValueError(msg) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _seconds(name: str, text: str) -> int:
    try:
        return int(moment_of(text).timestamp())
    except ValueError as error:
        raise ApiRefused(_bad_value(name, text, "a date or RFC 3339 time")) from error


def unknown_parameter(name: str) -> str:
    """The message about an unknown parameter."""
    return f"unknown parameter: {json.dumps(name, ensure_ascii=False)}"


def _bad_value(name: str, value: str, kind: str) -> str:
    shown = json.dumps(value[:100], ensure_ascii=False)
    return f"invalid query parameters: field={name}: could not parse {shown} as {kind}"


def _camel_case(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def number_in(place: Mapping[str, str], name: str) -> int:
    """Parse a whole number in the path.

    Raises:
        InvalidValues: it is not a whole number.
    """
    text = place[name]
    if not _whole(text):
        raise InvalidValues({name: ["must be a whole number"]})
    return int(text)


async def body_as(kind: type[Body], body: bytes) -> Body:
    """A JSON body; an empty one is ``{}``. Long ones are decoded on a thread.

    Args:
        kind: a struct that forbids unknown fields.

    Raises:
        ApiRefused: it is not JSON, or not of this shape.
    """
    if len(body) <= LONGEST_BODY_AT_ONCE:
        return _body_as(kind, body)
    if body.count(b",") > MOST_VALUES or body.count(b"{") > MOST_OBJECTS:
        # Decoding them would hold the GIL, and so block all other requests, for a second.
        msg = f"invalid JSON: more than {MOST_VALUES} values or {MOST_OBJECTS} objects"
        raise ApiRefused(msg)
    return await to_thread(_body_as, kind, body)


def _body_as(kind: type[Body], body: bytes) -> Body:
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise ApiRefused(_misfit(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if b"\\u" not in body or body.count(b"\\\\") > MOST_VALUES:
            raise ApiRefused(_no_json(error, body)) from error
    try:
        return msgspec.json.decode(_with_whole_characters(body), type=kind)
    except msgspec.ValidationError as error:
        raise ApiRefused(_misfit(error)) from error
    except (ValueError, RecursionError) as error:
        raise ApiRefused(_no_json(error, body)) from error


def _with_whole_characters(body: bytes) -> bytes:
    """Replace escapes of half a surrogate pair by U+FFFD: scripts cut texts in the middle of a character.

    A slice at a time, because a regular expression holds the GIL.
    """
    # Now every backslash begins an escape.
    body = body.replace(b"\\\\", b"\\u005c")
    slices, start = [], 0
    while start < len(body):
        end = _end_of_slice(body, start + SLICE)
        slices.append(HALF_A_PAIR.sub(rb"\\ufffd", body[start:end]))
        start = end
    return b"".join(slices)


def _end_of_slice(body: bytes, start: int) -> int:
    """The first position from ``start`` on that is not within an escape or between the halves of a pair."""
    escape = body.find(b"\\", start)
    if escape < 0:
        return len(body)
    return escape + ESCAPE if _pair(body, escape - ESCAPE) else escape


def _misfit(error: msgspec.ValidationError) -> str:
    match = _unknown_field(str(error))
    return unknown_parameter(match[1]) if match else f"invalid JSON: {error}"


def _no_json(error: Exception, body: bytes) -> str:
    return f"invalid JSON: {json_problem(error, body) or error}"
