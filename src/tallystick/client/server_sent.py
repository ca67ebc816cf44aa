"""Decodes server-sent events (HTML standard, 9.2.6). Nothing here does input or output."""

import re

from msgspec import Struct

_line_end = re.compile(rb"\r\n|\n|\r")
MARK = b"\xef\xbb\xbf"
"""Some servers begin with a byte order mark."""


class Message(Struct, frozen=True):
    """One event.

    Attributes:
        id: of the last event that had one, this one included; None before.
    """

    event: str
    data: str
    id: str | None


class Decoder:
    """Bytes in, messages out. Comments, which only keep a connection alive, are dropped."""

    def __init__(self) -> None:
        self._bytes = b""
        self._id: str | None = None
        self._event = ""
        self._data: list[str] = []
        self._began = False

    def feed(self, piece: bytes) -> list[Message]:
        """Process received bytes. Returns the messages that they complete."""
        self._bytes += piece
        if not self._began and len(self._bytes) >= len(MARK):
            self._began, self._bytes = True, self._bytes.removeprefix(MARK)
        # A CR at the end may be half of a CR LF.
        ready = len(self._bytes) - self._bytes.endswith(b"\r")
        *lines, rest = _line_end.split(self._bytes[:ready])
        self._bytes = rest + self._bytes[ready:]
        return [message for line in lines if (message := self._line(line.decode("utf-8", "replace"))) is not None]

    def _line(self, line: str) -> Message | None:
        if not line:
            return self._complete()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._event = value
        elif field == "data":
            self._data.append(value)
        elif field == "id" and "\0" not in value:
            self._id = value
        return None

    def _complete(self) -> Message | None:
        event, data = self._event, self._data
        self._event, self._data = "", []
        return Message(event or "message", "\n".join(data), self._id) if data else None
