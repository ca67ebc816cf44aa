"""A counter as JSON. The names of this surface stop here."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from tallystick.model.counter import FOREVER, FROZEN, OWNED
from tallystick.services.counting.owned.rows import CounterOwner, OwnedCounter
from tallystick.surfaces.counters.errors import UNCACHED
from tallystick.web.answers import ApiResponse
from tallystick.web.refusals import Headers

REPLAYED: Headers = ((b"idempotent-replayed", b"true"),)
"""Marks the answer to a request that had been carried out before."""

_encode = msgspec.json.Encoder().encode


def counter_members(found: OwnedCounter) -> dict[str, Any]:
    """The members of a counter, in their order."""
    key, counter, owner = found.key, found.counter, found.owner or CounterOwner()
    return {
        "namespace": key.namespace,
        "key": key.key,
        "value": counter.value,
        "version": counter.version,
        "lower": counter.lower,
        "upper": counter.upper,
        "resettable": counter.resettable,
        "created": time_text(counter.created),
        "expires": None if counter.expires >= FOREVER else time_text(counter.expires),
        "owned": bool(counter.flags & OWNED),
        "locked": found.locked,
        "frozen": bool(counter.flags & FROZEN),
        "label": owner.label,
        "origins": owner.origins,
        "unique": owner.one_each or None,
    }


def time_text(at: int) -> str:
    """A time in UTC, as RFC 3339 has it, with milliseconds.

    Args:
        at: Unix milliseconds; what no year of four digits holds is the last moment of the year 9999.
    """
    moment = datetime.fromtimestamp(min(at, FOREVER) / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_json(value: object, status: int = 200, headers: Headers = ()) -> ApiResponse:
    """A value as a response that is not cached."""
    return ApiResponse(status, _encode(value), (*UNCACHED, *headers))
