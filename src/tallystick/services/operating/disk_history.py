"""How the data directory grows: a few measurements in a small file, and when the disk will be full at that pace."""

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct

from tallystick.services.files import whole_file
from tallystick.services.operating.machine import look_at_machine
from tallystick.tasks import BackgroundTask

HISTORY_FILE = "disk-history.json"
LOOKED_EVERY_S = 3_600.0
FIRST_AFTER_S = 600.0
"""A server that runs for minutes only measures nothing."""
DAY_MS = 86_400_000
MEASURED_EVERY_MS = DAY_MS // 4
KEPT_FOR_MS = 30 * DAY_MS
LEAST_DAYS, LEAST_MEASUREMENTS = 3, 8
"""Before that, nothing is said of the pace."""
SLOWEST = 1_000.0
"""Bytes a day; what grows more slowly does not grow."""


class Measurement(Struct, frozen=True, array_like=True):
    """Bytes of Tallystick's files at a time, Unix ms."""

    at: int
    data: int


class Growth(Struct, frozen=True):
    """How fast the data grows.

    Attributes:
        bytes_per_day: below 0 if it shrinks.
        over_days: how long it was measured.
        full_in_days: when the disk is full if nothing else grows; None if the data does not grow, or the free space
            is not known.
    """

    bytes_per_day: float
    over_days: float
    full_in_days: float | None


class DiskHistory:
    """Measures the data directory a few times a day.

    Args:
        now: Unix ms.
    """

    def __init__(self, data: Path, now: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._data, self._now = data, now

    def tasks(self) -> list[BackgroundTask]:
        """The background task that measures."""
        return [BackgroundTask("disk-history", self.measure, LOOKED_EVERY_S, begins_after=FIRST_AFTER_S)]

    async def measure(self) -> None:
        """Add a measurement if the newest one is some hours old.

        Raises:
            OSError, InputRefused: the file cannot be written.
        """
        await asyncio.to_thread(self._measure)

    def read(self) -> list[Measurement]:
        """The measurements of the last weeks, oldest first. Blocks."""
        try:
            kept = msgspec.json.decode((self._data / HISTORY_FILE).read_bytes(), type=list[Measurement])
        except (OSError, msgspec.DecodeError):
            return []
        now = self._now()
        return sorted((each for each in kept if now - KEPT_FOR_MS < each.at <= now), key=lambda each: each.at)

    def _measure(self) -> None:
        kept, now = self.read(), self._now()
        if kept and now - kept[-1].at < MEASURED_EVERY_MS:
            return
        kept.append(Measurement(now, look_at_machine(self._data).data))
        with whole_file(self._data / HISTORY_FILE, replaces=True, mode=0o600) as partial:
            partial.write_bytes(msgspec.json.encode(kept))


def growth_of(history: Sequence[Measurement], free: int | None) -> Growth | None:
    """The pace of the growth; None without enough measurements.

    It is the median of the paces between any two measurements, so that a single import or deletion does not decide it.

    Args:
        free: bytes of the disk.
    """
    if len(history) < LEAST_MEASUREMENTS or history[-1].at - history[0].at < LEAST_DAYS * DAY_MS:
        return None
    pace = median((later.data - earlier.data) / (later.at - earlier.at) for earlier, later in _pairs(history)) * DAY_MS
    full = None if free is None or pace < SLOWEST else free / pace
    return Growth(pace, (history[-1].at - history[0].at) / DAY_MS, full)


def _pairs(history: Sequence[Measurement]) -> list[tuple[Measurement, Measurement]]:
    """Each two measurements of different times."""
    return [(earlier, later) for earlier, later in combinations(history, 2) if later.at > earlier.at]
