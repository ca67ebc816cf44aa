"""Removes expired rows, a few at a time, and stores numbers that are counted in memory."""

from functools import partial

import structlog

from tallystick.services.clock import ClockWatch
from tallystick.services.counting.counting import Counting
from tallystick.services.counting.owned.rules import forget_seen, some_seen_are_over
from tallystick.services.counting.thinning import HistoryThinning
from tallystick.services.services import Services
from tallystick.services.sharing.sweeping import sweep
from tallystick.services.versions import NoteVersions
from tallystick.tasks import BackgroundTask

SWEEP_EVERY_S = 30.0
DROPPED_KEPT_EVERY_S = 5.0
VERSIONS_TRIED_EVERY_S = 3_600.0
RENEWED_WITHIN_S = 3_600.0
"""Time to read all counters once, where they never expire."""

log = structlog.get_logger()


def sweeps(services: Services) -> list[BackgroundTask]:
    """The background tasks."""

    async def expired_counters() -> None:
        if removed := await remove_expired(services.counting, services.clock):
            log.info("expired counters removed", count=removed)
        ledger = services.ledger
        if await ledger.read(some_seen_are_over, ledger.clock()):
            await ledger.write(forget_seen, ledger.clock())

    thinning = HistoryThinning(services.ledger)

    async def counter_history() -> None:
        # With a clock that is ahead, hours would look old.
        if services.clock.ahead <= 0:
            await thinning.work()

    async def shared_counters() -> None:
        ledger = services.ledger
        await ledger.write(sweep, ledger.clock(), ledger.passed())

    # Delayed: the clock has to be compared with the newest commit first.
    later = partial(BackgroundTask, period=SWEEP_EVERY_S, begins_after=SWEEP_EVERY_S)
    return [
        BackgroundTask("renewal", services.counting.renew, SWEEP_EVERY_S, overdue_after=RENEWED_WITHIN_S),
        later("expired-counters", expired_counters),
        later("counter-history", counter_history),
        later("shared-counters", shared_counters),
        later("unknown-hosts", services.sites.keep_unknown),
        BackgroundTask("versions", NoteVersions(services.ledger).run, VERSIONS_TRIED_EVERY_S),
        BackgroundTask("dropped-hits", services.ingest.dropped.keep, DROPPED_KEPT_EVERY_S),
    ]


async def remove_expired(counting: Counting, clock: ClockWatch) -> int:
    """Remove some expired counters, unless the clock is ahead, which makes living counters look expired."""
    return await counting.sweep() if clock.ahead <= 0 else 0
