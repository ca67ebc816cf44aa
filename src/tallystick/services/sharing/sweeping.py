"""What is over is removed, a piece at a time: each piece takes a few milliseconds, however much there is."""

from tallystick.ledger import Session
from tallystick.services.idempotency import forget_old

FAREWELLS_KEPT_MS = 30 * 86_400_000
"""How long it is known who lost sight of a counter: who comes back within that time is told."""

HISTORY_KEPT_MS = 3_600_000
"""How long the history of a deleted counter stays: longer than anyone takes to read on in it."""

REMOVED_AT_ONCE = 2_000


def sweep(session: Session, now: int, passed: int) -> int:
    """Remove a piece of what is over; how many rows of history. Called again and again it removes everything.

    Idempotency records older than a day, the history of deleted counters, and farewells older than 30 days.

    Args:
        now: the wall clock, Unix milliseconds.
        passed: of ``Ledger.passed``.
    """
    forget_old(session, passed)
    _forget_farewells(session, now)
    return _clear_history(session, now)


def _clear_history(session: Session, now: int) -> int:
    common, connection = session.common, session.connection
    found = common.counter_to_clear(connection, before=now - HISTORY_KEPT_MS)
    if found is None:
        return 0
    counter, number = found
    left = int(common.history_left(connection, counter=counter, number=number, at_most=REMOVED_AT_ONCE))
    common.clear_history(connection, counter=counter, number=number, max_rows=REMOVED_AT_ONCE)
    if left < REMOVED_AT_ONCE:
        common.counter_cleared(connection, counter=counter)
    return left


def _forget_farewells(session: Session, now: int) -> None:
    common, connection = session.common, session.connection
    last = common.last_old_farewell(connection, before=now - FAREWELLS_KEPT_MS, max_rows=REMOVED_AT_ONCE)
    if last is not None:
        # That of a deleted counter's last change is all that was left of it.
        common.forget_deletions(connection, number=last)
        common.forget_farewells(connection, number=last)
