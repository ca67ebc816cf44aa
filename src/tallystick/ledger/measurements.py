"""Measurements of the ledger's writers; each is written by one thread and read by the metrics page."""

from bisect import bisect_left
from collections.abc import Sequence

from tallystick.model.key import Key

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


class Histogram:
    """Counts of observations by upper bound; the last count is of values above all bounds."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def observe_since(self, starts: Sequence[float], now: float) -> None:
        """Observe the time since each of ``starts``, which ascend: one search for each bound."""
        before = len(starts)
        for index, bound in enumerate(self.bounds):
            later = bisect_left(starts, now - bound)
            self.counts[index] += before - later
            before = later
        self.counts[-1] += before
        self.sum += now * len(starts) - sum(starts)


class LedgerMeasurements:
    """One writer's observations.

    Attributes:
        acknowledgement: seconds from handing an operation in to its commit.
        batch_size: operations in one transaction.
        commit: seconds of one whole transaction, its load, fold and save included.
        failures: transactions that failed.
        last_saved: when a transaction last stored something, Unix seconds; None before the first one.
        last_failed: whether the newest transaction failed.
        refused: lane -> the counters of its newest batch that failed, until one of them is changed or found unlocked.
            Only on databases of lanes, where a lock blocks one lane while the others continue.
    """

    def __init__(self) -> None:
        self.acknowledgement = Histogram(SECONDS)
        self.batch_size = Histogram(SIZES)
        self.commit = Histogram(SECONDS)
        self.failures = 0
        self.last_saved: float | None = None
        self.last_failed = False
        self.refused: dict[int, frozenset[Key]] = {}
