"""GoatCounter's shapes: foreign names stop here."""

from datetime import UTC, datetime
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder()


def json(value: Any) -> bytes:  # noqa: ANN401  # whatever msgspec encodes
    """A body as the contract writes it: indented by two spaces, with a newline at the end."""
    return msgspec.json.format(_encoder.encode(value), indent=2) + b"\n"


def time(milliseconds: int | None) -> str | None:
    """RFC 3339 in UTC, whole seconds."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
