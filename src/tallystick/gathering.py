"""A thread that works in batches: while it handles one, the next one gathers. No timer."""

import asyncio
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Generic, Protocol, TypeVar

import structlog

from tallystick.errors import StoreBusy, StoreClosed

log = structlog.get_logger()

Item = TypeVar("Item")

ENOUGH = 64
"""A batch of so many items begins even while more are submitted."""

GATHERING_S = 0.001
"""The longest time that a batch waits for more items, to which the running iteration of the loop is added."""


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
        loop: the event loop on which ``submit`` is called. With it, a batch begins when an iteration of the loop has
            submitted no more items, or ``ENOUGH`` are pending. Without it, a batch begins with the first item, and
            ``submit`` may be called on any thread.
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
        loop: AbstractEventLoop | None = None,
    ) -> None:
        self._loop, self._enough = loop, 1 if loop is None else ENOUGH
        self._waiting: list[Item] = []
        self._ready = False
        """Whether the thread waits for a batch to begin."""
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._looking = False
        """Whether ``_look`` is scheduled. Only the event loop uses this and the next two."""
        self._seen, self._look_until = 0, 0.0
        self._work, self._give_up, self._stop, self._idle = work, give_up, stop, idle
        self._idle_after = idle_after if idle else None
        self.queue_limit, self._batch_limit = queue_limit, batch_limit
        self._closed = False
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """Number of pending items."""
        return len(self._waiting)

    def submit(self, item: Item) -> None:
        """Queue an item.

        Raises:
            StoreBusy: the queue is full.
            StoreClosed: the thread is being stopped.
        """
        if self._closed:
            msg = "the server is stopping"
            raise StoreClosed(msg)
        waiting = self._waiting
        if len(waiting) >= self.queue_limit:
            msg = "too many requests are waiting"
            raise StoreBusy(msg)
        waiting.append(item)
        # Tested after the append; the thread sets it before it tests for items. So one of the two notices the other.
        if self._ready:
            self._start()

    async def close(self) -> None:
        """Handle all accepted items, then stop."""
        # submit and close run on the same event loop, so no item can follow.
        if not self._closed:
            self._closed = True
            self._wake.put(None)
        await asyncio.to_thread(self._thread.join)

    def end(self) -> None:
        """Like ``close``, but blocks; for a thread to which no event loop has submitted items yet."""
        self._closed = True
        self._wake.put(None)
        self._thread.join()

    def _start(self) -> None:
        """Begin a batch: at once, or when the event loop submits no more items."""
        if self._loop is None:
            self._begin()
        elif self._ready and not self._looking:
            self._looking, self._seen, self._look_until = True, 0, time.perf_counter() + GATHERING_S
            # At least two looks: the first may come before the loop reads its sockets again.
            self._loop.call_soon(self._look, self._loop)

    def _look(self, loop: AbstractEventLoop) -> None:
        gathered = len(self._waiting)
        if self._seen < gathered < self._enough and time.perf_counter() < self._look_until:
            self._seen = gathered
            loop.call_soon(self._look, loop)
        else:
            self._looking = False
            self._begin()

    def _begin(self) -> None:
        self._ready = False
        self._wake.put(None)

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
        """The next batch; empty when idle, None at the end."""
        waiting = self._waiting
        while True:
            in_time = self._wait()
            # Other threads only append, so the copied items are the removed ones.
            if batch := waiting[: self._batch_limit]:
                del waiting[: len(batch)]
                return batch
            if self._closed:
                return None
            if not in_time:
                return []

    def _wait(self) -> bool:
        """Wait until a batch begins. Returns whether one did in time."""
        self._ready = True
        try:
            # These were submitted during the last batch.
            gathered = len(self._waiting)
            if self._closed or gathered >= self._enough:
                return True
            if gathered and self._loop is not None:
                self._loop.call_soon_threadsafe(self._start)
            self._wake.get(timeout=self._idle_after)
        except Empty:
            return False
        except RuntimeError:
            return True  # the loop is closed: the server stops at once
        finally:
            self._ready = False
        return True


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
        try:
            if isinstance(result, BaseException):
                future.set_exception(raisable(result))
            else:
                future.set_result(result)
        except Exception:
            # The other futures of the batch must get their results.
            log.exception("a result could not be delivered")
