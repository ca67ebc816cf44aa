"""The two ways to send a call: ``Blocking`` and ``Waiting``. What they share is in ``calls`` and ``retrying``."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeVar

import httpx
import msgspec
from msgspec import UNSET

from tallystick import __version__
from tallystick.client.calls import Asked, Call, Follower, Many, Page, Sink
from tallystick.client.errors import ClientError, refusal
from tallystick.client.retrying import Attempts, Policy

T = TypeVar("T")

TIMEOUT_S = 30.0
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
FAILURES = (httpx.TransportError, ClientError)


class Blocking:
    """A client whose calls return when they are answered. A context manager; may be shared by threads.

    Args:
        url: of the server, without a path unless it lies behind one.
        token: sent as ``Authorization: Bearer``.
        timeout: seconds that connecting, sending or waiting for an answer may take.
        retries: tries beyond the first one; 0 for none. See ``retrying``.
        idempotent: whether the server keeps what it answered to an ``Idempotency-Key``; False for a server that is
            not Tallystick, whose changes are then repeated only if they cannot have arrived.
        headers: sent with every request.
        transport: in place of the network.
    """

    def __init__(  # noqa: PLR0913  # everything but the address has a usual value
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = TIMEOUT_S,
        retries: int = Policy().retries,
        idempotent: bool = True,
        headers: Mapping[str, str] = NO_HEADERS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._policy = Policy(retries, idempotent)
        self._http = httpx.Client(
            base_url=_checked(url), headers=_headers(token, headers), timeout=timeout, transport=transport
        )

    def __enter__(self) -> Self:
        self._http.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.__exit__(kind, error, trace)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def ask(self, asked: Asked[T]) -> T:
        """Send a call, or the calls of a flow, and give the result.

        Raises:
            ClientError
        """
        if isinstance(asked, Call):
            return self._send(asked)
        answer: object = None
        while True:
            try:
                step = asked.send(answer)
            except StopIteration as done:
                result: T = done.value
                return result
            if isinstance(step, Call):
                answer = self._send(step)
            else:
                time.sleep(step.seconds)

    def all(self, many: Many[T]) -> Iterator[T]:
        """Give every item of every page, or of a stream, one after the other."""
        return self._pages(many) if isinstance(many, Call) else self._follow(many)

    def _send(self, call: Call[T]) -> T:
        attempts = Attempts(self._policy, call)
        while True:
            try:
                return self._once(call)
            except FAILURES as error:
                time.sleep(attempts.pause_after(error))

    def _once(self, call: Call[T]) -> T:
        with self._opened(call) as response:
            if call.sink is None or response.status_code != httpx.codes.OK:
                response.read()
                return call.result(response)
            self._save(response, call.sink)
            return call.result(response)

    def _save(self, response: httpx.Response, sink: Sink) -> None:
        sink.begin(length_of(response))
        complete = False
        try:
            for piece in response.iter_bytes():
                sink.write(piece)
            complete = True
        finally:
            sink.end(complete=complete)

    def _opened(self, call: Call[Any]) -> AbstractContextManager[httpx.Response]:
        return self._http.stream(**_request(call, self._policy, self._http.timeout))

    def _pages(self, first: Call[Page[T]]) -> Iterator[T]:
        call: Call[Page[T]] | None = first
        while call is not None:
            page = self._send(call)
            yield from page.items
            call = page.next

    def _follow(self, follower: Follower[T]) -> Iterator[T]:
        while True:
            failure: Exception | None = None
            try:
                with self._opened(follower.opening()) as response:
                    if not response.is_success:
                        response.read()
                        raise refusal(response)
                    yield from follower.opened()
                    for piece in response.iter_bytes():
                        yield from follower.feed(piece)
            except FAILURES as error:
                failure = error
            time.sleep(follower.pause_after(failure))


class Waiting:
    """A client whose calls are awaited, on asyncio. An async context manager.

    Args:
        url, token, timeout, retries, idempotent, headers, transport: as for ``Blocking``.
    """

    def __init__(  # noqa: PLR0913  # as above
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = TIMEOUT_S,
        retries: int = Policy().retries,
        idempotent: bool = True,
        headers: Mapping[str, str] = NO_HEADERS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._policy = Policy(retries, idempotent)
        self._http = httpx.AsyncClient(
            base_url=_checked(url), headers=_headers(token, headers), timeout=timeout, transport=transport
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def aclose(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def ask(self, asked: Asked[T]) -> T:
        """Send a call, or the calls of a flow, and give the result.

        Raises:
            ClientError
        """
        if isinstance(asked, Call):
            return await self._send(asked)
        answer: object = None
        while True:
            try:
                step = asked.send(answer)
            except StopIteration as done:
                result: T = done.value
                return result
            if isinstance(step, Call):
                answer = await self._send(step)
            else:
                await asyncio.sleep(step.seconds)

    def all(self, many: Many[T]) -> AsyncIterator[T]:
        """Give every item of every page, or of a stream, one after the other."""
        return self._pages(many) if isinstance(many, Call) else self._follow(many)

    async def _send(self, call: Call[T]) -> T:
        attempts = Attempts(self._policy, call)
        while True:
            try:
                return await self._once(call)
            except FAILURES as error:
                await asyncio.sleep(attempts.pause_after(error))

    async def _once(self, call: Call[T]) -> T:
        async with self._opened(call) as response:
            if call.sink is None or response.status_code != httpx.codes.OK:
                await response.aread()
                return call.result(response)
            await self._save(response, call.sink)
            return call.result(response)

    async def _save(self, response: httpx.Response, sink: Sink) -> None:
        await asyncio.to_thread(sink.begin, length_of(response))
        complete = False
        try:
            async for piece in response.aiter_bytes():
                await asyncio.to_thread(sink.write, piece)
            complete = True
        finally:
            await asyncio.to_thread(sink.end, complete=complete)

    def _opened(self, call: Call[Any]) -> AbstractAsyncContextManager[httpx.Response]:
        return self._http.stream(**_request(call, self._policy, self._http.timeout))

    async def _pages(self, first: Call[Page[T]]) -> AsyncIterator[T]:
        call: Call[Page[T]] | None = first
        while call is not None:
            page = await self._send(call)
            for item in page.items:
                yield item
            call = page.next

    async def _follow(self, follower: Follower[T]) -> AsyncIterator[T]:
        while True:
            failure: Exception | None = None
            try:
                async with self._opened(follower.opening()) as response:
                    if not response.is_success:
                        await response.aread()
                        raise refusal(response)
                    for item in follower.opened():
                        yield item
                    async for piece in response.aiter_bytes():
                        for item in follower.feed(piece):
                            yield item
            except FAILURES as error:
                failure = error
            await asyncio.sleep(follower.pause_after(failure))


def length_of(response: httpx.Response) -> int | None:
    """Bytes of a body, where the server says so."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _checked(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        msg = f"the server's address must begin with http:// or https://, not {url!r}"
        raise ValueError(msg)
    return url.rstrip("/")


def _headers(token: str | None, more: Mapping[str, str]) -> dict[str, str]:
    known = {"Accept": "application/json", "User-Agent": f"tallystick-client/{__version__}"}
    authorization = {} if token is None else {"Authorization": f"Bearer {token}"}
    return known | authorization | dict(more)


def _request(call: Call[Any], policy: Policy, timeout: httpx.Timeout) -> dict[str, Any]:
    """A call as httpx takes it."""
    headers = dict(call.headers)
    if (key := policy.key_of(call)) is not None:
        headers["Idempotency-Key"] = key
    content = None
    if call.body is not UNSET:
        headers["Content-Type"] = "application/json"
        content = msgspec.json.encode(call.body)
    if call.patience is not None:
        timeout = httpx.Timeout(timeout, read=call.patience)
    query = {name: value for name, value in call.query.items() if value is not None}
    return {
        "method": call.method,
        "url": call.path,
        "params": query or None,
        "headers": headers,
        "content": content,
        "timeout": timeout,
    }
