"""Removes expired rows in pieces; each piece takes a few milliseconds, however many rows there are."""

from tallystick.ledger import Session
from tallystick.services.idempotency import forget_old

FAREWELLS_KEPT_MS = 30 * 86_400_000
"""How long farewells stay: a client that resumes within that time learns which counters it lost."""

HISTORY_KEPT_MS = 3_600_000
"""How long the history of a deleted counter stays: longer than a reader needs for all pages."""

REMOVED_AT_ONCE = 2_000


def sweep(session: Session, now: int, passed: int) -> int:
    """Remove some expired rows; repeated calls remove all. Returns the number of rows of history.

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
    row = common.counter_to_clear(connection, before=now - HISTORY_KEPT_MS)
    if row is None:
        return 0
    counter, number = row
    left = int(common.history_left(connection, counter=counter, number=number, at_most=REMOVED_AT_ONCE))
    common.clear_history(connection, counter=counter, number=number, max_rows=REMOVED_AT_ONCE)
    if left < REMOVED_AT_ONCE:
        common.counter_cleared(connection, counter=counter)
    return left


def _forget_farewells(session: Session, now: int) -> None:
    common, connection = session.common, session.connection
    last = common.last_old_farewell(connection, before=now - FAREWELLS_KEPT_MS, max_rows=REMOVED_AT_ONCE)
    if last is not None:
        # A deleted counter's farewells are its last rows.
        common.forget_deletions(connection, number=last)
        common.forget_farewells(connection, number=last)
