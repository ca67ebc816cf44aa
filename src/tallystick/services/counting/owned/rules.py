"""What the rules of owners admit: pages of their origins, and each visitor once."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from tallystick.ledger import Session, Totals
from tallystick.ledger.folding import Admit, CounterWrite, fold
from tallystick.model.counter import FROZEN, HOUR_MS, LOCKED, RESTRICTED, Add, Counter, Outcome, RefusalReason
from tallystick.model.key import Key, lane_of
from tallystick.services.counting.owned.rows import CounterOwner, owner_of, store_owner

DAY_MS = 24 * HOUR_MS
VISIT_MS = 8 * HOUR_MS
"""A visit ends when so long nothing came, as visits of sites do."""
SALTED_MS = 16 * HOUR_MS
"""A salt is destroyed by then, and what was made with it means nothing any more."""
FORGOTTEN_AT_ONCE = 10_000


class AddingSender(Struct, frozen=True):
    """What the rules need to know of the sender of an addition.

    Attributes:
        origin: of the page that sent it; empty where nothing says it.
        visitor: digests of the visitor under the salts in use, the newest first; none for bots and unknown senders.
        admit: the limit of visitors, called before one more is counted; None for no limit.
    """

    origin: str = ""
    visitor: tuple[bytes, ...] = ()
    admit: Admit | None = None


class SentAddition(CounterWrite, eq=False, kw_only=True):
    """An addition and its sender; None for one that the rules hold up wherever they matter."""

    sender: AddingSender | None = None


def held_up(
    session: Session, counters: Mapping[Key, Counter], batch: Sequence[SentAddition], now: int
) -> dict[int, RefusalReason | None]:
    """Check additions against the rules of their counters' owners, and let through those that pass.

    Args:
        counters: those of the batch, locked.

    Returns:
        By ``id`` of the items that must not count: the refusal, or None where the visitor was counted already.
    """
    owners: dict[Key, CounterOwner | None] = {}
    kept: dict[int, RefusalReason | None] = {}
    for item in batch:
        counter, operation = counters.get(item.key), item.operation
        if counter is None or type(operation) is not Add or item.sender is None or not counter.flags & RESTRICTED:
            continue
        if item.key not in owners:
            owners[item.key] = owner_of(session, item.key)
        owner = owners[item.key] or CounterOwner()
        # What is refused for another reason must not be noted as counted.
        counts = not counter.flags & (LOCKED | FROZEN) and counter.lower <= operation.amount <= counter.upper
        if owner.origins and item.sender.origin not in owner.origins:
            kept[id(item)] = RefusalReason.RESTRICTED
        elif counts and owner.one_each and not _is_new(session, item.key, owner.one_each, item.sender, now):
            kept[id(item)] = None
        else:
            item.operation = replace(operation, passes=operation.passes | RESTRICTED)
    return kept


def create_unique(session: Session, item: CounterWrite, one_each: str, now: int) -> Outcome:
    """Create a counter without an owner that counts each visitor once in ``one_each``."""
    folded = fold(session, [item], now)
    (outcome,) = folded.outcomes
    if outcome.refused is None:
        store_owner(session, item.key, CounterOwner(one_each=one_each, created=now))
        session.add_totals(item.lane, Totals(folded.keys_created, folded.keys_updated))
    return outcome


def unchanged(counter: Counter, reason: RefusalReason | None) -> Outcome:
    """The outcome of an addition that did not count."""
    return Outcome(counter.value, counter.value, reason)


def some_seen_are_over(session: Session, now: int) -> bool:
    """Whether there are visitors who may be counted again."""
    first = session.common.first_seen_until(session.connection)
    return first is not None and int(first) <= now


def forget_seen(session: Session, now: int) -> None:
    """Remove some visitors who may be counted again; repeated calls remove all of them."""
    session.common.forget_seen(session.connection, now=now, max_rows=FORGOTTEN_AT_ONCE)


def _is_new(session: Session, key: Key, one_each: str, sender: AddingSender, now: int) -> bool:
    """Whether a visitor was not counted in the present window, and is noted as counted now."""
    visitor = sender.visitor
    if not visitor:
        return False
    named: dict[str, Any] = {"lane": lane_of(key), "namespace": key.namespace, "key": key.key}
    ends = [session.common.seen_until(session.connection, **named, visitor=digest) for digest in visitor]
    counted_until = max((end for end in ends if end is not None and end > now), default=None)
    if counted_until is None and sender.admit is not None and not sender.admit():
        return False
    if counted_until is None or one_each == "visit":
        until = _end(one_each, now)
    elif ends[0] is None:
        until = counted_until  # carried over to the new salt
    else:
        return False
    session.common.note_visitor(session.connection, **named, visitor=visitor[0], until=until)
    return counted_until is None


def _end(one_each: str, now: int) -> int:
    if one_each == "visit":
        return now + VISIT_MS
    window = HOUR_MS if one_each == "hour" else DAY_MS
    return min(now - now % window + window, now + SALTED_MS)
