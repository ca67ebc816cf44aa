"""Descriptions of API calls as values, which the blocking and the async client both send.

An API is a class whose methods build ``Call``s and carry ``@answered`` or ``@each``. On a ``Blocking`` client such a
method returns ``T`` or a generator of ``T``; on a ``Waiting`` one an awaitable of ``T`` or an async generator. Type
checkers see both. Arguments are checked before anything is sent (see ``arguments``).
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from enum import Enum
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeAlias, TypeVar, overload
from uuid import uuid4

import httpx
import msgspec
from msgspec import UNSET, Struct, UnsetType

from tallystick.client.arguments import Arguments
from tallystick.client.errors import ClientError, refusal, unexpected

if TYPE_CHECKING:
    from tallystick.client.blocking import Blocking
    from tallystick.client.waiting import Waiting

T = TypeVar("T")
P = ParamSpec("P")

UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)
"""What decoding raises: no JSON or of another form, bytes that are no UTF-8, lists in lists without end."""


class Repeat(Enum):
    """When a call may be sent again although it may have arrived."""

    SAFE = "it changes nothing, or the same thing twice is no harm"
    KEYED = "the server carries it out once, and knows it again by its Idempotency-Key"
    ONCE = "never"


class Sink(Protocol):
    """Receives the body of a successful response in pieces, instead of memory. Its methods block."""

    def begin(self, length: int | None) -> None:
        """Start receiving a body of ``length`` bytes; called again when the download is retried."""

    def write(self, piece: bytes) -> None:
        """Receive the next piece."""

    def end(self, *, complete: bool) -> None:
        """Finish: the body was received whole, or the connection broke."""


class Call(Struct, Generic[T], frozen=True, kw_only=True):
    """One request, and how to read the response.

    Attributes:
        path: appended to the server's URL; segments are quoted.
        read: decodes a response that is not a refusal.
        query: parameters; those that are None are not sent.
        body: sent as JSON.
        accepts: statuses beyond 2xx that ``read`` understands.
        key: the caller's Idempotency-Key.
        made_key: sent when the call needs a key and the caller gave none; every retry sends the same one.
        patience: read timeout in seconds; None for the client's timeout.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    query: Mapping[str, str | int | None] = {}
    body: object | UnsetType = UNSET
    headers: Mapping[str, str] = {}
    accepts: frozenset[int] = frozenset()
    repeat: Repeat = Repeat.ONCE
    key: str | None = None
    made_key: str = msgspec.field(default_factory=lambda: uuid4().hex)
    sink: Sink | None = None
    patience: float | None = None

    def result(self, response: httpx.Response) -> T:
        """Decode a response.

        Raises:
            ClientError: it is a refusal, or it is not a response of this API.
        """
        if not response.is_success and response.status_code not in self.accepts:
            raise refusal(response)
        try:
            return self.read(response)
        except ClientError:
            raise
        except UNREADABLE as error:
            raise unexpected(response) from error


class Pause(Struct, frozen=True):
    """A wait between two calls of a flow."""

    seconds: float


class Page(Struct, Generic[T], frozen=True):
    """One page of items, and the call that gets the next page; None on the last one."""

    items: list[T]
    next: "Call[Page[T]] | None" = None


class Follower(Protocol[T]):
    """A stream that is reopened whenever it ends (see ``streams``)."""

    def opening(self) -> Call[None]:
        """Build the request that opens the stream."""

    def opened(self) -> None:
        """Note that the stream is open."""

    def feed(self, piece: bytes) -> list[T]:
        """Process received bytes. Returns the items that they complete."""

    def pause_after(self, error: Exception | None) -> float:
        """Seconds to wait before reopening; raises the error if reopening cannot help."""


Flow: TypeAlias = Generator[Call[Any] | Pause, Any, T]
"""Several calls with one result: a generator that yields each step and is sent its result."""

Plan: TypeAlias = Call[T] | Flow[T]
Many: TypeAlias = Call[Page[T]] | Follower[T]


class answered(Generic[P, T]):  # noqa: N801  # a decorator
    """Decorator of a method that returns one result."""

    def __init__(self, plan: Callable[Concatenate[Any, P], Plan[T]]) -> None:
        self._plan, self._expected = plan, Arguments(plan)
        update_wrapper(self, plan)  # type: ignore[arg-type]  # help() shows the method's own text

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: "Blocking", owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: "Waiting", owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        """The method of a client."""
        return self if client is None else _bound(client, self._plan, self._expected, client.carry_out)


class each(Generic[P, T]):  # noqa: N801  # a decorator
    """Decorator of a method that returns many results, fetched page by page during iteration."""

    def __init__(self, plan: Callable[Concatenate[Any, P], Many[T]]) -> None:
        self._plan, self._expected = plan, Arguments(plan)
        update_wrapper(self, plan)  # type: ignore[arg-type]  # as above

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: "Blocking", owner: type) -> Callable[P, Generator[T, None, None]]: ...
    @overload
    def __get__(self, client: "Waiting", owner: type) -> Callable[P, AsyncGenerator[T, None]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        """The method of a client."""
        return self if client is None else _bound(client, self._plan, self._expected, client.all)


def _bound(
    client: object, plan: Callable[..., Any], expected: Arguments, send: Callable[[Any], Any]
) -> Callable[..., Any]:
    def method(*arguments: object, **named: object) -> object:
        positional, keywords = expected.checked((client, *arguments), named)
        return send(plan(*positional, **keywords))

    method.__signature__ = expected.of_method  # type: ignore[attr-defined]  # help() shows it
    return update_wrapper(method, plan)


def json_as(kind: type[T]) -> Callable[[httpx.Response], T]:
    """Make a function that decodes a JSON body; unknown members are ignored."""
    decoder = msgspec.json.Decoder(kind)
    return lambda response: decoder.decode(response.content)


def nothing(_: httpx.Response) -> None:
    """Read a response whose status is all that matters."""
