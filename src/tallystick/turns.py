"""Turns of work of which only some runs at once, shared fairly by those who ask for it.

A surface names who asks with ``asking``: a token, or a person. Whoever has the fewest turns at the moment, and of these
the one who has taken the least time so far, has the next turn. So many long turns of one asker do not delay others by
more than the rest of one of them.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from tallystick.errors import StoreBusy

ASKERS_KNOWN = 1_000
"""Beyond them, what askers who wait for nothing have taken is forgotten."""

_asking: ContextVar[Hashable] = ContextVar("asking", default=None)


@contextmanager
def asking(asker: Hashable) -> Iterator[None]:
    """Name who asks within the block, and in tasks that are started in it. All others are one asker."""
    token = _asking.set(asker)
    try:
        yield
    finally:
        _asking.reset(token)


def who_asks() -> Hashable:
    """Who asks, as ``asking`` has named it; None for all others."""
    return _asking.get()


class _Asker:
    """What one asker has taken, and waits for.

    Attributes:
        seconds: of its turns, and what others had taken when it came.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.running = 0
        self.waiting: deque[asyncio.Future[None]] = deque()

    @property
    def idle(self) -> bool:
        """Whether it neither has a turn nor waits for one."""
        return not self.running and not self.waiting


class Turns:
    """Used from one event loop.

    Args:
        at_once: turns that run at once.
        waiting: turns that are waited for at once.
        refusal: said to the asker who waits for most turns, when more are wanted.
    """

    def __init__(self, at_once: int, waiting: int, refusal: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._at_once, self._most_waiting, self._refusal, self._clock = at_once, waiting, refusal, clock
        self._askers: dict[Hashable, _Asker] = {}
        self._running = self._waiting = 0
        self._reached = 0.0
        """What the asker of the newest turn had taken: nobody who comes later begins with less."""

    async def take(self) -> "Turn":
        """Wait for a turn. The caller ends it.

        Raises:
            StoreBusy: too many are waiting, and nobody waits for more than this asker.
        """
        asker = self._asker(who_asks())
        if self._running < self._at_once and not self._waiting:
            self._begin(asker)
            return self._turn(asker)
        if self._waiting >= self._most_waiting:
            self._make_room(asker)
        future = asyncio.get_running_loop().create_future()
        asker.waiting.append(future)
        self._waiting += 1
        try:
            await future
        except asyncio.CancelledError:
            if not future.cancelled() and future.exception() is None:
                self._end(asker, 0.0)  # it had just begun
            elif future in asker.waiting:
                asker.waiting.remove(future)
                self._waiting -= 1
            raise
        return self._turn(asker)

    def _turn(self, asker: _Asker) -> "Turn":
        began = self._clock()
        return Turn(lambda: self._end(asker, self._clock() - began))

    def _asker(self, name: Hashable) -> _Asker:
        asker = self._askers.get(name)
        if asker is None:
            if len(self._askers) >= ASKERS_KNOWN:
                self._askers = {name: each for name, each in self._askers.items() if not each.idle}
            asker = self._askers[name] = _Asker(self._reached)
        elif asker.idle:
            asker.seconds = max(asker.seconds, self._reached)
        return asker

    def _make_room(self, asker: _Asker) -> None:
        """Refuse what came last of the asker who waits for most.

        Raises:
            StoreBusy: nobody waits for more than this asker.
        """
        most = max(self._askers.values(), key=lambda each: len(each.waiting))
        if len(most.waiting) <= len(asker.waiting) + 1:
            raise StoreBusy(self._refusal)
        last = most.waiting.pop()
        self._waiting -= 1
        if not last.done():  # else it was cancelled in this turn of the event loop, and its place is free
            last.set_exception(StoreBusy(self._refusal))

    def _begin(self, asker: _Asker) -> None:
        self._running += 1
        asker.running += 1
        self._reached = max(self._reached, asker.seconds)

    def _end(self, asker: _Asker, seconds: float) -> None:
        self._running -= 1
        asker.running -= 1
        asker.seconds += seconds
        if not self._running and not self._waiting:
            self._askers.clear()  # nobody has to wait because of anybody
        while self._waiting and self._running < self._at_once:
            following = min(
                (each for each in self._askers.values() if each.waiting), key=lambda each: (each.running, each.seconds)
            )
            future = following.waiting.popleft()
            self._waiting -= 1
            if not future.done():
                self._begin(following)
                future.set_result(None)


class Turn(NamedTuple):
    """A turn that has begun.

    Attributes:
        end: ends it; to be called once.
    """

    end: Callable[[], None]


class WaitingPlaces:
    """Bounds how many wait for the same thing, fairly to those who ask. Used from one event loop.

    Args:
        most: who wait at once.
        refusal: said to the asker who waits most often, when there are more.
    """

    def __init__(self, most: int, refusal: str) -> None:
        self._most, self._refusal = most, refusal
        self._places: dict[Hashable, deque[asyncio.Future[None]]] = {}
        self._waiting = 0

    async def until(self, event: "asyncio.Future[None]") -> None:
        """Wait for an event, which goes on when the caller is cancelled.

        Raises:
            StoreBusy: too many wait.
            Exception: of the event.
        """
        asker = who_asks()
        if self._waiting >= self._most:
            self._make_room(asker)
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        places = self._places.setdefault(asker, deque())
        places.append(place)
        self._waiting += 1
        try:
            await asyncio.wait({place, event}, return_when=asyncio.FIRST_COMPLETED)
            (event if event.done() else place).result()
        finally:
            if place in places:
                places.remove(place)
                self._left(asker)

    def _make_room(self, asker: Hashable) -> None:
        """Refuse what came last of the asker who waits most often.

        Raises:
            StoreBusy: nobody waits more often than this asker.
        """
        most = max(self._places, key=lambda each: len(self._places[each]))
        if len(self._places[most]) <= len(self._places.get(asker, ())) + 1:
            raise StoreBusy(self._refusal)
        place = self._places[most].pop()
        place.set_exception(StoreBusy(self._refusal))
        place.exception()  # known, also where the one who waited is cancelled in this turn of the event loop
        self._left(most)

    def _left(self, asker: Hashable) -> None:
        self._waiting -= 1
        if not self._places[asker]:
            del self._places[asker]
