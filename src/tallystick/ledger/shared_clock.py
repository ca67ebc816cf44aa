"""The clock of a database that several servers share: whatever their own clocks say, they agree about the time."""

import time
from collections.abc import Callable

from tallystick.ledger.database import Session

MEASURED_TIMES = 3


def steady_seconds() -> float:
    """Seconds of a clock that never jumps; where the system supports it, it includes the machine's sleep."""
    try:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    except (AttributeError, OSError):
        return time.monotonic()


class SharedClock:
    """Unix milliseconds of a database's clock. May be called on any thread.

    It is measured now and then; in between, a clock of this machine goes on from there that never jumps. So neither a
    machine whose clock is off nor one whose clock is set meanwhile stores other times than the other servers.

    Args:
        steady: seconds of a clock that never jumps.
    """

    def __init__(self, steady: Callable[[], float] = steady_seconds) -> None:
        self._steady, self._ahead_ms = steady, 0.0

    def __call__(self) -> int:
        """The time now."""
        return int(self._steady() * 1000 + self._ahead_ms)

    def measure(self, session: Session) -> None:
        """Read the database's clock. The quickest answer of several counts: it is the most exact.

        Raises:
            StoreUnavailable
        """
        quickest = float("inf")
        for _ in range(MEASURED_TIMES):
            begun = self._steady()
            now = session.queries.database_time(session.connection)
            took = self._steady() - begun
            if took < quickest:
                quickest, self._ahead_ms = took, now - (begun + took / 2) * 1000
