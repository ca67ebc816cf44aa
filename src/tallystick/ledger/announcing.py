"""NOTIFY and LISTEN: servers on one PostgreSQL notify each other that shared counters changed.

A notification may be lost: every server also polls each second. So a failure is logged once and retried, and
notifications are dropped meanwhile.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from threading import Event, Thread
from typing import Any

import psycopg
import structlog

from tallystick.errors import StoreBusy, StoreClosed, TallystickError
from tallystick.gathering import GatheringThread

CHANNEL = "tallystick_changes"
LOOKED_EVERY_S = 1.0
"""How often the listener checks whether it should stop."""
TRIED_AGAIN_AFTER_S = (0.5, 1.0, 2.0, 5.0, 10.0)
ANNOUNCEMENTS_AT_ONCE = 1_000

log = structlog.get_logger()

Connect = Callable[[], "psycopg.Connection[tuple[Any, ...]]"]


class Announcing:
    """Two threads with a connection each: one sends, one receives. Neither takes part in counting transactions.

    Args:
        connect: opens a connection; raises TallystickError.
        on_notification: called on a thread of this class when another server has sent a notification.
    """

    def __init__(self, connect: Connect, on_notification: Callable[[], None]) -> None:
        self._connect, self._on_notification = connect, on_notification
        self._sending: psycopg.Connection[tuple[Any, ...]] | None = None
        self._failures = 0
        self._not_before = 0.0
        self._stopping = Event()
        self._sender: GatheringThread[str] = GatheringThread(
            "announcing-sender",
            work=self._send,
            give_up=lambda _batch, _error: self._disconnect(),
            stop=self._disconnect,
            queue_limit=ANNOUNCEMENTS_AT_ONCE,
            batch_limit=ANNOUNCEMENTS_AT_ONCE,
        )
        self._listener = Thread(target=self._listen, name="announcing-listener", daemon=True)
        self._listener.start()

    def notify(self) -> None:
        """Send NOTIFY. Calls made while one is in flight are coalesced."""
        with suppress(StoreBusy, StoreClosed):
            self._sender.submit("something changed")

    async def close(self) -> None:
        """Stop both threads."""
        self._stopping.set()
        # The last notification wakes our own listener, so that it stops at once.
        self.notify()
        await self._sender.close()
        await asyncio.to_thread(self._listener.join)

    def _send(self, _: Sequence[str]) -> None:
        if time.monotonic() < self._not_before:
            return
        try:
            if self._sending is None:
                self._sending = self._connect()
                # Nothing is stored, so there is no need to wait for the disk.
                self._sending.execute("SET synchronous_commit = off")
            self._sending.execute(f"NOTIFY {CHANNEL}".encode())
            self._failures = 0
        except (psycopg.Error, TallystickError) as error:
            self._disconnect()
            if not self._failures:
                log.warning("other servers cannot be notified of changes; they poll each second", reason=str(error))
            self._not_before = time.monotonic() + _delay(self._failures)
            self._failures += 1

    def _disconnect(self) -> None:
        if self._sending is not None:
            connection, self._sending = self._sending, None
            with suppress(psycopg.Error):
                connection.close()

    def _listen(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                with closing(self._connect()) as connection:
                    connection.execute(f"LISTEN {CHANNEL}".encode())
                    failures = 0
                    # Notifications sent before LISTEN are lost.
                    self._on_notification()
                    self._receive(connection)
            except (psycopg.Error, TallystickError) as error:
                if not failures:
                    log.warning(
                        "notifications of other servers are not received; this one polls each second", reason=str(error)
                    )
                self._stopping.wait(_delay(failures))
                failures += 1

    def _receive(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        while not self._stopping.is_set():
            for notification in connection.notifies(timeout=LOOKED_EVERY_S, stop_after=1):
                if not self._is_own(notification.pid):
                    self._on_notification()

    def _is_own(self, backend: int) -> bool:
        sending = self._sending
        try:
            return sending is not None and sending.info.backend_pid == backend
        except psycopg.Error:
            return False  # it is being closed


def _delay(failures: int) -> float:
    return TRIED_AGAIN_AFTER_S[min(failures, len(TRIED_AGAIN_AFTER_S) - 1)]
