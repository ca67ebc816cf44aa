"""Replaces characters in clients' texts that cannot be stored."""

import codecs

_UNSTORABLE = {0: "�", **dict.fromkeys(range(0xD800, 0xE000), "�")}


def storable(text: str) -> str:
    """Replace characters that databases or JSON cannot store, NUL and lone surrogates, by U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return text.translate(_UNSTORABLE)


def _as_escapes(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "".join(f"%{byte:02X}" for byte in error.object[error.start : error.end]), error.end


ESCAPES = "tallystick.escapes"
"""For ``errors=`` of decoding: bytes that are not UTF-8 become percent escapes, so that different bytes differ."""

codecs.register_error(ESCAPES, _as_escapes)
