"""Public counters: every call of CountAPI. Counters are known by a key and, if they have one, a namespace."""

from collections.abc import Callable
from typing import TypeVar

import httpx
from msgspec import Struct

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
    """A counter that was made."""

    namespace: str
    key: str
    value: int


class WasSet(Struct, frozen=True):
    """What a set did."""

    old_value: int
    value: int


class Info(Struct, frozen=True):
    """Everything about a counter.

    Attributes:
        ttl: milliseconds that it lives unless it is counted.
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
    """What a server has done."""

    keys_created: int
    keys_updated: int
    requests: int
    version: str


class _State(Struct, frozen=True):
    value: int
    version: int


class CountApiCalls:
    """``None`` stands for a counter that is not there."""

    @answered
    def get(self, key: str, namespace: str | None = None) -> Call[int | None]:
        """The value of a counter."""
        return Call(
            method="GET", path=_path("get", namespace, key), read=_number_or_none, accepts=MISSING, repeat=Repeat.SAFE
        )

    @answered
    def hit(self, key: str, namespace: str | None = None, *, idempotency_key: str | None = None) -> Call[int]:
        """Count one; makes the counter if there is none. Gives the new value.

        Args:
            idempotency_key: one of your own, to repeat a hit after a restart; made for each call if left out.
        """
        return Call(
            method="GET", path=_path("hit", namespace, key), read=_number, repeat=Repeat.KEYED, key=idempotency_key
        )

    @answered
    def update(
        self, amount: int, key: str, namespace: str | None = None, *, idempotency_key: str | None = None
    ) -> Call[int | None]:
        """Add an amount, which may be negative; gives the new value. ``Forbidden`` beyond the counter's bounds."""
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
        """Set the value of a counter that was made with ``enable_reset``; else ``Forbidden``."""
        query = {"value": value}
        return Call(
            method="GET", path=_path("set", namespace, key), query=query, read=_or_none(WasSet), accepts=MISSING
        )

    @answered
    def info(self, key: str, namespace: str | None = None) -> Call[Info | None]:
        """Everything about a counter."""
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
    ) -> Call[Created]:
        """Make a counter; without a key it gets one. ``Conflict`` if it is there already.

        Args:
            update_lowerbound: the least amount of an update, 0 or below; -1 unless it is said.
            update_upperbound: the greatest one, 0 or above; 1 unless it is said.
        """
        query = {
            "key": key,
            "namespace": namespace,
            "value": value,
            "enable_reset": int(enable_reset),
            "update_lowerbound": update_lowerbound,
            "update_upperbound": update_upperbound,
        }
        return Call(method="GET", path="/create", query=query, read=json_as(Created))

    @answered
    def stats(self) -> Call[Stats]:
        """What the server has done."""
        return Call(method="GET", path="/stats", read=json_as(Stats), repeat=Repeat.SAFE)

    @each
    def watch(self, key: str, namespace: str = "default") -> Stream[int]:
        """The value of a counter now, and whenever it has changed, for as long as you look. Tallystick's own.

        What comes fast may be left out but for the newest. ``NotFound`` when the counter is not there, or no more.
        """
        return _Watching(_path("live", namespace, key), {})


class CountApi(Blocking, CountApiCalls):
    """Public counters, blocking: ``with CountApi("http://127.0.0.1:8080") as api: api.hit("visits")``."""


class AsyncCountApi(Waiting, CountApiCalls):
    """Public counters, awaited."""


class _Watching(Stream[int]):
    """The states of a counter; after a break the server begins with the present one, which may be known."""

    _known: _State | None = None

    def told_by(self, message: Message) -> int | None:
        if message.event != "message":
            return None
        state = read(message, _State)
        if state == self._known:
            return None
        self._known = state
        return state.value


def _path(verb: str, namespace: str | None, key: str) -> str:
    return path_of_names(verb, key) if namespace is None else path_of_names(verb, namespace, key)


def _or_none(kind: type[T]) -> Callable[[httpx.Response], T | None]:
    """Reads a thing; a 404 that is about the counter, not about the address, is None."""
    read = json_as(kind)

    def thing(response: httpx.Response) -> T | None:
        if response.status_code != httpx.codes.NOT_FOUND:
            return read(response)
        if "error" in _members(response):
            raise refusal(response)
        return None

    return thing


_members = json_as(dict[str, object])
_value_in = json_as(_Value)
_value_or_none = _or_none(_Value)


def _number(response: httpx.Response) -> int:
    return _value_in(response).value


def _number_or_none(response: httpx.Response) -> int | None:
    found = _value_or_none(response)
    return None if found is None else found.value
