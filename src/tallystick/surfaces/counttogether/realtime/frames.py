"""Messages to live connections: JSON-RPC notifications and server-sent events. Foreign names stop here."""

import datetime as dt
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from tallystick.model.change import Change
from tallystick.model.shared_counter import SharedCounter
from tallystick.services.zones import today_in
from tallystick.surfaces.counttogether import wire

PING, PONG = "ping", "pong"
METHOD_NOT_FOUND = -32601
"""JSON-RPC's own number."""

FRAMES_REMEMBERED = 4_096
"""A change is sent to many connections, but encoded once."""

_ANY_DAY = dt.date.min
"""The date for counters without days."""

METHODS = {"deleted": "counterDeleted", "members": "counterMemberlistChanged"}
"""By the kind of change; any other kind is ``counterUpdated``."""


class Place(Struct, frozen=True):
    """A connection's position in the numbering of changes.

    Attributes:
        recovered: whether all changes that the client has missed follow.
    """

    epoch: str
    offset: int
    recovered: bool


class ChangeEncoder(Struct, frozen=True):
    """Encodes changes for one connection.

    Attributes:
        version: of the API: 1 or 2.
        zone: the time zone of its days.
        epoch: the name of the numbering of changes.
        clock: Unix milliseconds.
    """

    version: int
    zone: ZoneInfo
    epoch: str
    clock: Callable[[], int]

    def frame(self, change: Change) -> str:
        """A change as a WebSocket's message."""
        return _frame(change, self.version, self._day(change), self.epoch)

    def event(self, change: Change) -> bytes:
        """A change as a server-sent event."""
        return _event(change, self.version, self._day(change), self.epoch)

    def _day(self, change: Change) -> dt.date | None:
        """Today, for counters of days; None for others, which are the same in all zones."""
        if change.state is None or change.state.type == "UpDown":
            return None
        return today_in(self.zone, self.clock())


def connected_frame(place: Place) -> str:
    """The first frame of a connection that resumes."""
    return _notification("connected", _place(place))


def connected_event(place: Place) -> bytes:
    """The first event of a stream."""
    return _sse("connected", _place(place), f"{place.epoch}:{place.offset}")


def result_frame(number: object, result: object) -> str:
    """The response to a client's request."""
    return wire.json({"jsonrpc": "2.0", "id": number, "result": result}).decode()


def error_frame(number: object, code: int, message: str) -> str:
    """The error response to a client's request."""
    return wire.json({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}).decode()


def _place(place: Place) -> Mapping[str, Any]:
    return {"epoch": place.epoch, "offset": place.offset, "recovered": place.recovered}


@lru_cache(FRAMES_REMEMBERED)
def _frame(change: Change, version: int, today: dt.date | None, epoch: str) -> str:
    return _notification(_method(change), _params(change, version, today, epoch))


@lru_cache(FRAMES_REMEMBERED)
def _event(change: Change, version: int, today: dt.date | None, epoch: str) -> bytes:
    return _sse(_method(change), _params(change, version, today, epoch), f"{epoch}:{change.number}")


def _notification(method: str, params: Mapping[str, Any]) -> str:
    return wire.json({"jsonrpc": "2.0", "method": method, "params": params}).decode()


def _sse(event: str, data: Mapping[str, Any], number: str) -> bytes:
    return b"event: %b\nid: %b\ndata: %b\n\n" % (event.encode(), number.encode(), wire.json(data))


def _method(change: Change) -> str:
    return METHODS.get(change.kind, "counterUpdated")


def _params(change: Change, version: int, today: dt.date | None, epoch: str) -> dict[str, Any]:
    """The contract's members first, then ours, which old clients ignore."""
    params: dict[str, Any] = {"counterId": change.counter}
    if change.state is not None:
        params |= _state(_as_of(change, change.state), version, today or _ANY_DAY)
    return params | {
        "version": change.version,
        "delta": change.delta,
        "actor": change.actor,
        "at": wire.time(change.at),
        "offset": change.number,
        "epoch": epoch,
    }


def _as_of(change: Change, state: SharedCounter) -> SharedCounter:
    """The counter with the value of its change, though it may have changed again since."""
    return state if change.value is None else msgspec.structs.replace(state, value=change.value)


def _state(counter: SharedCounter, version: int, today: dt.date) -> dict[str, Any]:
    if version == 1:
        return {"displayName": counter.name, "data": wire.data_of(counter, today)}
    return {"name": counter.name, "type": counter.type, "value": wire.value_of(counter, today)}
