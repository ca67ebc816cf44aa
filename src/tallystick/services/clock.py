"""Whether the wall clock can be believed: it is compared with the newest commit, and with a clock that never jumps."""

import time
from collections.abc import Callable

import structlog

from tallystick.errors import StoreUnavailable
from tallystick.ledger import Ledger, Session

SEEN, RETENTION = "seen", "retention"
"""Marks: a server ran; old hits were removed, or the operator has confirmed the clock."""

SEEN_EVERY_S = 60.0
FAR_AHEAD_S = 86_400
"""A server may have been off for a while, so a clock is far ahead only from here on."""

TOLERANCE_S = 90
"""Clocks are set, and marks are up to a minute old."""

BELIEVED_AFTER_S = 86_400.0
"""A clock that was far from the newest commit at the start is told of for so long."""

log = structlog.get_logger()


def steady_seconds() -> float:
    """Seconds that pass whatever is done to the wall clock; where the system can, also while the machine sleeps."""
    try:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    except (AttributeError, OSError):
        return time.monotonic()


class ClockWatch:
    """Notices a clock that is far from the newest commit, or that jumps.

    Args:
        wall: Unix seconds.
        steady: seconds that pass whatever is done to the wall clock.
    """

    def __init__(self, ledger: Ledger, wall: Callable[[], float], steady: Callable[[], float] = steady_seconds) -> None:
        self._ledger, self._wall, self._steady = ledger, wall, steady
        self._begun: tuple[float, float] | None = None
        self._off_at_start = 0.0
        self._noted_at = float("-inf")
        self._said: str | None = None
        self.seen: int | None = None
        """When a server ran before this start, Unix seconds; None where that is unknown."""

    async def look(self) -> None:
        """Compare the clocks, and note once a minute that a server runs at this time.

        Raises:
            StoreUnavailable
        """
        if self._begun is None:
            self.seen = (await self._ledger.read(clock_marks)).get(SEEN)
            self.begin(self.seen)
        self._say()
        # A clock that is ahead must not become what the next start compares with.
        if self.ahead <= 0 and self._steady() - self._noted_at >= SEEN_EVERY_S:
            self._noted_at = self._steady()
            await self._ledger.write(set_clock_mark, SEEN, int(self._wall()))

    def begin(self, seen: int | None) -> None:
        """Compare with the newest commit, which is known to a minute."""
        self._begun = (self._wall(), self._steady())
        self._off_at_start = 0.0 if seen is None else offset(self._wall(), seen)

    @property
    def ahead(self) -> float:
        """Seconds by which the clock is further than it should be; below 0 behind, 0 when nothing is wrong."""
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
        """What is wrong, for a person; None when nothing is."""
        return problem_of(self.ahead)

    def _say(self) -> None:
        problem = self.problem
        if (problem is None) != (self._said is None):
            if problem:
                log.warning(problem)
            else:
                log.info("the clock fits the newest commit again")
        self._said = problem

    async def close(self) -> None:
        """Note that a server ran until now."""
        if self._begun is not None and not self.ahead:
            try:
                await self._ledger.write(set_clock_mark, SEEN, int(self._wall()))
            except StoreUnavailable as error:
                log.warning("the time could not be noted", reason=str(error))


def offset(now: float, seen: int) -> float:
    """Seconds by which a clock is ahead of the newest commit, or behind it (below 0); 0 when it fits."""
    off = now - seen
    return off if off > FAR_AHEAD_S or off < -TOLERANCE_S else 0.0


def problem_of(ahead: float) -> str | None:
    """Describe the offset of a clock to a person; None without an offset."""
    if not ahead:
        return None
    days, rest = divmod(abs(int(ahead)), 86_400)
    length = f"{days} days" if days > 1 else f"{(days * 86_400 + rest) / 3_600:.1f} hours"
    if ahead < 0:
        return f"the clock is {length} behind the newest commit: set it, or wait until it has caught up"
    return f"the clock is {length} ahead of the newest commit: set it, unless no server ran for so long"


def confirm(session: Session, now: int) -> None:
    """Take the operator's word that the clock is right."""
    for name in (SEEN, RETENTION):
        set_clock_mark(session, name, now)


def clock_marks(session: Session) -> dict[str, int]:
    """Every mark by name, Unix seconds."""
    return {str(name): int(at) for name, at in session.common.clock_marks(session.connection)}


def set_clock_mark(session: Session, name: str, at: int) -> None:
    """Remember an instant."""
    session.common.set_clock_mark(session.connection, name=name, at=at)
