"""Streams of events that are opened again whenever they end; nothing here does input or output.

Where a stream was is told to the server (``Last-Event-ID``).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

from tallystick.client.calls import Call, Repeat, nothing
from tallystick.client.errors import ConnectionFailed, ConnectionLost, Refused, UnexpectedAnswer
from tallystick.client.retrying import LONGEST_WAIT_S, backoff, translated, wanted_pause
from tallystick.client.server_sent import Decoder, Message

T = TypeVar("T")

PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)
SILENCE_S = 45.0
"""The server sends a comment each 15 s; after three that did not come the connection is dead."""


class Stream(ABC, Generic[T]):
    """One stream, over as many connections as it takes.

    Args:
        query: of every connection.
    """

    def __init__(self, path: str, query: Mapping[str, str | int | None]) -> None:
        self._path, self._query = path, query
        self._last_id: str | None = None
        self._tries = 0
        self._decoder = Decoder()

    @abstractmethod
    def told_by(self, message: Message) -> T | None:
        """What a message tells; None for one that is of no interest."""

    def opening(self) -> Call[None]:
        """The request that opens the stream, from where it was."""
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
        if self._last_id is not None:
            headers["Last-Event-ID"] = self._last_id
        return Call(
            method="GET",
            path=self._path,
            query=self._query,
            headers=headers,
            read=nothing,
            repeat=Repeat.SAFE,
            patience=SILENCE_S,
        )

    def opened(self) -> None:
        """It is open."""
        self._tries, self._decoder = 0, Decoder()

    def feed(self, piece: bytes) -> list[T]:
        """What the messages tell that a piece of the stream completes."""
        told: list[T] = []
        for message in self._decoder.feed(piece):
            self._last_id = message.id or self._last_id
            if (item := self.told_by(message)) is not None:
                told.append(item)
        return told

    def pause_after(self, error: Exception | None) -> float:
        """Seconds until it is opened again: its own pause, or the server's ``Retry-After`` where that is longer.

        Raises the error if opening it again is of no use, or not for more than a minute.
        """
        told = None if error is None else translated(error)
        if told is not None and not _passes(told):
            raise told from (error if told is not error else None)
        self._tries += 1
        return max(wanted_pause(told), backoff(PAUSES_S, self._tries - 1))


def _passes(error: Exception) -> bool:
    """Whether opening the stream again soon may help."""
    if isinstance(error, Refused):
        return error.passes and wanted_pause(error) <= LONGEST_WAIT_S
    return isinstance(error, ConnectionFailed | ConnectionLost)


def read(message: Message, kind: type[T]) -> T:
    """The data of a message.

    Raises:
        UnexpectedAnswer
    """
    try:
        return msgspec.json.decode(message.data, type=kind)
    except msgspec.DecodeError as error:
        text = f"{message.event}: {error}"
        raise UnexpectedAnswer(text) from error
