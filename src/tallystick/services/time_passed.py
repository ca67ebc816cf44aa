"""A clock of a ledger that ignores jumps of the wall clock.

Idempotency records are kept for 24 hours of this time, so that none expires when the wall clock jumps ahead.
"""

from collections.abc import Callable

from tallystick.ledger import Ledger, Session
from tallystick.ledger.shared_clock import steady_seconds
from tallystick.services.clock import FAR_AHEAD_S, SEEN, clock_marks, set_clock_mark

PASSED, PASSED_AT = "passed", "passed-at"
"""Marks: the time of this clock, and the wall clock at the same moment; Unix seconds."""

NOTED_EVERY_S = 60.0


class TimePassed:
    """Milliseconds that advance with real time only. Starts with the wall clock's time; later the two may differ.

    While a server runs, a clock that never jumps is used. For the time between two runs, the wall clock is used: a
    negative difference, or one above a day, is more likely a jump than a pause and is ignored. Records are then kept
    longer than necessary.

    Args:
        wall: Unix milliseconds.
        steady: seconds of a clock that never jumps.
    """

    def __init__(self, ledger: Ledger, wall: Callable[[], int], steady: Callable[[], float] = steady_seconds) -> None:
        self._ledger, self._wall, self._steady = ledger, wall, steady
        self._begun = (wall(), steady())
        self._noted_at = float("-inf")

    def __call__(self) -> int:
        """The time now. May be called on any thread."""
        at, steady = self._begun
        return at + int((self._steady() - steady) * 1000)

    async def begin(self) -> None:
        """Continue from the stored time.

        Raises:
            StoreUnavailable
        """
        marks = await self._ledger.read(clock_marks)
        wall, steady = self._wall(), self._steady()
        # An older version stored only the time at which it ran.
        passed = marks.get(PASSED, marks.get(SEEN))
        if passed is None:
            self._begun = wall, steady
            return
        off = wall - marks.get(PASSED_AT, passed) * 1000
        self._begun = passed * 1000 + (off if 0 < off <= FAR_AHEAD_S * 1000 else 0), steady

    async def note(self) -> None:
        """Store the time in the ledger, once a minute.

        Raises:
            StoreUnavailable
        """
        if self._steady() - self._noted_at >= NOTED_EVERY_S:
            await self.keep()

    async def keep(self) -> None:
        """Store the time in the ledger.

        Raises:
            StoreUnavailable
        """
        await self._ledger.write(_set_marks, self() // 1000, self._wall() // 1000)
        self._noted_at = self._steady()


def _set_marks(session: Session, passed: int, wall: int) -> None:
    set_clock_mark(session, PASSED, passed)
    set_clock_mark(session, PASSED_AT, wall)
