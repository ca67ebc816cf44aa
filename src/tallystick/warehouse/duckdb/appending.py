"""A thread that stores appended hits in commits: what the writers of the embedded journal and of the lake's share."""

from abc import ABC, abstractmethod
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from tallystick.gathering import GatheringThread, Resolvable, resolve_futures
from tallystick.model.hit import Hit
from tallystick.warehouse.types import IdempotencyRecord

QUEUE_LIMIT = 20_000
BATCH_LIMIT = 1_000
HITS_AT_ONCE = 10_000
"""Hits in one commit, unless a single append brings more."""


class Append(Struct, eq=False):
    """Pending hits, with the idempotency record of their request."""

    hits: Sequence[Hit]
    request: IdempotencyRecord | None
    future: Resolvable


class AppendThread(ABC):
    """Splits the appends that have gathered into commits, and resolves their futures.

    Args:
        loop: the event loop of the futures.

    Attributes:
        thread: set by the class that inherits, with ``_begin``.
    """

    thread: GatheringThread[Append]

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._submitted_hits = self._finished_hits = 0  # each raised by one thread only

    def _begin(self, name: str, idle: Callable[[], None]) -> GatheringThread[Append]:
        return GatheringThread(
            name,
            work=self._work,
            give_up=self._give_up,
            stop=self._stop,
            idle=idle,
            queue_limit=QUEUE_LIMIT,
            batch_limit=BATCH_LIMIT,
            loop=self._loop,
        )

    @property
    def waiting(self) -> int:
        """Number of hits that are not committed yet."""
        return self._submitted_hits - self._finished_hits

    def submit(self, item: Append) -> None:
        """Queue an append; called on the event loop.

        Raises:
            StoreBusy, StoreClosed: it is not queued.
        """
        self.thread.submit(item)
        self._submitted_hits += len(item.hits)

    def _work(self, batch: list[Append]) -> None:
        for part in list(_commits(batch)):
            self._finish(part, self._append(part))
            del batch[: len(part)]  # what is left is given up if the next part ends in an error

    def _finish(self, items: Sequence[Append], results: Sequence[object]) -> None:
        self._finished_hits += sum(len(item.hits) for item in items)
        resolve_futures(self._loop, [item.future for item in items], results)

    @abstractmethod
    def _append(self, part: Sequence[Append]) -> Sequence[object]:
        """Store appends in one commit. Returns a result for each."""

    @abstractmethod
    def _give_up(self, batch: list[Append], error: Exception) -> None:
        """Fail appends after an error of ``_work``."""

    @abstractmethod
    def _stop(self) -> None:
        """Called on the thread at its end."""


def _commits(appends: Sequence[Append]) -> Iterator[list[Append]]:
    """Split appends into parts of one commit each."""
    part: list[Append] = []
    size = 0
    for item in appends:
        if part and size + len(item.hits) > HITS_AT_ONCE:
            yield part
            part, size = [], 0
        part.append(item)
        size += len(item.hits)
    if part:
        yield part
