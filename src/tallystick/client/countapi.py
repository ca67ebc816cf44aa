"""Public counters: every call of CountAPI. A counter is identified by a key and optionally a namespace."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal, TypeVar

import httpx
from msgspec import Struct

from tallystick.client.arguments import refused_if_empty
from tallystick.client.blocking import Blocking
from tallystick.client.calls import Call, Repeat, answered, each, json_as
from tallystick.client.errors import refusal
from tallystick.client.paths import path_of_names
from tallystick.client.server_sent import Message
from tallystick.client.streams import Stream, read
from tallystick.client.waiting import Waiting

T = TypeVar("T")

MISSING = frozenset({int(httpx.codes.NOT_FOUND)})


class _Value(Struct, frozen=True):
    value: int


class Created(Struct, frozen=True):
    """A created counter."""

    namespace: str
    key: str
    value: int


class WasSet(Struct, frozen=True):
    """The values before and after a set."""

    old_value: int
    value: int


class Info(Struct, frozen=True):
    """A counter with its settings.

    Attributes:
        ttl: milliseconds until it expires unless it is counted again.
        created: Unix milliseconds.
    """

    namespace: str
    key: str
    ttl: int
    created: int
    update_lowerbound: int
    update_upperbound: int
    enable_reset: bool
    value: int


class Stats(Struct, frozen=True):
    """Totals of a server."""

    keys_created: int
    keys_updated: int
    requests: int
    version: str


class IntervalChange(Struct, frozen=True):
    """By how much a counter changed in an interval.

    Attributes:
        begin: the local date; of an hour with the time, as ``2026-11-30T07:00``.
        added: all changes together, up and down.
        value: at the end; None before the history begins.
    """

    begin: str
    added: int
    value: int | None


class ReachedValue(Struct, frozen=True):
    """A power of ten, and when the counter first rose to it."""

    value: int
    reached: datetime


class PublicHistory(Struct, frozen=True):
    """The history of a counter in a period.

    Attributes:
        changed: the hour of the last change; None where it was before hours were kept.
        begins: where the known history begins; None before the first change.
        interval: ``hour``, ``day``, ``week``, ``month`` or ``year``.
        added: the sum of the period.
    """

    namespace: str
    key: str
    value: int
    changed: datetime | None
    begins: datetime | None
    interval: str
    timezone: str
    added: int
    history: list[IntervalChange]
    milestones: list[ReachedValue]


class _ErrorMembers(Struct, frozen=True):
    code: str


class _ErrorAnswer(Struct, frozen=True):
    error: _ErrorMembers


class _State(Struct, frozen=True):
    value: int
    version: int


class CountApiCalls:
    """The calls of CountAPI. ``None`` as a result means that there is no such counter."""

    @answered
    def get(self, key: str, namespace: str | None = None) -> Call[int | None]:
        """Get the value of a counter."""
        return Call(
            method="GET", path=_path("get", namespace, key), read=_number_or_none, accepts=MISSING, repeat=Repeat.SAFE
        )

    @answered
    def hit(self, key: str, namespace: str | None = None, *, idempotency_key: str | None = None) -> Call[int]:
        """Add 1, creating the counter if necessary. Returns the new value.

        Args:
            idempotency_key: a key of your own, to repeat a hit after a restart; generated for each call otherwise.
        """
        return Call(
            method="GET", path=_path("hit", namespace, key), read=_number, repeat=Repeat.KEYED, key=idempotency_key
        )

    @answered
    def update(
        self, amount: int, key: str, namespace: str | None = None, *, idempotency_key: str | None = None
    ) -> Call[int | None]:
        """Add an amount, which may be negative. Returns the new value; ``Forbidden`` beyond the counter's bounds."""
        return Call(
            method="GET",
            path=_path("update", namespace, key),
            query={"amount": amount},
            read=_number_or_none,
            accepts=MISSING,
            repeat=Repeat.KEYED,
            key=idempotency_key,
        )

    @answered
    def set(self, value: int, key: str, namespace: str | None = None) -> Call[WasSet | None]:
        """Set the value of a counter created with ``enable_reset``; ``Forbidden`` for any other."""
        query = {"value": value}
        return Call(
            method="GET", path=_path("set", namespace, key), query=query, read=_or_none(WasSet), accepts=MISSING
        )

    @answered
    def info(self, key: str, namespace: str | None = None) -> Call[Info | None]:
        """Get a counter with its settings."""
        return Call(
            method="GET", path=_path("info", namespace, key), read=_or_none(Info), accepts=MISSING, repeat=Repeat.SAFE
        )

    @answered
    def create(  # noqa: PLR0913  # the API's own parameters
        self,
        key: str | None = None,
        namespace: str | None = None,
        *,
        value: int | None = None,
        enable_reset: bool = False,
        update_lowerbound: int | None = None,
        update_upperbound: int | None = None,
        unique: Literal["hour", "day", "visit"] | None = None,
    ) -> Call[Created]:
        """Create a counter; without a key the server makes one up. ``Conflict`` if it exists already.

        Args:
            update_lowerbound: the smallest amount of an update, at most 0; the server's default is -1.
            update_upperbound: the largest amount of an update, at least 0; the server's default is 1.
            unique: count each visitor once in it, and programs not at all; None for every request.
        """
        refused_if_empty("key", key)
        refused_if_empty("namespace", namespace)
        query = {
            "key": key,
            "namespace": namespace,
            "value": value,
            "enable_reset": int(enable_reset),
            "update_lowerbound": update_lowerbound,
            "update_upperbound": update_upperbound,
            "unique": unique,
        }
        return Call(method="GET", path="/create", query=query, read=json_as(Created))

    @answered
    def stats(self) -> Call[Stats]:
        """Get the totals of the server."""
        return Call(method="GET", path="/stats", read=json_as(Stats), repeat=Repeat.SAFE)

    @answered
    def history(  # noqa: PLR0913  # the API's own parameters
        self,
        key: str,
        namespace: str = "default",
        *,
        period: str | None = None,
        first: str | None = None,
        last: str | None = None,
        interval: str | None = None,
        timezone: str | None = None,
    ) -> Call[PublicHistory | None]:
        """Get by how much a counter changed, and when it passed 1,000, 10,000, ... An extension of Tallystick.

        Args:
            period: ``day``, ``24h``, ``month``, ``year``, ``all`` (the server's default), ``7d``, ``6mo`` and the like.
            first, last: in its place dates or moments as ISO 8601 has them, both included.
            interval: ``hour``, ``day``, ``week``, ``month`` or ``year``; one that suits the period if left out.
            timezone: an IANA name; UTC if left out.
        """
        query = {"period": period, "from": first, "to": last, "interval": interval, "timezone": timezone}
        return Call(
            method="GET",
            path=f"{_path('history', namespace, key)}.json",
            query=query,
            read=_history_or_none,
            accepts=MISSING,
            repeat=Repeat.SAFE,
        )

    @each
    def watch(self, key: str, namespace: str = "default") -> Stream[int]:
        """Yield the value of a counter now and after each change, without end. An extension of Tallystick.

        Of values in quick succession only the last is certain to come. ``NotFound`` if the counter does not exist, or
        when it is deleted.
        """
        return _Watching(_path("live", namespace, key), {})


class CountApi(Blocking, CountApiCalls):
    """Public counters, blocking: ``with CountApi("http://127.0.0.1:8080") as api: api.hit("visits")``."""


class AsyncCountApi(Waiting, CountApiCalls):
    """Public counters, awaited."""


class _Watching(Stream[int]):
    """The values of a counter. A reopened stream begins with the present state, which may be the last one again."""

    _last: _State | None = None

    def item_of(self, message: Message) -> int | None:
        if message.event != "message":
            return None
        state = read(message, _State)
        if state == self._last:
            return None
        self._last = state
        return state.value


def _path(verb: str, namespace: str | None, key: str) -> str:
    return path_of_names(verb, key) if namespace is None else path_of_names(verb, namespace, key)


def _or_none(kind: type[T]) -> Callable[[httpx.Response], T | None]:
    """Make a decoder that returns None for a 404 about the counter, and raises for one about the URL."""
    read = json_as(kind)

    def thing(response: httpx.Response) -> T | None:
        if response.status_code != httpx.codes.NOT_FOUND:
            return read(response)
        if "error" in _members(response):
            raise refusal(response)
        return None

    return thing


def _history_or_none(response: httpx.Response) -> PublicHistory | None:
    if response.status_code != httpx.codes.NOT_FOUND:
        return _history_in(response)
    if _error_in(response).error.code != "no-such-counter":
        raise refusal(response)
    return None


_history_in = json_as(PublicHistory)
_error_in = json_as(_ErrorAnswer)
_members = json_as(dict[str, object])
_value_in = json_as(_Value)
_value_or_none = _or_none(_Value)


def _number(response: httpx.Response) -> int:
    return _value_in(response).value


def _number_or_none(response: httpx.Response) -> int | None:
    body = _value_or_none(response)
    return None if body is None else body.value
