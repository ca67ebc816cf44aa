"""A thread that works in batches: while it handles one, the next one gathers. No timer."""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Generic, Protocol, TypeVar

import structlog

from tallystick.errors import StoreBusy, StoreClosed

log = structlog.get_logger()

Item = TypeVar("Item")


class Resolvable(Protocol):
    """What waits for the result of an item: a future, or something that stands in its place. Resolved once."""

    def done(self) -> bool:
        """Whether nobody waits any more."""

    def set_result(self, result: Any) -> None:  # noqa: ANN401
        """Take the result. Called on the event loop."""

    def set_exception(self, error: Exception) -> None:
        """Take the error. Called on the event loop."""


class GatheringThread(Generic[Item]):
    """Calls ``work`` on its own thread with the items submitted since the last call.

    Promise: every accepted item is passed to ``work`` once, also when the thread is stopped, and to ``give_up`` if
    ``work`` raises. No batch ends the thread.

    Args:
        name: the thread's name.
        work: handles one batch.
        give_up: fails a batch whose ``work`` raised.
        stop: called on the thread at its end.
        idle: called when nothing was submitted for ``idle_after`` seconds.
        queue_limit: the most pending items; ``submit`` refuses more.
        batch_limit: the most items of a batch.
    """

    def __init__(  # noqa: PLR0913  # keyword arguments
        self,
        name: str,
        *,
        work: Callable[[list[Item]], None],
        give_up: Callable[[list[Item], Exception], None],
        stop: Callable[[], None],
        idle: Callable[[], None] | None = None,
        idle_after: float = 1.0,
        queue_limit: int,
        batch_limit: int,
    ) -> None:
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self._work, self._give_up, self._stop, self._idle = work, give_up, stop, idle
        self._idle_after = idle_after if idle else None
        self.queue_limit, self._batch_limit = queue_limit, batch_limit
        self._closed = False
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """Number of pending items."""
        return self._queue.qsize()

    def submit(self, item: Item) -> None:
        """Queue an item.

        Raises:
            StoreBusy: the queue is full.
            StoreClosed: the thread is being stopped.
        """
        if self._closed:
            msg = "the server is stopping"
            raise StoreClosed(msg)
        if self._queue.qsize() >= self.queue_limit:
            msg = "too many requests are waiting"
            raise StoreBusy(msg)
        self._queue.put(item)

    async def close(self) -> None:
        """Handle all accepted items, then stop."""
        # submit and close run on the same event loop, so no item can follow the end mark.
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def end(self) -> None:
        """Like ``close``, but blocks; for a thread to which no event loop has submitted items yet."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while (batch := self._gather()) is not None:
                try:
                    if batch:
                        self._work(batch)
                    elif self._idle:
                        self._idle()
                except BaseException as error:  # a dead thread would leave all later items pending for ever
                    self._give_up(batch, raisable(error))
                    log.exception("a batch was given up")
        finally:
            self._stop()

    def _gather(self) -> list[Item] | None:
        """The next batch; empty when idle, None at the end mark."""
        queue = self._queue
        try:
            item = queue.get(timeout=self._idle_after)
        except Empty:
            return []
        if item is None:
            return None
        batch = [item]
        for _ in range(min(queue.qsize(), self._batch_limit - 1)):
            item = queue.get_nowait()
            if item is None:
                queue.put(None)
                break
            batch.append(item)
        return batch


def raisable(error: BaseException) -> Exception:
    """The error itself, or a RuntimeError around one that a future cannot hold or that would end an event loop."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    wrapped = RuntimeError(f"{type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped


def resolve_futures(loop: AbstractEventLoop, futures: Sequence[Resolvable], results: Sequence[object]) -> None:
    """Resolve futures from a thread, each with its result or its error, in one hop to the event loop."""
    try:
        loop.call_soon_threadsafe(_resolve, futures, results)
    except RuntimeError:
        # The loop is closed: the server stops at once.
        return


def _resolve(futures: Sequence[Resolvable], results: Sequence[object]) -> None:
    for future, result in zip(futures, results, strict=True):
        if future.done():
            continue  # the client has disconnected
        if isinstance(result, BaseException):
            future.set_exception(raisable(result))
        else:
            future.set_result(result)
