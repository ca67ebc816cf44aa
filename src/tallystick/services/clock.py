"""Checks the wall clock against the newest commit, and against a clock that never jumps."""

from collections.abc import Callable

import structlog

from tallystick.errors import StoreUnavailable
from tallystick.ledger import Ledger, Session
from tallystick.ledger.shared_clock import steady_seconds

SEEN, RETENTION = "seen", "retention"
"""Marks: when a server ran; when old hits were removed or the operator confirmed the clock."""

SEEN_EVERY_S = 60.0
FAR_AHEAD_S = 86_400
"""Seconds; a smaller difference may be a time in which no server ran."""

TOLERANCE_S = 90
"""Seconds: clocks are adjusted, and marks are up to a minute old."""

BELIEVED_AFTER_S = 86_400.0
"""How long a clock is reported that was far from the newest commit at the start."""

log = structlog.get_logger()


class ClockWatch:
    """Detects a wall clock that is far from the newest commit, or that jumps.

    Args:
        wall: Unix seconds.
        steady: seconds of a clock that never jumps.
    """

    def __init__(self, ledger: Ledger, wall: Callable[[], float], steady: Callable[[], float] = steady_seconds) -> None:
        self._ledger, self._wall, self._steady = ledger, wall, steady
        self._begun: tuple[float, float] | None = None
        self._off_at_start = 0.0
        self._noted_at = float("-inf")
        self._reported: str | None = None
        self.seen: int | None = None
        """When a server last ran before this start, Unix seconds; None if unknown."""

    async def look(self) -> None:
        """Compare the clocks, and once a minute note the time at which a server runs.

        Raises:
            StoreUnavailable
        """
        if self._begun is None:
            self.seen = (await self._ledger.read(clock_marks)).get(SEEN)
            self.begin(self.seen)
        self._report()
        # The next start must not compare with a clock that is ahead.
        if self.ahead <= 0 and self._steady() - self._noted_at >= SEEN_EVERY_S:
            self._noted_at = self._steady()
            await self._ledger.write(set_clock_mark, SEEN, int(self._wall()))

    def begin(self, seen: int | None) -> None:
        """Begin with the time of the newest commit, which is accurate to a minute."""
        self._begun = (self._wall(), self._steady())
        self._off_at_start = 0.0 if seen is None else offset(self._wall(), seen)

    @property
    def ahead(self) -> float:
        """Seconds by which the clock is ahead, negative if it is behind; 0 if it is right."""
        if self._begun is None:
            return 0.0
        wall, steady = self._begun
        passed = self._steady() - steady
        jumped = self._wall() - wall - passed
        at_start = self._off_at_start if passed < BELIEVED_AFTER_S else 0.0
        off = at_start + (jumped if abs(jumped) > TOLERANCE_S else 0.0)
        return off if abs(off) > TOLERANCE_S else 0.0

    @property
    def problem(self) -> str | None:
        """A message about the clock; None if it is right."""
        return problem_of(self.ahead)

    def _report(self) -> None:
        problem = self.problem
        if (problem is None) != (self._reported is None):
            if problem:
                log.warning("the clock does not fit the newest commit", problem=problem)
            else:
                log.info("the clock fits the newest commit again")
        self._reported = problem

    async def close(self) -> None:
        """Note the time until which a server ran."""
        if self._begun is not None and not self.ahead:
            try:
                await self._ledger.write(set_clock_mark, SEEN, int(self._wall()))
            except StoreUnavailable as error:
                log.warning("the time could not be noted", reason=str(error))


def offset(now: float, seen: int) -> float:
    """Seconds by which a clock is ahead of the newest commit, negative if behind; 0 within the tolerance."""
    off = now - seen
    return off if off > FAR_AHEAD_S or off < -TOLERANCE_S else 0.0


def problem_of(ahead: float) -> str | None:
    """The message about an offset of the clock; None without an offset."""
    if not ahead:
        return None
    days, rest = divmod(abs(int(ahead)), 86_400)
    length = f"{days} days" if days > 1 else f"{(days * 86_400 + rest) / 3_600:.1f} hours"
    if ahead < 0:
        return f"the clock is {length} behind the newest commit: set it, or wait until it has caught up"
    return f"the clock is {length} ahead of the newest commit: set it, unless no server ran for so long"


def confirm(session: Session, now: int) -> None:
    """Note that the operator has confirmed the clock."""
    for name in (SEEN, RETENTION):
        set_clock_mark(session, name, now)


def clock_marks(session: Session) -> dict[str, int]:
    """All marks by name, Unix seconds."""
    return {str(name): int(at) for name, at in session.common.clock_marks(session.connection)}


def set_clock_mark(session: Session, name: str, at: int) -> None:
    """Set a mark."""
    session.common.set_clock_mark(session.connection, name=name, at=at)
