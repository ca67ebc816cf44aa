"""Properties of a hit: names and values that a page sends with it, all of them texts.

They are stored as one canonical text, so that equal properties are equal texts, which DuckDB stores once a block: a
JSON object of texts, names sorted, without blanks; empty for no properties.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from tallystick.model.text import storable

MAX_PROPS = 30
"""Properties of one hit."""
MAX_PROP_NAME = 300
"""Bytes of UTF-8."""
MAX_PROP_VALUE = 2_000
"""Bytes of UTF-8."""

NO_PROPS: Mapping[str, str] = MappingProxyType({})

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(dict[str, str]).decode


def encoded(props: Mapping[str, str]) -> str:
    """The canonical text of properties that are within the limits."""
    return _encode(dict(props)).decode() if props else ""


def decoded(text: str) -> dict[str, str]:
    """The properties of a canonical text.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return _decode(text) if text else {}


def texts_of(values: Mapping[str, object]) -> dict[str, str]:
    """Properties as they are sent, as texts: the first ``MAX_PROPS`` that have a name and a value.

    Numbers and truth values become their JSON. Lists, objects, null and blank texts are no values.
    """
    props: dict[str, str] = {}
    for name, value in values.items():
        if (text := _text(value)) and name and not name.isspace():
            props[storable(name)] = storable(text)
            if len(props) >= MAX_PROPS:
                break
    return props


def is_too_long(name: str, value: str) -> bool:
    """Whether a property is beyond the limits."""
    return _is_longer(name, MAX_PROP_NAME) or _is_longer(value, MAX_PROP_VALUE)


def _text(value: object) -> str:
    """A value as text; empty for what is none."""
    if isinstance(value, str):
        return "" if value.isspace() else value
    return json.dumps(value) if isinstance(value, int | float) else ""


def _is_longer(text: str, most: int) -> bool:
    # A character takes at most 4 bytes.
    return len(text) * 4 > most and len(text.encode()) > most
