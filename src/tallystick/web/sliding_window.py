"""Sliding-window rate limits with a short queue before the refusal."""

import time
from asyncio import AbstractEventLoop, Future, TimerHandle, get_running_loop
from collections import deque
from collections.abc import Callable, Hashable

from tallystick.services.common_limits import Learn
from tallystick.web.rate_limit import MOST_KEYS, Admission

QUEUE = 2
"""Requests of one key that wait instead of being refused."""


class _Log:
    """The times of one key's admitted requests, and its queue."""

    __slots__ = ("timer", "times", "waiting")

    def __init__(self) -> None:
        self.times: deque[float] = deque()
        self.waiting: deque[Future[Admission]] = deque()
        self.timer: TimerHandle | None = None


class SlidingWindows:
    """Exact sliding windows by key, which keep the time of every admission. Use it from one event loop.

    Args:
        amount: requests admitted in any span, at least 1.
        seconds: length of the span.
        queue: how many requests of one key may wait.
        clock: seconds, monotonic.

    Attributes:
        admitted: called with the key and 1 for each request that is admitted; None for no call.
    """

    def __init__(
        self, amount: int, seconds: float, queue: int = QUEUE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.amount, self.seconds = amount, seconds
        self._queue, self._clock = queue, clock
        self.admitted: Learn | None = None
        self._logs: dict[Hashable, _Log] = {}  # in the order of their newest times

    def __len__(self) -> int:
        """Number of keys in memory."""
        return len(self._logs)

    def enter(self, key: Hashable) -> "Admission | Future[Admission]":
        """Admit, queue or refuse a request. Returns a future if it is queued; cancel that to leave the queue."""
        admission = self.enter_at_once(key)
        if admission is not None:
            return admission
        now, log = self._clock(), self._logs[key]
        if len(log.waiting) >= self._queue:
            return self._admission(log, now, admitted=False)
        waiting: Future[Admission] = get_running_loop().create_future()
        log.waiting.append(waiting)
        waiting.add_done_callback(lambda future: self._left(log, future))
        self._set_timer(key, log, now, waiting.get_loop())
        return waiting

    def enter_at_once(self, key: Hashable) -> Admission | None:
        """Admit a request, or return None where it would have to wait or be refused; then nothing is taken."""
        now = self._clock()
        log = self._logs.get(key) or self._opened(key, now)
        self._pass_time(key, log, now)
        # Where there is a place, nobody waits.
        return self._admitted(key, log, now) if len(log.times) < self.amount else None

    def refusal(self, key: Hashable) -> Admission:
        """The refusal of a request that may not pass now."""
        log = self._logs.get(key)
        if log is None or not log.times:
            return Admission(admitted=False, limit=self.amount, left=self.amount, reset=0.0)
        return self._admission(log, self._clock(), admitted=False)

    def learn(self, key: Hashable, weight: int) -> None:
        """Take what another server has admitted from a key's places."""
        now = self._clock()
        log = self._logs.get(key) or self._opened(key, now)
        self._pass_time(key, log, now)
        log.times.extend([now] * min(weight, self.amount - len(log.times)))
        self._logs[key] = self._logs.pop(key, log)

    def _admitted(self, key: Hashable, log: _Log, now: float) -> Admission:
        log.times.append(now)
        if self.admitted is not None:
            self.admitted(key, 1)
        self._logs[key] = self._logs.pop(key, log)
        return self._admission(log, now, admitted=True)

    def _admission(self, log: _Log, now: float, *, admitted: bool) -> Admission:
        """Describe the window; ``reset`` is when the next place is free after those of the queued requests."""
        freed = min(len(log.waiting), len(log.times) - 1)
        reset = self.seconds - (now - log.times[freed])  # in this order rounding makes it no longer than the span
        return Admission(admitted, self.amount, self.amount - len(log.times), reset)

    def _pass_time(self, key: Hashable, log: _Log, now: float) -> None:
        """Drop the times before the span, and admit queued requests in their order."""
        times, waiting = log.times, log.waiting
        while times and times[0] + self.seconds <= now:
            times.popleft()
        while waiting and len(times) < self.amount:
            first = waiting.popleft()
            if not first.done():  # else it has just given its place up
                times.append(now)
                if self.admitted is not None:
                    self.admitted(key, 1)
                first.set_result(self._admission(log, now, admitted=True))

    def _set_timer(self, key: Hashable, log: _Log, now: float, loop: AbstractEventLoop) -> None:
        if log.timer is None:
            log.timer = loop.call_later(max(log.times[0] + self.seconds - now, 0), self._wake, key, log, loop)

    def _wake(self, key: Hashable, log: _Log, loop: AbstractEventLoop) -> None:
        log.timer = None
        now = self._clock()
        self._pass_time(key, log, now)
        if log.waiting:
            self._set_timer(key, log, now, loop)

    @staticmethod
    def _left(log: _Log, future: "Future[Admission]") -> None:
        if future.cancelled() and future in log.waiting:
            log.waiting.remove(future)

    def _opened(self, key: Hashable, now: float) -> _Log:
        """Open a key's log, and drop logs that are not needed any more: the longest idle ones are in front."""
        logs = self._logs
        while logs:
            oldest = next(iter(logs))
            log = logs[oldest]
            fresh = bool(log.times) and log.times[-1] + self.seconds > now
            if log.waiting or (fresh and len(logs) < MOST_KEYS):
                break
            del logs[oldest]
        opened = logs[key] = _Log()
        return opened
