"""Live events of a person's counters (see ``streams``). Old and repeated events are dropped."""

import datetime as dt
from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct

from tallystick.client.counttogether_answers import Data
from tallystick.client.server_sent import Message
from tallystick.client.streams import Stream, read


class Connected(Struct, frozen=True):
    """The stream is open: every change committed from now on is sent.

    Attributes:
        recovered: whether all changes missed since the last event follow. If not, read the counters anew: the first
            connection has nothing to resume from, and later the last event may be too old.
    """

    recovered: bool


class Told(Struct, frozen=True, kw_only=True, rename={"counter": "counterId"}):
    """What all notifications have in common.

    Attributes:
        counter: the counter's id.
        offset: the number of the change.
        epoch: offsets are comparable within one epoch; restoring a backup begins another one.
    """

    counter: str
    offset: int | None = None
    epoch: str | None = None
    actor: str | None = None
    at: dt.datetime | None = None


class CounterUpdated(Told, frozen=True, kw_only=True, rename={"counter": "counterId", "name": "displayName"}):
    """A counter changed, is newly shared with you, or a new day has begun.

    Attributes:
        data: the counter's whole data; None for a type that the server does not know.
        delta: by how much the value changed; None if something else changed.
        actor: the account that made the change; None for a new day, or if the account was deleted.
    """

    name: str | None = None
    data: Data | None = None
    version: int | None = None
    delta: int | None = None


class CounterDeleted(Told, frozen=True, kw_only=True, rename={"counter": "counterId"}):
    """A counter was deleted, or is no longer shared with you."""


class MembersChanged(Told, frozen=True, kw_only=True, rename={"counter": "counterId"}):
    """A member joined a counter, left it, or has another role."""


Event: TypeAlias = Connected | CounterUpdated | CounterDeleted | MembersChanged

_KINDS: Mapping[str, type[CounterUpdated | CounterDeleted | MembersChanged]] = {
    "counterUpdated": CounterUpdated,
    "counterDeleted": CounterDeleted,
    "counterMemberlistChanged": MembersChanged,
}


class Following(Stream[Event]):
    """One person's events, over as many connections as it takes.

    Args:
        query: parameters sent with every connection.
    """

    def __init__(self, query: Mapping[str, str | int | None]) -> None:
        super().__init__("/v1/events", query)
        self._latest: dict[tuple[str, type[Told]], Told] = {}

    def item_of(self, message: Message) -> Event | None:
        """Decode an event; None for one that is old or of an unknown kind."""
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
        """Whether a newer or equal event was seen. A new day repeats the last change's offset with another number."""
        latest = self._latest.get((event.counter, type(event)))
        if latest is None or latest.epoch != event.epoch or latest.offset is None or event.offset is None:
            return False
        return event.offset < latest.offset or event == latest
