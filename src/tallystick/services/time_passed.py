"""How much time has passed for a ledger, whatever is done to the wall clock.

Idempotency records are kept for 24 hours of this time, so that a clock that jumps ahead forgets none of them.
"""

from collections.abc import Callable

from tallystick.ledger import Ledger, Session
from tallystick.services.clock import FAR_AHEAD_S, SEEN, clock_marks, set_clock_mark, steady_seconds

PASSED, PASSED_AT = "passed", "passed-at"
"""Marks: the time that had passed, and the wall clock at that moment; Unix seconds."""

NOTED_EVERY_S = 60.0


class TimePassed:
    """Milliseconds that only real time makes more. Begins as the wall clock does; later the two may differ.

    While a server runs, a clock that never jumps counts. Across a restart the wall clock counts from where it was
    noted; a difference below 0, or above a day, is more likely a jump than a pause, and counts as nothing: then
    records are kept for longer than they have to be.

    Args:
        wall: Unix milliseconds.
        steady: seconds that pass whatever is done to the wall clock.
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
        """Go on from what was noted.

        Raises:
            StoreUnavailable
        """
        marks = await self._ledger.read(clock_marks)
        wall, steady = self._wall(), self._steady()
        # An older version noted only when it ran.
        passed = marks.get(PASSED, marks.get(SEEN))
        if passed is None:
            self._begun = wall, steady
            return
        off = wall - marks.get(PASSED_AT, passed) * 1000
        self._begun = passed * 1000 + (off if 0 < off <= FAR_AHEAD_S * 1000 else 0), steady

    async def note(self) -> None:
        """Keep in the ledger how much has passed, once a minute.

        Raises:
            StoreUnavailable
        """
        if self._steady() - self._noted_at >= NOTED_EVERY_S:
            await self.keep()

    async def keep(self) -> None:
        """Keep in the ledger how much has passed.

        Raises:
            StoreUnavailable
        """
        await self._ledger.write(_set_marks, self() // 1000, self._wall() // 1000)
        self._noted_at = self._steady()


def _set_marks(session: Session, passed: int, wall: int) -> None:
    set_clock_mark(session, PASSED, passed)
    set_clock_mark(session, PASSED_AT, wall)
