"""Checks that no lane is locked, without counting."""

import asyncio
import time
from collections.abc import Sequence

from tallystick.ledger.database import Database, Held
from tallystick.ledger.measurements import LedgerMeasurements
from tallystick.ledger.reader import OneSession

STUCK_AFTER_S = 2.0
"""A row that one transaction locks for longer is locked by a server that hangs."""
LOOKED_EVERY_S = 0.05
FRESH_S = 1.0


class Lanes:
    """Checks the lane locks of a database that several servers share, on a connection of its own.

    It does not wait for locks, and holds its own for one statement only, so that it does not delay writers.

    Args:
        writers: measurements of each writer; a lane that is free again no longer counts as refused.
    """

    def __init__(self, database: Database, writers: Sequence[LedgerMeasurements]) -> None:
        self._shared = database.lanes_alone
        self._writers = writers
        self._session = OneSession(database)
        self._free_at = float("-inf")
        self._checking = asyncio.Lock()
        self._closed = False

    async def free(self) -> bool:
        """Whether no lane, no sequence and none of the counters that were refused stays locked.

        Raises:
            StoreUnavailable: the database cannot be reached, or takes no changes.
        """
        if not self._shared:
            return True
        async with self._checking:
            if self._closed or (time.monotonic() - self._free_at < FRESH_S and not self._any_refused()):
                return True
            return await asyncio.to_thread(self._check)

    def _check(self) -> bool:
        deadline = time.monotonic() + STUCK_AFTER_S
        stuck = self._held_now()
        while stuck and time.monotonic() < deadline:
            time.sleep(LOOKED_EVERY_S)
            stuck &= self._held_now()
        return not stuck

    def _held_now(self) -> set[Held]:
        refused = [(writer.refused, *lane) for writer in self._writers for lane in [*writer.refused.items()]]
        counters = {key for _, _, keys in refused for key in keys}
        held = self._session.use(lambda session: session.held(counters))
        if not held:
            self._free_at = time.monotonic()
        if not any(row.kind == "counter" for row in held):
            for lanes, lane, keys in refused:
                if lanes.get(lane) is keys:  # otherwise another batch was refused meanwhile
                    lanes.pop(lane, None)
        return held

    def _any_refused(self) -> bool:
        return any(writer.refused for writer in self._writers)

    async def close(self) -> None:
        """Close the connection."""
        self._closed = True
        async with self._checking:
            await asyncio.to_thread(self._session.drop)
