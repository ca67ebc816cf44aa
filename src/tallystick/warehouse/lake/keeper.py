"""The thread of a node that takes and extends the lease of the lake, and listens for those who wait for the mover.

It is not the mover's own thread: a change of many hits may take longer than the lease lasts.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread

import psycopg
import structlog

from tallystick.errors import StoreUnavailable
from tallystick.warehouse.duckdb.migrations import all_steps
from tallystick.warehouse.lake import lease
from tallystick.warehouse.lake.batches import FORMAT
from tallystick.warehouse.lake.connecting import Connect, LakeConnection, connected, queries, translated
from tallystick.warehouse.lake.lease import Known

CHANNEL = "tallystick_hits"
LOOKS_EVERY_S = 1.0
ASKS_EVERY_S = 0.1
"""How often a node that wants the lease looks whether it is free."""
RESTS_S = 2.0
"""How long a node that has handed the lease over lets others take it."""
COUNTS_EVERY_S = 3.0
TRIED_AGAIN_AFTER_S = 1.0

log = structlog.get_logger()


class LeaseKeeper:
    """One thread with a connection.

    Args:
        connect: opens the connection.
        node: names this node.
        wake: called on this thread when the lease was taken or lost, and when a node waits for the mover.

    Attributes:
        epoch: of the lease while this node has it; None otherwise.
        holder: the node that has it, as far as is known; empty if it is free.
        wanted: whether another node asks for it.
        outdated: whether it was asked for in vain, because the lake is for newer programs.
        unmoved: number of acknowledged hits of all nodes that are not in the lake, a few seconds ago.
    """

    def __init__(self, connect: Connect, node: str, wake: Callable[[], None]) -> None:
        self._connect, self._node, self._wake = connect, node, wake
        self.epoch: int | None = None
        self.holder = ""
        self.wanted = self.outdated = False
        self.unmoved = 0
        self._known = Known(format=0, schema=0)
        self._asks = False
        self._alone = Lock()
        """Held while the lease is changed, so that one that was handed over is not extended."""
        self._extended = self._rests_until = self._counted = float("-inf")
        self._failing = False
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="lake-lease", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask(self) -> None:
        """Take the lease as soon as the holder hands it over; it is asked to do so."""
        self._asks = True

    def ask_no_more(self) -> None:
        """Leave the lease to its holder again."""
        self._asks = False

    def hand_over(self, opened: LakeConnection, rests_s: float = RESTS_S) -> None:
        """Release the lease, and let others take it.

        Args:
            rests_s: how long, at least, unless this node asks for it.
        """
        with self._alone:
            if self.epoch is not None:
                epoch, self.epoch, self.wanted, self._asks = self.epoch, None, False, False
                self._rests_until = time.monotonic() + rests_s
                lease.release(opened, epoch)

    def rest_no_longer(self) -> None:
        """Take the lease when it is free, from now on."""
        self._rests_until = float("-inf")

    def close(self) -> None:
        """Stop, and release the lease."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self.epoch is not None:
            # Otherwise others wait until it ends.
            with suppress(StoreUnavailable, psycopg.Error), connected(self._connect) as opened:
                self.hand_over(opened)

    def _run(self) -> None:
        # Here, because the steps are read from files.
        self._known = Known(FORMAT, len(all_steps()))
        while not self._stopping.is_set():
            try:
                with connected(self._connect) as opened:
                    opened.connection.execute(f"LISTEN {CHANNEL}".encode())
                    self._keep(opened)
            except (psycopg.Error, StoreUnavailable) as error:
                if not self._failing:
                    log.warning("the lease of the lake cannot be taken or extended", reason=str(error))
                self._failing = True
                self._stopping.wait(TRIED_AGAIN_AFTER_S)

    def _keep(self, opened: LakeConnection) -> None:
        while not self._stopping.is_set():
            with self._alone:
                changed = self._extend(opened) if self.epoch is not None else self._take(opened)
            self._count(opened)
            if self._failing:
                self._failing = False
                log.info("the lease of the lake can be taken and extended again")
            if changed:
                self._wake()
            pause = ASKS_EVERY_S if self._asks else LOOKS_EVERY_S
            for _ in opened.connection.notifies(timeout=pause, stop_after=1):
                self._wake()

    def _extend(self, opened: LakeConnection) -> bool:
        """Extend the lease, if that is due. Returns whether it was lost, or is wanted."""
        assert self.epoch is not None
        self._asks = False
        now = time.monotonic()
        if not self.wanted and now - self._extended < lease.EXTENDED_EVERY_S:
            return False
        held = lease.extend(opened, self.epoch)
        self._extended = now
        if held is None:
            log.warning("another node has become the mover", epoch=self.epoch)
            self.epoch, self.wanted = None, False
            return True
        self.wanted = held.wanted_by not in {"", self._node}
        return self.wanted

    def _take(self, opened: LakeConnection) -> bool:
        """Take the lease if it is free. Returns whether it was."""
        if self._asks:
            self.outdated = not lease.ask_for(opened, self._node, self._known)
        elif time.monotonic() < self._rests_until:
            return False
        self.epoch = lease.take(opened, self._node, self._known)
        if self.epoch is None:
            return False
        log.info("this node is the mover from now on", epoch=self.epoch)
        self._extended = time.monotonic()
        return True

    def _count(self, opened: LakeConnection) -> None:
        if time.monotonic() - self._counted < COUNTS_EVERY_S:
            return
        with translated(opened):
            _, hits, _ = queries.waiting(opened.connection)
        state = lease.state(opened)
        self.unmoved, self.holder = int(hits), state.holder if state.valid else ""
        self._counted = time.monotonic()
