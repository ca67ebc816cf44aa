"""The visitor counter: the visits of a page or a site, as a public number."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple

from tallystick.ledger import Ledger
from tallystick.services.analytics.names import counted_path_id
from tallystick.warehouse import Warehouse

FRESH_S = 2.0
REMEMBERED = 10_000


class Span(NamedTuple):
    """From ``begin`` until before ``end``, Unix seconds."""

    begin: int
    end: int


class Visits(NamedTuple):
    """A count.

    Attributes:
        known: whether the path was ever visited.
    """

    amount: int
    known: bool


Key = tuple[int, str | int | None, Span]
"""A site, and what of it: a path, the seconds of a part, or None for all of it."""


class VisitorCounter:
    """Counts visits; a count is at most two seconds old.

    Equal requests within that time share one read.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, ledger: Ledger, warehouse: Warehouse, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._warehouse, self._clock = ledger, warehouse, clock
        self._readings: dict[Key, tuple[float, asyncio.Task[Any]]] = {}  # oldest first

    async def of_site(self, site: int, span: Span) -> Visits:
        """Visits of all paths.

        Raises:
            StoreUnavailable
        """
        visits: Visits = await self._shared((site, None, span), lambda: self._read(site, None, span))
        return visits

    async def in_parts(self, site: int, span: Span, seconds: int) -> Sequence[int]:
        """Visits of all paths in each part of a span.

        Args:
            seconds: of a part; the span has a whole number of them.

        Raises:
            StoreUnavailable
        """
        parts: Sequence[int] = await self._shared((site, seconds, span), lambda: self._read_parts(site, span, seconds))
        return parts

    async def of_path(self, site: int, path: str, span: Span) -> Visits:
        """Visits of the path with this text, in any case, or otherwise of the page with this name.

        Raises:
            StoreUnavailable
        """
        visits: Visits = await self._shared((site, path, span), lambda: self._read(site, path, span))
        return visits

    async def _shared(self, key: Key, read: Callable[[], Coroutine[Any, Any, Any]]) -> Any:  # noqa: ANN401  # what is read
        self._warehouse.require_owned()
        now = self._clock()
        begun, reading = self._readings.get(key, (0.0, None))
        if reading is None or now - begun >= FRESH_S or _failed(reading):
            reading = asyncio.create_task(read())
            self._readings.pop(key, None)
            self._readings[key] = (now, reading)
            self._forget()
        # A cancelled request must not end the read that others wait for.
        return await asyncio.shield(reading)

    def _forget(self) -> None:
        if len(self._readings) > REMEMBERED:
            del self._readings[next(iter(self._readings))]

    async def _read(self, site: int, path: str | None, span: Span) -> Visits:
        if path is None:
            return Visits(await self._visits(site, None, span), known=True)
        for name in (path, "/" + path.strip("/")):
            if id_ := await self._ledger.read(counted_path_id, site, name):
                return Visits(await self._visits(site, id_, span), known=True)
        return Visits(0, known=False)

    async def _read_parts(self, site: int, span: Span, seconds: int) -> Sequence[int]:
        return await self._warehouse.read(lambda session: session.visits_in_parts(site, *span, seconds))

    async def _visits(self, site: int, path: int | None, span: Span) -> int:
        return await self._warehouse.read(lambda session: session.visits(site, path, *span))


def _failed(reading: "asyncio.Task[Any]") -> bool:
    return reading.done() and (reading.cancelled() or reading.exception() is not None)
