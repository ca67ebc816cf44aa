"""The async client, on asyncio. ``blocking`` is its twin without ``await``."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from tallystick.client.arguments import with_checked_arguments
from tallystick.client.calls import Call, Follower, Many, Page, Plan, Sink
from tallystick.client.errors import refusal
from tallystick.client.retrying import Attempts
from tallystick.client.sending import (
    FAILURES,
    NO_HEADERS,
    RETRIES,
    TIMEOUT_S,
    checked,
    headers_of,
    length_of,
    policy_of,
    request_of,
)

T = TypeVar("T")


class Waiting:
    """An async client. Use it as an async context manager.

    Args:
        url, token, timeout, retries, idempotent, headers, transport: as for ``Blocking``.
    """

    @with_checked_arguments
    def __init__(  # noqa: PLR0913  # as for Blocking
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float | None = TIMEOUT_S,
        retries: int = RETRIES,
        idempotent: bool = True,
        headers: Mapping[str, str] = NO_HEADERS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._policy = policy_of(retries, timeout, idempotent=idempotent)
        self._http = httpx.AsyncClient(
            base_url=checked(url), headers=headers_of(token, headers), timeout=timeout, transport=transport
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def carry_out(self, plan: Plan[T]) -> T:
        """Send a call, or the calls of a flow, and return the result.

        Raises:
            ClientError
        """
        if isinstance(plan, Call):
            return await self._send(plan)
        result_of_step: object = None
        while True:
            try:
                step = plan.send(result_of_step)
            except StopIteration as done:
                result: T = done.value
                return result
            if isinstance(step, Call):
                result_of_step = await self._send(step)
            else:
                await asyncio.sleep(step.seconds)

    def all(self, many: Many[T]) -> AsyncGenerator[T, None]:
        """Yield every item of every page, or of a stream, in order."""
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
        return self._http.stream(**request_of(call, self._policy, self._http.timeout))

    async def _pages(self, first: Call[Page[T]]) -> AsyncGenerator[T, None]:
        call: Call[Page[T]] | None = first
        while call is not None:
            page = await self._send(call)
            for item in page.items:
                yield item
            call = page.next

    async def _follow(self, follower: Follower[T]) -> AsyncGenerator[T, None]:
        while True:
            failure: Exception | None = None
            try:
                async with self._opened(follower.opening()) as response:
                    if not response.is_success:
                        await response.aread()
                        raise refusal(response)
                    follower.opened()
                    async for piece in response.aiter_bytes():
                        for item in follower.feed(piece):
                            yield item
            except FAILURES as error:
                failure = error
            await asyncio.sleep(follower.pause_after(failure))
