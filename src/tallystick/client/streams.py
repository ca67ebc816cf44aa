"""Streams of events that are reopened whenever they end. Nothing here does input or output.

A reopened stream continues after the last event received, by sending ``Last-Event-ID``.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

from tallystick.client.calls import Call, Repeat, nothing
from tallystick.client.errors import ConnectionFailed, ConnectionLost, Refused, UnexpectedAnswer
from tallystick.client.retrying import LONGEST_WAIT_S, backoff, requested_pause, translated
from tallystick.client.server_sent import Decoder, Message

T = TypeVar("T")

PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)
SILENCE_S = 45.0
"""The server sends a comment every 15 s; after three missing ones the connection counts as dead."""


class Stream(ABC, Generic[T]):
    """One stream, over as many connections as it takes.

    Args:
        query: parameters sent with every connection.
    """

    def __init__(self, path: str, query: Mapping[str, str | int | None]) -> None:
        self._path, self._query = path, query
        self._last_id: str | None = None
        self._tries = 0
        self._decoder = Decoder()

    @abstractmethod
    def item_of(self, message: Message) -> T | None:
        """Decode a message; None for one that carries no item."""

    def opening(self) -> Call[None]:
        """Build the request that opens the stream after the last event received."""
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
        """Note that the stream is open: failures are counted from 0 again."""
        self._tries, self._decoder = 0, Decoder()

    def feed(self, piece: bytes) -> list[T]:
        """Process received bytes. Returns the items of the messages that they complete."""
        items: list[T] = []
        for message in self._decoder.feed(piece):
            self._last_id = message.id or self._last_id
            if (item := self.item_of(message)) is not None:
                items.append(item)
        return items

    def pause_after(self, error: Exception | None) -> float:
        """Seconds to wait before reopening: the backoff, or the server's ``Retry-After`` where that is longer.

        Raises the error if reopening cannot help, or is not allowed for more than a minute.
        """
        failure = None if error is None else translated(error)
        if failure is not None and not _passes(failure):
            raise failure from (error if failure is not error else None)
        self._tries += 1
        return max(requested_pause(failure), backoff(PAUSES_S, self._tries - 1))


def _passes(error: Exception) -> bool:
    """Whether reopening the stream soon may help."""
    if isinstance(error, Refused):
        return error.passes and requested_pause(error) <= LONGEST_WAIT_S
    return isinstance(error, ConnectionFailed | ConnectionLost)


def read(message: Message, kind: type[T]) -> T:
    """Decode the data of a message.

    Raises:
        UnexpectedAnswer
    """
    try:
        return msgspec.json.decode(message.data, type=kind)
    except msgspec.DecodeError as error:
        text = f"{message.event}: {error}"
        raise UnexpectedAnswer(text) from error
