"""Public counters with owners: the calls of Tallystick's own API of public counters.

The client's token is a counter's secret, or a token of an account with the permissions ``counters-read`` and
``counters-write``. Counting itself is CountAPI's: see ``countapi``. Every ``POST`` carries an Idempotency-Key.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import httpx
from msgspec import UNSET, Struct, UnsetType

from tallystick.client.blocking import Blocking
from tallystick.client.calls import Call, Page, Repeat, answered, each, json_as, nothing
from tallystick.client.errors import refusal
from tallystick.client.paths import path_of_names
from tallystick.client.waiting import Waiting

T = TypeVar("T")

Unset = UnsetType
Window = Literal["hour", "day", "visit"]

PAGE = 500
"""Counters in one request."""
MISSING = frozenset({int(httpx.codes.NOT_FOUND)})


class PublicCounter(Struct, frozen=True):
    """A public counter.

    Attributes:
        version: rises by one with each change.
        lower, upper: the bounds of what everybody may add at once.
        resettable: whether everybody may set it.
        expires: None for a counter that never expires.
        owned: whether it has an owner.
        locked: whether only its owner changes it.
        origins: only pages of these origins count; empty for all.
        unique: each visitor counts once in it; None if every request counts.
        secret: proves the ownership; only in the answer of the call that made it, else empty.
    """

    namespace: str
    key: str
    value: int
    version: int
    lower: int
    upper: int
    resettable: bool
    created: dt.datetime
    expires: dt.datetime | None
    owned: bool
    locked: bool
    label: str
    origins: tuple[str, ...]
    unique: Window | None
    secret: str = ""


class CounterName(Struct, frozen=True):
    """What identifies a public counter."""

    namespace: str
    key: str


class Addition(CounterName, frozen=True):
    """One addition of many.

    Attributes:
        amount: signed; 1 creates a counter that does not exist.
    """

    amount: int = 1


class AdditionRefused(Struct, frozen=True):
    """Why an addition was not counted.

    Attributes:
        code: for programs, such as ``out-of-bounds``.
        message: for people.
    """

    code: str
    message: str


class Added(Struct, frozen=True):
    """The result of one addition of many.

    Attributes:
        value: afterwards; None without a counter.
        created: whether this created the counter.
        error: why it was not counted; None if it was.
    """

    namespace: str
    key: str
    value: int | None
    created: bool = False
    error: AdditionRefused | None = None


class _FoundCounters(Struct, frozen=True):
    counters: list[PublicCounter | None]


class _Results(Struct, frozen=True):
    results: list[Added]


class _PageOfCounters(Struct, frozen=True):
    counters: list[PublicCounter]
    after: str | None


class _Reservation(Struct, frozen=True):
    reserved: bool


class PublicCounterCalls:
    """The calls of the API of public counters."""

    @answered
    def create(  # noqa: PLR0913  # what is left out is as usual
        self,
        namespace: str,
        key: str,
        *,
        value: int | Unset = UNSET,
        lower: int | Unset = UNSET,
        upper: int | Unset = UNSET,
        resettable: bool | Unset = UNSET,
        locked: bool | Unset = UNSET,
        label: str | Unset = UNSET,
        origins: Sequence[str] | Unset = UNSET,
        unique: Window | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> Call[PublicCounter]:
        """Create a counter. ``Conflict`` if it exists already.

        It belongs to the token's account; without a token, to whoever has the ``secret`` of the answer.

        Args:
            idempotency_key: a key of your own, to repeat the call after a restart; generated for each call otherwise.
        """
        named = {"namespace": namespace, "key": key}
        body = named | _said(
            value=value,
            lower=lower,
            upper=upper,
            resettable=resettable,
            locked=locked,
            label=label,
            origins=origins,
            unique=unique,
        )
        return _post(_at(), _counter, body, idempotency_key)

    @each
    def mine(self) -> Call[Page[PublicCounter]]:
        """Yield the counters of the token's account by name."""
        return _page(None)

    @answered
    def get(self, namespace: str, key: str) -> Call[PublicCounter | None]:
        """Get a counter without counting; None if there is none."""
        return Call(method="GET", path=_at(namespace, key), read=_counter_or_none, accepts=MISSING, repeat=Repeat.SAFE)

    @answered
    def read(self, counters: Sequence[CounterName]) -> Call[list[PublicCounter | None]]:
        """Get up to 500 counters without counting, in this order; None for each that does not exist."""
        body = {"counters": [{"namespace": each.namespace, "key": each.key} for each in counters]}
        return Call(method="POST", path=_at("read"), body=body, read=_found, repeat=Repeat.SAFE)

    @answered
    def add(self, additions: Sequence[Addition], *, idempotency_key: str | None = None) -> Call[list[Added]]:
        """Add to up to 500 counters, in this order. Returns a result for each: some may be refused, the others count.

        A refusal is no exception: look at each ``error``. Send refused additions again with a new call.

        Args:
            idempotency_key: a key of your own, to repeat the call after a restart, of 16 characters or more without a
                token; generated for each call otherwise.
        """
        return _post(_at("add"), _added, {"counters": list(additions)}, idempotency_key)

    @answered
    def change(  # noqa: PLR0913  # what is left out stays
        self,
        namespace: str,
        key: str,
        *,
        lower: int | Unset = UNSET,
        upper: int | Unset = UNSET,
        resettable: bool | Unset = UNSET,
        locked: bool | Unset = UNSET,
        label: str | Unset = UNSET,
        origins: Sequence[str] | Unset = UNSET,
        unique: Window | Unset | None = UNSET,
    ) -> Call[PublicCounter]:
        """Change what a counter allows; what is left out stays."""
        body = _said(
            lower=lower,
            upper=upper,
            resettable=resettable,
            locked=locked,
            label=label,
            origins=origins,
            unique=unique,
        )
        return Call(method="PATCH", path=_at(namespace, key), body=body, read=_counter, repeat=Repeat.SAFE)

    @answered
    def set(self, namespace: str, key: str, value: int, *, idempotency_key: str | None = None) -> Call[PublicCounter]:
        """Set the value, whatever the counter allows others."""
        return _post(_at(namespace, key, "set"), _counter, {"value": value}, idempotency_key)

    @answered
    def reset(self, namespace: str, key: str, *, idempotency_key: str | None = None) -> Call[PublicCounter]:
        """Set the value to 0."""
        return _post(_at(namespace, key, "reset"), _counter, {}, idempotency_key)

    @answered
    def rename(
        self,
        namespace: str,
        key: str,
        new_key: str,
        new_namespace: str | Unset = UNSET,
        *,
        idempotency_key: str | None = None,
    ) -> Call[PublicCounter]:
        """Give a counter another name; its value, history and owner stay with it."""
        body = {"key": new_key} | _said(namespace=new_namespace)
        return _post(_at(namespace, key, "rename"), _counter, body, idempotency_key)

    @answered
    def claim(self, namespace: str, key: str, *, idempotency_key: str | None = None) -> Call[PublicCounter]:
        """Make the token's account the owner of a counter that nobody owns, in the namespace with your site's name."""
        return _post(_at(namespace, key, "claim"), _counter, {}, idempotency_key)

    @answered
    def renew_secret(self, namespace: str, key: str, *, idempotency_key: str | None = None) -> Call[PublicCounter]:
        """Give a counter a new ``secret``; the one before proves nothing any more."""
        return _post(_at(namespace, key, "secret"), _counter, {}, idempotency_key)

    @answered
    def delete(self, namespace: str, key: str) -> Call[None]:
        """Delete a counter with its history."""
        return Call(method="DELETE", path=_at(namespace, key), read=nothing)

    @answered
    def is_reserved(self, namespace: str) -> Call[bool]:
        """Whether only the owner of a site creates counters in a namespace."""
        return Call(method="GET", path=_at(namespace), read=_reserved, repeat=Repeat.SAFE)

    @answered
    def reserve(self, namespace: str) -> Call[None]:
        """Let only admins of your site create counters in the namespace that has its name."""
        return Call(method="PUT", path=_at(namespace), read=nothing, repeat=Repeat.SAFE)

    @answered
    def release(self, namespace: str) -> Call[None]:
        """Let everybody create counters in a namespace again."""
        return Call(method="DELETE", path=_at(namespace), read=nothing, repeat=Repeat.SAFE)


class PublicCounters(Blocking, PublicCounterCalls):
    """Public counters, blocking: ``with PublicCounters(url, secret) as api: api.reset("example.com", "visits")``."""


class AsyncPublicCounters(Waiting, PublicCounterCalls):
    """Public counters, awaited."""


_counter = json_as(PublicCounter)
_page_in = json_as(_PageOfCounters)
_reservation = json_as(_Reservation)
_found_in = json_as(_FoundCounters)
_results_in = json_as(_Results)
_error = json_as(dict[str, dict[str, str]])


def _at(*names: str) -> str:
    return path_of_names("api", "counters", *names)


def _said(**members: object) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not UNSET}


def _post(path: str, read: Callable[[httpx.Response], T], body: object, key: str | None) -> Call[T]:
    return Call(method="POST", path=path, body=body, read=read, repeat=Repeat.KEYED, key=key)


def _page(after: str | None) -> Call[Page[PublicCounter]]:
    query = {"limit": PAGE, "after": after}

    def read(response: httpx.Response) -> Page[PublicCounter]:
        page = _page_in(response)
        return Page(page.counters, None if page.after is None else _page(page.after))

    return Call(method="GET", path=_at(), query=query, read=read, repeat=Repeat.SAFE)


def _counter_or_none(response: httpx.Response) -> PublicCounter | None:
    if response.status_code != httpx.codes.NOT_FOUND:
        return _counter(response)
    if _error(response).get("error", {}).get("code") != "no-such-counter":
        raise refusal(response)
    return None


def _found(response: httpx.Response) -> list[PublicCounter | None]:
    return _found_in(response).counters


def _added(response: httpx.Response) -> list[Added]:
    return _results_in(response).results


def _reserved(response: httpx.Response) -> bool:
    return _reservation(response).reserved
