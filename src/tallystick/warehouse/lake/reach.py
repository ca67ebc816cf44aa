"""Waits until the lake has all hits that were acknowledged before, whichever node did it."""

import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock
from typing import Any

import psycopg

from tallystick.errors import StoreAway, StoreBusy, StoreUnavailable
from tallystick.warehouse.lake.connecting import Connect, LakeConnection, queries, translated
from tallystick.warehouse.types import IdempotencyRecord

WAITS_S = 12.0
"""The longest wait: a little more than another node needs to become the mover."""
LOOKS_EVERY_S = 0.02
LONGEST_PAUSE_S = 0.2


class Reach:
    """One connection that looks for batches which are not in the lake yet, and for records; used on any thread.

    Reads that wait at the same time share one look.
    """

    def __init__(self, connect: Connect, clock: Callable[[], float] = time.monotonic) -> None:
        self._connect, self._clock = connect, clock
        self._opened: LakeConnection | None = None
        self._alone = Lock()
        self._stopping = Event()
        self._began = self._reached = float("-inf")
        """When the newest look that found nothing waiting, or waited until it was moved, began."""

    def wait(self, waits: float = WAITS_S) -> None:
        """Return when the lake has all hits that were acknowledged before the call.

        Raises:
            StoreBusy: it has not within ``waits`` seconds.
            StoreUnavailable: PostgreSQL cannot be asked.
        """
        called = self._clock()
        if not self._alone.acquire(timeout=waits):
            raise _late()
        try:
            # Another read may have looked after this one was called.
            if self._reached < called:
                self._look(called + waits)
        finally:
            self._alone.release()

    def _look(self, until: float) -> None:
        began = self._clock()
        self._retried(lambda opened: self._wait_on(opened, until))
        self._reached = began

    def _wait_on(self, opened: LakeConnection, until: float) -> None:
        newest = queries.newest_waiting(opened.connection)[0]
        pause = LOOKS_EVERY_S
        while newest is not None and queries.still_waiting(opened.connection, seq=newest):
            if self._clock() + pause > until or self._stopping.wait(pause):
                raise _late()
            pause = min(pause * 1.2, LONGEST_PAUSE_S)

    def record(self, key: str) -> IdempotencyRecord | None:
        """The record of a request with hits.

        Raises:
            StoreUnavailable: PostgreSQL cannot be asked.
        """
        with self._alone:
            row = self._retried(lambda opened: queries.request(opened.connection, key=key))
        return IdempotencyRecord(*row) if row else None

    def _retried(self, ask: Callable[[LakeConnection], Any]) -> Any:  # noqa: ANN401  # of ``ask``
        """Ask on the kept connection, or on a new one where that was lost meanwhile."""
        if self._opened is not None:
            try:
                return self._asked(self._opened, ask)
            except StoreAway:
                pass
        self._opened = self._connect()
        return self._asked(self._opened, ask)

    def _asked(self, opened: LakeConnection, ask: Callable[[LakeConnection], Any]) -> Any:  # noqa: ANN401
        try:
            with translated(opened):
                return ask(opened)
        except StoreBusy:
            raise
        except StoreUnavailable:
            self.close()
            raise

    def stop(self) -> None:
        """End waiting: the server stops."""
        self._stopping.set()

    def close(self) -> None:
        """Close the connection; the next call opens another one."""
        if self._opened is not None:
            opened, self._opened = self._opened, None
            with suppress(psycopg.Error):
                opened.close()


def _late() -> StoreBusy:
    return StoreBusy("the statistics lack hits of the last seconds: try again in a few seconds")
