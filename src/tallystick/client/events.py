"""What happens to a person's counters, as it happens (see ``streams``). What is old or doubled is left out."""

import datetime as dt
from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct

from tallystick.client.counttogether_answers import Data
from tallystick.client.server_sent import Message
from tallystick.client.streams import Stream, read


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


class Following(Stream[Event]):
    """One person's events, over as many connections as it takes.

    Args:
        query: of every connection.
    """

    def __init__(self, query: Mapping[str, str | int | None]) -> None:
        super().__init__("/v1/events", query)
        self._latest: dict[tuple[str, type[Told]], Told] = {}

    def told_by(self, message: Message) -> Event | None:
        """The event that a message is; None for one that is old or of an unknown kind."""
        if message.event == "connected":
            return self._connected(message)
        if message.event not in _KINDS:
            return None
        event = read(message, _KINDS[message.event])
        if self._is_old(event):
            return None
        self._latest[event.counter, type(event)] = event
        return event

    def _connected(self, message: Message) -> Connected:
        connected = read(message, Connected)
        if not connected.recovered:
            self._latest.clear()
        return connected

    def _is_old(self, event: Told) -> bool:
        """A day that begins has the offset of the change before it, but shows another number."""
        latest = self._latest.get((event.counter, type(event)))
        if latest is None or latest.epoch != event.epoch or latest.offset is None or event.offset is None:
            return False
        return event.offset < latest.offset or event == latest
