"""What superusers do to public counters on pages; the log of administrative events has it."""

from tallystick.ledger import Session
from tallystick.ledger.folding import CounterWrite, fold
from tallystick.model.counter import Delete, Freeze, Outcome, Set
from tallystick.model.key import Key
from tallystick.services.accounts.audit import EventKind, note


def set_public_counter(session: Session, key: Key, value: int, lifetime: int, now: int) -> Outcome:
    """Replace the value of a counter, resettable or not.

    Args:
        lifetime: milliseconds from now until the counter expires.
        now: Unix milliseconds.
    """
    (outcome,) = fold(session, [CounterWrite(key, Set(value, forced=True, lifetime=lifetime))], now).outcomes
    if outcome.refused is None:
        note(session, EventKind.COUNTER_SET, now, str(key), f"{outcome.old_value} to {value}")
    return outcome


def freeze_public_counter(session: Session, key: Key, now: int, *, frozen: bool) -> Outcome:
    """Stop all changes of a counter, or allow them again. Where it is so already, nothing is noted."""
    folded = fold(session, [CounterWrite(key, Freeze(frozen=frozen))], now)
    if folded.changed:
        note(session, EventKind.COUNTERS_FROZEN if frozen else EventKind.COUNTERS_UNFROZEN, now, str(key))
    return folded.outcomes[0]


def delete_public_counter(session: Session, key: Key, now: int) -> Outcome:
    """Delete a counter."""
    (outcome,) = fold(session, [CounterWrite(key, Delete())], now).outcomes
    if outcome.refused is None:
        note(session, EventKind.COUNTER_DELETED, now, str(key), f"the value was {outcome.old_value}")
    return outcome
