"""One test for both kinds of clients: the async one is driven from outside of an event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from inspect import isawaitable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tallystick.ledger import Session, open_database
from tallystick.ledger.ledger import milliseconds
from tallystick.model.account import Permission
from tallystick.services.accounts.accounts import NewAccount, create_account
from tallystick.services.accounts.tokens import NewToken, create_token

COUNTERS = Permission.COUNTERS_READ | Permission.COUNTERS_WRITE

Step = httpx.Response | Exception | Callable[[], httpx.Response]


class Stream(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that comes in pieces, and may break off."""

    def __init__(self, pieces: Sequence[bytes], broken: Exception | None) -> None:
        self._pieces, self._broken = pieces, broken

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        if self._broken is not None:
            raise self._broken

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


def streamed(*pieces: bytes, broken: Exception | None = None) -> Step:
    """A success whose body comes in pieces."""
    return lambda: httpx.Response(200, stream=Stream(pieces, broken))


class Driven:
    """An async client that behaves like the blocking one; its methods are looked up by name."""

    def __init__(self, client: Any) -> None:
        self._client, self._runner = client, asyncio.Runner()

    def __enter__(self) -> Self:
        self._runner.run(self._client.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._client.__aexit__(kind, error, trace))
        self._runner.close()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def method(*arguments: Any, **named: Any) -> Any:
            told = getattr(self._client, name)(*arguments, **named)
            return self._runner.run(_awaited(told)) if isawaitable(told) else self._all(told)

        return method

    def _all(self, items: AsyncIterator[Any]) -> Iterator[Any]:
        try:
            while True:
                try:
                    yield self._runner.run(_awaited(anext(items)))
                except StopAsyncIteration:
                    return
        finally:
            self._runner.run(_awaited(items.aclose()))  # type: ignore[attr-defined]  # a generator


async def _awaited(what: Any) -> Any:
    return await what


class Script:
    """A server that answers what it was told to, one request after the other.

    Attributes:
        requests: what came.
    """

    def __init__(self, *steps: Step) -> None:
        self._steps = iter(steps)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = next(self._steps)
        if isinstance(step, Exception):
            raise step
        if not isinstance(step, httpx.Response):
            return step()
        # A fresh one: the blocking and the async client each wrap what they read.
        return httpx.Response(step.status_code, headers=step.headers, content=step.content)

    @property
    def keys(self) -> list[str | None]:
        """The Idempotency-Keys that came."""
        return [request.headers.get("Idempotency-Key") for request in self.requests]

    @contextmanager
    def client(self, blocking: type[Any], awaited: type[Any] | None, *arguments: Any, **options: Any) -> Iterator[Any]:
        """A client of this server: the blocking one, or the other one if there is one."""
        transport = httpx.MockTransport(self)
        opened = (
            blocking("http://server.test", *arguments, transport=transport, **options)
            if awaited is None
            else Driven(awaited("http://server.test", *arguments, transport=transport, **options))
        )
        with opened as client:
            yield client


def people_of_counters(data: Path, *names: str) -> list[str]:
    """Make people who have no site, in a data directory that may be in use; a token of each, for counters."""
    data.mkdir(parents=True, exist_ok=True)
    database = open_database(None, data)
    database.migrate()
    with closing(database.session(writes=True)) as session, session.transaction():
        return [_token_of(session, name, milliseconds()) for name in names]


def _token_of(session: Session, name: str, now: int) -> str:
    wanted = NewAccount(email=f"{name}@example.com", password="-", name=name, access={})
    person = create_account(session, wanted, now)
    return create_token(session, person, NewToken(name="a client", permissions=COUNTERS), now)[1]
