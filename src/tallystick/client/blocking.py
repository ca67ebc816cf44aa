"""The blocking client. ``waiting`` is its async twin; ``sending`` holds what both share."""

import time
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager
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


class Blocking:
    """A blocking client. Use it as a context manager; threads may share it.

    Args:
        url: of the server; with a path only if a proxy serves it under one.
        token: sent as ``Authorization: Bearer``.
        timeout: seconds that connecting, sending or waiting for a response may take; None for no limit.
        retries: tries after the first one; 0 for none. See ``retrying``.
        idempotent: whether the server supports ``Idempotency-Key``; set it to False for a server other than
            Tallystick: then a change is retried only if it cannot have arrived.
        headers: sent with every request.
        transport: used instead of the network, for tests.

    Raises:
        InvalidArgument: the URL is none, the token or a header cannot be sent, or a number is out of range.
    """

    @with_checked_arguments
    def __init__(  # noqa: PLR0913  # everything but the address has a usual value
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float | None = TIMEOUT_S,
        retries: int = RETRIES,
        idempotent: bool = True,
        headers: Mapping[str, str] = NO_HEADERS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._policy = policy_of(retries, timeout, idempotent=idempotent)
        self._http = httpx.Client(
            base_url=checked(url), headers=headers_of(token, headers), timeout=timeout, transport=transport
        )

    def __enter__(self) -> Self:
        self._http.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.__exit__(kind, error, trace)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def carry_out(self, plan: Plan[T]) -> T:
        """Send a call, or the calls of a flow, and return the result.

        Raises:
            ClientError
        """
        if isinstance(plan, Call):
            return self._send(plan)
        result_of_step: object = None
        while True:
            try:
                step = plan.send(result_of_step)
            except StopIteration as done:
                result: T = done.value
                return result
            if isinstance(step, Call):
                result_of_step = self._send(step)
            else:
                time.sleep(step.seconds)

    def all(self, many: Many[T]) -> Generator[T, None, None]:
        """Yield every item of every page, or of a stream, in order."""
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
        return self._http.stream(**request_of(call, self._policy, self._http.timeout))

    def _pages(self, first: Call[Page[T]]) -> Generator[T, None, None]:
        call: Call[Page[T]] | None = first
        while call is not None:
            page = self._send(call)
            yield from page.items
            call = page.next

    def _follow(self, follower: Follower[T]) -> Generator[T, None, None]:
        while True:
            failure: Exception | None = None
            try:
                with self._opened(follower.opening()) as response:
                    if not response.is_success:
                        response.read()
                        raise refusal(response)
                    follower.opened()
                    for piece in response.iter_bytes():
                        yield from follower.feed(piece)
            except FAILURES as error:
                failure = error
            time.sleep(follower.pause_after(failure))
