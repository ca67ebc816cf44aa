"""Request bodies: how large, how slow and how many at once.

``Bodies`` stands before all surfaces and wraps ``receive``; ``body_of`` reads a whole body within a surface.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Callable

from tallystick.server.limits import open_files_limit
from tallystick.web.address import ClientAddresses, rate_limit_name
from tallystick.web.asgi import AsgiApp, Message, Receive, Scope, Send
from tallystick.web.refusals import ApiRefused

SMALL_BODY = 64 * 1024
"""Bytes up to which a body counts as small: every form, and every request about one counter."""

LARGEST_BODY = 8 * 1024 * 1024
"""Bytes of the largest body that any surface accepts."""

LARGEST_STREAMED = 1_000_000_000
"""Bytes of the largest body that a surface streams, unless the operator says otherwise."""

WITHIN_S = 30.0
"""How long a body may take to arrive, from the moment it is first waited for."""

SMALL_SHARE = 1 / 3
"""The share of that time that small bodies have."""

LARGE_BODIES_BYTES = 64 * 1024 * 1024
ALL_BODIES_BYTES = 96 * 1024 * 1024
"""Memory for the bodies of all unanswered requests. The difference is left to small ones."""

UNFINISHED_PER_CLIENT = 128
"""Bodies of one client that may be incomplete at one time."""

UNFINISHED_OF_DESCRIPTORS = 4
"""Incomplete bodies may hold one of so many file descriptors; the others are left for requests that are whole."""

DESCRIPTORS_WITHOUT_LIMIT = 65_536
"""File descriptors that are reckoned with where the system sets no limit."""

RETRY_AFTER_S = 5
LONGEST_LENGTH = 20
"""Digits of a Content-Length."""

_HIGH, _LOW = rb"\\u[dD][89abAB][0-9a-fA-F]{2}", rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"


HALF_A_PAIR = re.compile(rb"%b(?!%b)|(?<!%b)%b" % (_HIGH, _LOW, _HIGH, _LOW))
"""Half of a surrogate pair as JSON escapes it, where every backslash begins an escape."""


def json_problem(error: Exception, body: bytes) -> str:
    """Why a body could not be decoded as JSON, where msgspec does not say it plainly; otherwise an empty text.

    Args:
        error: of the decoding.
    """
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if b"\\u" in body and HALF_A_PAIR.search(body[:SMALL_BODY].replace(b"\\\\", b"")):
        return "it has half of a surrogate pair, which is no character"
    return ""


class BodyRefused(ApiRefused):
    """Base of what is wrong with the way a body arrives.

    Attributes:
        retry_after: seconds after which trying again may help, or None.
    """

    retry_after: int | None = None


class BodyCutShort(BodyRefused):
    """The client closed the connection within a body, or sent invalid chunks."""

    def __init__(self) -> None:
        super().__init__("the body is not complete")


class BodyTooSlow(BodyRefused):
    """The body did not arrive in time.

    Args:
        seconds: how long the server waited.
    """

    status = 408

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the body did not arrive within {seconds:.3g} seconds")


class BodyTooLarge(BodyRefused):
    """The body is larger than the operator allows.

    Args:
        most: bytes.
    """

    status = 413

    def __init__(self, most: int) -> None:
        super().__init__(f"the body is larger than {most} bytes")


class TooManyBodies(BodyRefused):
    """Other requests use all the memory or all the connections that the server has for incomplete bodies."""

    status = 503
    retry_after = RETRY_AFTER_S
    headers = ((b"retry-after", b"%d" % RETRY_AFTER_S),)

    def __init__(self) -> None:
        super().__init__(f"the server is receiving too many requests at once; try again in {RETRY_AFTER_S} s")


class Bodies:
    """An ASGI application that limits what the bodies of another one's requests may cost.

    A body that breaks a limit raises ``BodyRefused`` from ``receive``, so that each surface answers in its own form.

    Args:
        unfinished_at_most: incomplete bodies of all clients together; by default a quarter of the file descriptors.
        within_s: seconds in which a body must arrive.
        largest: bytes of a body.
        streamed: whether a request's body is passed on and never held: it takes no memory, may be as large as
            ``largest_streamed``, and each of its parts may take ``within_s``.
    """

    def __init__(  # noqa: PLR0913  # one a limit
        self,
        app: AsgiApp,
        addresses: ClientAddresses,
        unfinished_at_most: int | None = None,
        *,
        within_s: float = WITHIN_S,
        largest: int = LARGEST_BODY,
        streamed: Callable[[Scope], bool] = lambda _scope: False,
        largest_streamed: int = LARGEST_STREAMED,
    ) -> None:
        self._app, self._addresses = app, addresses
        self._streamed, self.largest_streamed = streamed, largest_streamed
        self.within_s, self.largest = within_s, largest
        if unfinished_at_most is None:
            unfinished_at_most = (open_files_limit() or DESCRIPTORS_WITHOUT_LIMIT) // UNFINISHED_OF_DESCRIPTORS
        self._unfinished_at_most = unfinished_at_most
        self.held_bytes = 0
        self.unfinished: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and release its body's memory when it is answered."""
        arriving = _Streamed if self._streamed(scope) else _Arriving
        body = arriving(self, receive, rate_limit_name(self._addresses.of(scope)), announced_length(scope))
        try:
            await self._app(scope, body.receive, send)
        finally:
            body.release()

    def start(self, client: str) -> None:
        """Count one incomplete body.

        Raises:
            TooManyBodies: this client, or all together, have too many.
        """
        if (
            self.unfinished[client] >= UNFINISHED_PER_CLIENT
            or self.unfinished.total() >= self._unfinished_at_most  # few clients at a time, so the sum is cheap
        ):
            raise TooManyBodies
        self.unfinished[client] += 1

    def finish(self, client: str) -> None:
        """The body is complete, or given up."""
        self.unfinished[client] -= 1
        if not self.unfinished[client]:
            del self.unfinished[client]

    def hold(self, size: int, *, large: bool) -> None:
        """Reserve memory for a part of a body.

        Raises:
            TooManyBodies: no memory is left.
        """
        if self.held_bytes + size > (LARGE_BODIES_BYTES if large else ALL_BODIES_BYTES):
            raise TooManyBodies
        self.held_bytes += size


class _Arriving:
    """One request's body while it arrives."""

    __slots__ = (
        "_announced",
        "_bodies",
        "_client",
        "_complete",
        "_deadline",
        "_receive",
        "_size",
        "_started",
        "_waiting",
    )

    def __init__(self, bodies: Bodies, receive: Receive, client: str, announced: int) -> None:
        self._bodies, self._receive, self._client = bodies, receive, client
        self._size = 0
        self._started = 0.0
        self._announced = announced
        self._deadline = bodies.within_s * (1 if announced > SMALL_BODY else SMALL_SHARE)
        self._waiting = self._complete = False

    async def receive(self) -> Message:
        """Receive the next part; after the body's end, the server's messages about the connection.

        Raises:
            BodyTooLarge
            BodyTooSlow
            TooManyBodies
        """
        if self._announced > self.largest:
            raise BodyTooLarge(self.largest)
        if self._complete:
            return await self._receive()
        if not self._waiting:
            self._bodies.start(self._client)
            self._waiting = True
            self._started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(self._started + self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise BodyTooSlow(self._deadline) from None
        self._take(message)
        return message

    @property
    def largest(self) -> int:
        """Bytes that the body may have."""
        return self._bodies.largest

    def _take(self, message: Message) -> None:
        size = len(message.get("body", b""))
        if self._size + size > self.largest:
            raise BodyTooLarge(self.largest)
        self._count(size)
        if not message.get("more_body", False):
            self._complete = True
            self._finish()

    def _count(self, size: int) -> None:
        """Count a part that has arrived."""
        large = self._size + size > SMALL_BODY
        self._bodies.hold(size, large=large)
        self._size += size
        if large:
            self._deadline = self._bodies.within_s

    def _finish(self) -> None:
        if self._waiting:
            self._waiting = False
            self._bodies.finish(self._client)

    def release(self) -> None:
        """Release everything that the body holds, after the response."""
        self._finish()
        self._bodies.held_bytes -= self._size
        self._size = 0


class _Streamed(_Arriving):
    """A body whose parts are passed on and not held."""

    __slots__ = ()

    @property
    def largest(self) -> int:
        """Bytes that the body may have."""
        return self._bodies.largest_streamed

    def _count(self, size: int) -> None:
        self._size += size
        # The next part may take as long as this one might have.
        self._started, self._deadline = asyncio.get_running_loop().time(), self._bodies.within_s

    def release(self) -> None:
        """Release the place of the body; it holds no memory."""
        self._finish()


async def body_of(scope: Scope, receive: Receive, most: int) -> bytes | None:
    """The whole body of a request; None when it is longer than ``most`` bytes.

    Raises:
        BodyRefused: it does not arrive whole, or not in time.
    """
    if announced_length(scope) > most:
        return None
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyCutShort
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def may_have_body(scope: Scope) -> bool:
    """Whether a request announces a body."""
    for name, value in scope["headers"]:  # a plain loop: every count runs through it
        if name == b"content-length":
            return bool(value != b"0")
        if name == b"transfer-encoding":
            return True
    return False


def announced_length(scope: Scope) -> int:
    """The Content-Length in bytes; 0 if it is missing or malformed."""
    length: bytes = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(length) if length.isdigit() and len(length) < LONGEST_LENGTH else 0
