"""What happens to a person's counters, as it happens; the stream is opened again whenever it ends.

Where it was is told to the server (``Last-Event-ID``), which then sends what was missed. What is old or doubled is
left out here. Nothing in this file does input or output.
"""

import datetime as dt
from collections.abc import Mapping
from typing import TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from tallystick.client.calls import Call, Repeat, nothing
from tallystick.client.counttogether_answers import Data
from tallystick.client.errors import ConnectionFailed, ConnectionLost, Refused, UnexpectedAnswer
from tallystick.client.retrying import backoff, translated
from tallystick.client.server_sent import Decoder, Message

Kind = TypeVar("Kind")

PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)
SILENCE_S = 45.0
"""The server sends a comment each 15 s; after three that did not come the connection is dead."""


class Connected(Struct, frozen=True):
    """The stream is open: whatever is committed from now on will be told.

    Attributes:
        recovered: everything that was missed meanwhile follows. If not, ask for the counters: the first time there
            is nothing to go on from, later it may lie too far back.
    """

    recovered: bool


class Told(Struct, frozen=True, kw_only=True, rename={"counter": "counterId"}):
    """What every notification says.

    Attributes:
        counter: its id.
        offset: its place among all changes.
        epoch: in which places mean anything; another one after a backup was restored.
    """

    counter: str
    offset: int | None = None
    epoch: str | None = None
    actor: str | None = None
    at: dt.datetime | None = None


class CounterUpdated(Told, frozen=True, kw_only=True, rename={"counter": "counterId", "name": "displayName"}):
    """A counter changed, or is new to you, or a day has begun.

    Attributes:
        data: all of it; None where the server cannot tell.
        delta: by how much the value changed; None where it was not about the value.
        actor: who did it; None when nobody did, or somebody gone.
    """

    name: str | None = None
    data: Data | None = None
    version: int | None = None
    delta: int | None = None


class CounterDeleted(Told, frozen=True, kw_only=True, rename={"counter": "counterId"}):
    """A counter is gone, or you no longer share it."""


class MembersChanged(Told, frozen=True, kw_only=True, rename={"counter": "counterId"}):
    """Somebody joined a counter, left it, or has another role."""


Event: TypeAlias = Connected | CounterUpdated | CounterDeleted | MembersChanged

_KINDS: Mapping[str, type[CounterUpdated | CounterDeleted | MembersChanged]] = {
    "counterUpdated": CounterUpdated,
    "counterDeleted": CounterDeleted,
    "counterMemberlistChanged": MembersChanged,
}


class Following:
    """One person's events, over as many connections as it takes.

    Args:
        query: of every connection.
    """

    def __init__(self, query: Mapping[str, str | int | None]) -> None:
        self._query = query
        self._last_id: str | None = None
        self._tries = 0
        self._decoder = Decoder()
        self._latest: dict[tuple[str, type[Told]], Told] = {}

    def opening(self) -> Call[None]:
        """The request that opens the stream, from where it was."""
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
        if self._last_id is not None:
            headers["Last-Event-ID"] = self._last_id
        return Call(
            method="GET",
            path="/v1/events",
            query=self._query,
            headers=headers,
            read=nothing,
            repeat=Repeat.SAFE,
            patience=SILENCE_S,
        )

    def opened(self) -> None:
        """It is open; the server says first how that went."""
        self._tries, self._decoder = 0, Decoder()

    def feed(self, piece: bytes) -> list[Event]:
        """The events that a piece of the stream completes."""
        told = [self._event(message) for message in self._decoder.feed(piece)]
        return [event for event in told if event is not None]

    def pause_after(self, error: Exception | None) -> float:
        """Seconds until it is opened again; raises the error if that is of no use."""
        told = None if error is None else translated(error)
        if isinstance(told, Refused) and told.passes:
            if told.retry_after is not None:
                return told.retry_after
        elif told is not None and not isinstance(told, ConnectionFailed | ConnectionLost):
            raise told from (error if told is not error else None)
        self._tries += 1
        return backoff(PAUSES_S, self._tries - 1)

    def _event(self, message: Message) -> Event | None:
        self._last_id = message.id or self._last_id
        if message.event == "connected":
            return self._connected(message)
        if message.event not in _KINDS:
            return None
        event = _read(message, _KINDS[message.event])
        if self._is_old(event):
            return None
        self._latest[event.counter, type(event)] = event
        return event

    def _connected(self, message: Message) -> Connected:
        connected = _read(message, Connected)
        if not connected.recovered:
            self._latest.clear()
        return connected

    def _is_old(self, event: Told) -> bool:
        """A day that begins has the offset of the change before it, but shows another number."""
        latest = self._latest.get((event.counter, type(event)))
        if latest is None or latest.epoch != event.epoch or latest.offset is None or event.offset is None:
            return False
        return event.offset < latest.offset or event == latest


def _read(message: Message, kind: type[Kind]) -> Kind:
    try:
        return msgspec.json.decode(message.data, type=kind)
    except msgspec.DecodeError as error:
        text = f"{message.event}: {error}"
        raise UnexpectedAnswer(text) from error
