"""Numbers of hits that were deliberately not recorded, by site, hour and reason. Nothing else of them is kept."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import product

from tallystick.errors import StoreUnavailable
from tallystick.ledger import Ledger, Session
from tallystick.model.hit import HOUR_S
from tallystick.model.period import DAY_S, Period
from tallystick.model.question import TimeUnit
from tallystick.services.analytics.questions import date_unit, time_text
from tallystick.services.ingest.arrival import DropReason

PENDING_AT_MOST = 10_000
"""Numbers in memory; more of them are stored at once."""

REASONS: Mapping[DropReason, int] = {
    DropReason.PREFETCH: 1,
    DropReason.OPTED_OUT: 2,
    DropReason.IGNORED_ADDRESS: 3,
    DropReason.IGNORED_PATH: 4,
    DropReason.SPAM_REFERRER: 5,
    DropReason.IGNORED_COUNTRY: 6,
    DropReason.IGNORED_PAGE: 7,
    DropReason.IGNORED_HOST: 8,
    DropReason.IGNORED_CAMPAIGN: 9,
}
"""The code that stands for each reason in the ledger. Never change one."""
_REASON_OF = {code: reason for reason, code in REASONS.items()}

Key = tuple[int, int, int]
"""Site, hour of UTC as Unix seconds, and code of the reason."""


class DroppedHits:
    """Counts dropped hits in memory and stores the numbers every few seconds. Used from one event loop.

    A crash loses the numbers of the last seconds: a dropped hit is not acknowledged as counted.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._pending: Counter[Key] = Counter()

    def note(self, site: int, reason: DropReason, time: int) -> None:
        """Count one hit.

        Args:
            time: of the hit, Unix seconds.
        """
        self._pending[site, time - time % HOUR_S, REASONS[reason]] += 1

    @property
    def full(self) -> bool:
        """Whether the numbers should be stored before more are counted."""
        return len(self._pending) >= PENDING_AT_MOST

    async def keep(self) -> None:
        """Store what was counted.

        Raises:
            StoreUnavailable: the numbers are kept for the next call.
        """
        if not self._pending:
            return
        taken, self._pending = self._pending, Counter()
        try:
            await self._ledger.write(_add, dict(taken))
        except StoreUnavailable:
            self._pending.update(taken)
            raise


def dropped_hits(session: Session, sites: Iterable[int], period: Period) -> dict[DropReason, int]:
    """Dropped hits of some sites by reason, most first: of the hours of UTC that begin in the period."""
    numbers: Counter[DropReason] = Counter()
    for site in sites:
        rows = session.common.dropped_hits(session.connection, site=site, since=period.first, until=period.after)
        for reason, hits in rows:
            numbers[_REASON_OF[reason]] += int(hits)
    return dict(sorted(numbers.items(), key=lambda row: (-row[1], row[0])))


def dropped_over_time(
    session: Session, sites: Iterable[int], period: Period, unit: TimeUnit
) -> dict[str, dict[DropReason, int]]:
    """Dropped hits of some sites by unit of the zone's time and by reason; units without any are left out.

    Args:
        unit: hours, or one of ``DATE_UNITS``.

    Returns:
        By unit, as answers to questions spell it.
    """
    step = HOUR_S if unit is TimeUnit.HOUR else DAY_S
    first = (period.first + period.offsets[0].offset) // DAY_S
    numbers: defaultdict[str, Counter[DropReason]] = defaultdict(Counter)
    for site, (begin, end, ahead) in product(sites, period.offsets):
        since, until = max(begin, period.first), min(end, period.after)
        rows = session.common.dropped_over_time(
            session.connection, site=site, since=since, until=until, ahead=ahead, step=step
        )
        for number, reason, hits in rows:
            value = number * HOUR_S if unit is TimeUnit.HOUR else date_unit(unit, number)
            numbers[time_text(unit, value, first)][_REASON_OF[reason]] += int(hits)
    return {label: dict(found) for label, found in sorted(numbers.items())}


def reason_name(reason: DropReason) -> str:
    """The name of a reason in APIs and on the command line: ``opted-out``."""
    return reason.value.replace(" ", "-")


def forget_dropped(session: Session, limits: Iterable[tuple[int, int]]) -> None:
    """Remove numbers of hours that are older than their sites keep hits.

    Args:
        limits: site, and the Unix second before which they are removed.
    """
    for site, before in limits:
        session.common.forget_dropped(session.connection, site=site, before=before)


def _add(session: Session, numbers: Mapping[Key, int]) -> None:
    for (site, hour, reason), hits in numbers.items():
        session.common.add_dropped(session.connection, site=site, hour=hour, reason=reason, hits=hits)
