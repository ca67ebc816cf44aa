"""Says in words, with a pointer, why a JSON object does not have the form that an address takes."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from tallystick.web.refusals import ApiRefused

Body = TypeVar("Body", bound=Struct)

_KINDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
}
_at = re.compile(r"(?P<message>.*) - at `(?:key in )?\$(?P<place>[^`]*)`", re.DOTALL)
_part = re.compile(r"\.([^.\[]+)|\[([0-9]+|\.\.\.)\]")
_wrong_kind = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")
_unknown = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_missing = re.compile(r"Object missing required field `(.*)`", re.DOTALL)


def body_as(kind: type[Body], body: Mapping[str, Any]) -> Body:
    """A JSON object as a struct.

    Raises:
        ApiRefused: a key is missing, unknown or of another type; for example ``#/page: must be a text or null, not a
            whole number``.
    """
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise ApiRefused(_in_words(str(error))) from error


def _in_words(text: str) -> str:
    found = _at.fullmatch(text)
    message, place = (found["message"], found["place"]) if found else (text, "")
    pointer = "".join(f"/{name or number}" for name, number in _part.findall(place))
    return f"#{pointer}: {_reason(message)}"


def _reason(message: str) -> str:
    if kinds := _wrong_kind.fullmatch(message):
        wanted, sent = (" or ".join(_KINDS.get(kind, kind) for kind in text.split(" | ")) for text in kinds.groups())
        return f"must be {wanted}, not {sent}"
    if name := _unknown.fullmatch(message):
        return f'there is no key "{name[1]}"'
    if name := _missing.fullmatch(message):
        return f'the key "{name[1]}" is missing'
    return message.replace("`", "")
