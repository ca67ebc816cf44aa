"""Properties of a hit: names and values that a page sends with it, all of them texts.

They are stored as one canonical text, so that equal properties are equal texts, which DuckDB stores once a block: a
JSON object of texts, names sorted, without blanks; empty for no properties.
"""

from collections.abc import Mapping

import msgspec

MAX_PROPS = 30
"""Properties of one hit."""
MAX_PROP_NAME = 300
"""Bytes of UTF-8."""
MAX_PROP_VALUE = 2_000
"""Bytes of UTF-8."""

NO_PROPS = ""

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(dict[str, str]).decode


def encoded(props: Mapping[str, str]) -> str:
    """The canonical text of properties that are within the limits."""
    return _encode(props).decode() if props else NO_PROPS


def decoded(text: str) -> dict[str, str]:
    """The properties of a canonical text.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return _decode(text) if text else {}
