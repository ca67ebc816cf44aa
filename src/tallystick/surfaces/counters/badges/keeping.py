"""Badges that were drawn, kept while there is room, and drawn on threads, a few at a time."""

import asyncio
from collections.abc import Callable
from hashlib import sha256

from msgspec import Struct

MOST_BYTES = 8_000_000
AT_ONCE = 2
MOST_WAITING = 200
_KEPT_BYTES = 600
"""About what an entry takes besides its body."""


class Drawn(Struct, frozen=True):
    """A badge as it is sent.

    Attributes:
        policy: of its content, for browsers.
    """

    body: bytes
    content_type: bytes
    policy: bytes

    @property
    def etag(self) -> bytes:
        """Changes with the body. Weak, because the same one names its compressed form."""
        return b'W/"%s"' % sha256(self.body).hexdigest()[:16].encode()


class TooMuchToDraw(Exception):
    """Too many badges wait to be drawn."""


class Drawings:
    """Draws each badge once, as long as it is kept; those that were not asked for longest are dropped first.

    Args:
        most: bytes that are kept.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most, self.bytes = most, 0
        self._kept: dict[object, Drawn] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def drawn(self, subject: object, draw: Callable[[], Drawn]) -> Drawn:
        """The badge of a subject.

        Args:
            subject: everything that the badge depends on, hashable.

        Raises:
            TooMuchToDraw
        """
        kept = self._kept.pop(subject, None)
        if kept is not None:
            self._kept[subject] = kept
            return kept
        if self._waiting >= MOST_WAITING:
            raise TooMuchToDraw
        self._waiting += 1
        try:
            async with self._places:
                made = await asyncio.to_thread(draw)
        finally:
            self._waiting -= 1
        self._keep(subject, made)
        return made

    def _keep(self, subject: object, made: Drawn) -> None:
        if subject in self._kept:
            return
        self._kept[subject] = made
        self.bytes += _size(made)
        while self.bytes > self._most:
            self.bytes -= _size(self._kept.pop(next(iter(self._kept))))


def _size(drawn: Drawn) -> int:
    return len(drawn.body) + _KEPT_BYTES
