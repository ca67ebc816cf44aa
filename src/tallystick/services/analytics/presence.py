"""Who is on which site at this moment: one read for all who look, however many these are."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping

from tallystick.warehouse import Present, Warehouse, WarehouseSession

LAST_S = 300
"""A visitor is present for this time after a hit."""
FRESH_S = 1.0
"""The warehouse is read at most this often."""
AGAIN_AFTER_S = 10.0
"""Visitors also leave: without a new hit, it is read again after this time."""

NOBODY = Present(0, 0)


class Presence:
    """Counts present visitors. Used from one event loop.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, warehouse: Warehouse, clock: Callable[[], float] = time.monotonic) -> None:
        self._warehouse, self._clock = warehouse, clock
        self._reading: asyncio.Task[Mapping[int, Present]] | None = None
        self._begun = float("-inf")
        self._state: tuple[int, int] | None = None

    async def of_sites(self, site_ids: Iterable[int]) -> Present:
        """Who is on some sites, together.

        Raises:
            StoreUnavailable
        """
        self._warehouse.require_owned()
        if self._reading is None or self._is_old(self._reading):
            self._begun, self._state = self._clock(), self._newest_state
            self._reading = asyncio.create_task(self._read())
        # A cancelled request must not end the read that others wait for.
        present = await asyncio.shield(self._reading)
        found = [present.get(site, NOBODY) for site in set(site_ids)]
        return Present(sum(each.visitors for each in found), max((each.newest for each in found), default=0))

    @property
    def _newest_state(self) -> tuple[int, int]:
        marks = self._warehouse.marks
        return marks.last_id, marks.changes

    def _is_old(self, reading: asyncio.Task[Mapping[int, Present]]) -> bool:
        if not reading.done():
            return False
        age = self._clock() - self._begun
        if reading.cancelled() or reading.exception() is not None or age >= AGAIN_AFTER_S:
            return True
        return age >= FRESH_S and (self._warehouse.shared or self._state != self._newest_state)

    async def _read(self) -> Mapping[int, Present]:
        since = self._warehouse.clock() - LAST_S + 1
        return await self._warehouse.read(_present, since)


def _present(session: WarehouseSession, since: int) -> Mapping[int, Present]:
    return session.present(since)
