"""A call of an API is described once, as a value; the blocking and the async client both send it.

An API is a class whose methods build ``Call``s and carry ``@answered`` or ``@each``. On a ``Blocking`` client such a
method answers ``T`` or a generator of ``T``; on a ``Waiting`` one an awaitable of ``T`` or an async generator. Type
checkers see both.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from enum import Enum
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeAlias, TypeVar, overload
from uuid import uuid4

import httpx
import msgspec
from msgspec import UNSET, Struct, UnsetType

from tallystick.client.errors import refusal, unexpected

if TYPE_CHECKING:
    from tallystick.client.blocking import Blocking
    from tallystick.client.waiting import Waiting

T = TypeVar("T")
P = ParamSpec("P")


class Repeat(Enum):
    """When a call may be sent again although it may have arrived."""

    SAFE = "it changes nothing, or the same thing twice is no harm"
    KEYED = "the server carries it out once, and knows it again by its Idempotency-Key"
    ONCE = "never"


class Sink(Protocol):
    """Where the body of a success goes instead of into memory. Its methods block."""

    def begin(self, length: int | None) -> None:
        """A body begins, for the first time or anew."""

    def write(self, piece: bytes) -> None:
        """The next piece of it."""

    def end(self, *, complete: bool) -> None:
        """It was complete, or was cut short."""


class Call(Struct, Generic[T], frozen=True, kw_only=True):
    """One request, and what its answer means.

    Attributes:
        path: behind the server's address; segments are quoted.
        read: what an answer that is no refusal says.
        query: what is None is not sent.
        body: sent as JSON.
        accepts: statuses beyond 2xx that ``read`` understands.
        key: an Idempotency-Key of the caller's own.
        made_key: the one that is sent otherwise, if need be; every repetition of the call carries the same.
        patience: seconds of silence that are borne; None for the client's timeout.
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
        """What the answer says.

        Raises:
            ClientError: it is a refusal, or not of this API.
        """
        if not response.is_success and response.status_code not in self.accepts:
            raise refusal(response)
        try:
            return self.read(response)
        except msgspec.DecodeError as error:
            raise unexpected(response) from error


class Pause(Struct, frozen=True):
    """A step between calls."""

    seconds: float


class Page(Struct, Generic[T], frozen=True):
    """Some of many things, and the call for the next ones; None at the end."""

    items: list[T]
    next: "Call[Page[T]] | None" = None


class Follower(Protocol[T]):
    """A stream that is opened again whenever it ends (see ``streams``)."""

    def opening(self) -> Call[None]:
        """The request that opens it."""

    def opened(self) -> None:
        """It is open."""

    def feed(self, piece: bytes) -> list[T]:
        """A piece of it has come: what that tells."""

    def pause_after(self, error: Exception | None) -> float:
        """Seconds until it is opened again; raises the error if that is of no use."""


Flow: TypeAlias = Generator[Call[Any] | Pause, Any, T]
"""Several calls with one result: yields each step and is sent what it answers."""

Asked: TypeAlias = Call[T] | Flow[T]
Many: TypeAlias = Call[Page[T]] | Follower[T]


class answered(Generic[P, T]):  # noqa: N801  # a decorator
    """A method whose call has one result."""

    def __init__(self, plan: Callable[Concatenate[Any, P], Asked[T]]) -> None:
        self._plan = plan
        update_wrapper(self, plan)  # type: ignore[arg-type]  # help() shows the method's own text

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: "Blocking", owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: "Waiting", owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        """The method of a client."""
        return self if client is None else _bound(client, self._plan, client.ask)


class each(Generic[P, T]):  # noqa: N801  # a decorator
    """A method whose call has many results, fetched as they are looked at."""

    def __init__(self, plan: Callable[Concatenate[Any, P], Many[T]]) -> None:
        self._plan = plan
        update_wrapper(self, plan)  # type: ignore[arg-type]  # as above

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: "Blocking", owner: type) -> Callable[P, Generator[T, None, None]]: ...
    @overload
    def __get__(self, client: "Waiting", owner: type) -> Callable[P, AsyncGenerator[T, None]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        """The method of a client."""
        return self if client is None else _bound(client, self._plan, client.all)


def _bound(client: object, plan: Callable[..., Any], send: Callable[[Any], Any]) -> Callable[..., Any]:
    def method(*arguments: object, **named: object) -> object:
        return send(plan(client, *arguments, **named))

    return update_wrapper(method, plan)


def json_as(kind: type[T]) -> Callable[[httpx.Response], T]:
    """Reads a JSON body; members that are not known are ignored."""
    decoder = msgspec.json.Decoder(kind)
    return lambda response: decoder.decode(response.content)


def nothing(_: httpx.Response) -> None:
    """Reads an answer that says no more than its status."""
