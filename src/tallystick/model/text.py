"""What clients write may hold anything; what is stored may not."""

import codecs

_UNSTORABLE = {0: "�", **dict.fromkeys(range(0xD800, 0xE000), "�")}


def storable(text: str) -> str:
    """The text without what a database or JSON cannot hold: NUL and lone surrogates become U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return text.translate(_UNSTORABLE)


def _as_escapes(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "".join(f"%{byte:02X}" for byte in error.object[error.start : error.end]), error.end


ESCAPES = "tallystick.escapes"
"""For ``errors=`` of decoding: bytes that are no UTF-8 become percent escapes, so different bytes stay different."""

codecs.register_error(ESCAPES, _as_escapes)
