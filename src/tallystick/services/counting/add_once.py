"""Additions that take more than a counter's own rules: with an idempotency key, or by the rules of an owner.

With a key they are counted once, however often they are sent.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from tallystick.errors import KeyReused
from tallystick.ledger import Session, Totals
from tallystick.ledger.folding import fold_over
from tallystick.model.counter import LIMITED, Counter, Outcome, RefusalReason
from tallystick.model.key import Key
from tallystick.services.counting.owned.rules import SentAddition, held_up, unchanged
from tallystick.services.idempotency import KeyedRequest, Records, StoredResponse

_encode = msgspec.json.Encoder().encode
_decode_outcome = msgspec.json.Decoder(Outcome).decode


class ReplayedAddition(Struct, frozen=True):
    """An addition that was carried out before.

    Attributes:
        outcome: the recorded outcome, or the response that an older version stored.
    """

    outcome: Outcome | StoredResponse


class AddOnce(SentAddition, eq=False, kw_only=True):
    """An addition; with ``request``, one that is counted once."""

    request: KeyedRequest | None = None


def add_once(
    session: Session, batch: Sequence[AddOnce], now: int, passed: int
) -> list[Outcome | ReplayedAddition | KeyReused]:
    """Carry out the additions that have no record yet, and record their outcomes.

    For ``Ledger.join``, by the lanes of the counters. A creation that the limit refuses is not recorded: later it may
    well succeed; nor is a refusal by the rules of an owner, which are checked once the sender is known.

    Raises:
        CreationRaced: see ``folding.settle``.
    """
    # Locked before records are read: two servers that get the same request wait here for each other.
    counters = session.load([item.key for item in batch])
    records = Records(session, [item.request for item in batch if item.request is not None], passed)
    before = [_recorded(records, item.request) for item in batch]
    new = _first_of_each([item for item, result in zip(batch, before, strict=True) if result is None])
    outcomes = _carried_out(session, counters, new, records, now)
    return [
        result or outcomes.get(id(item)) or _recorded(records, item.request) or LIMITED
        for item, result in zip(batch, before, strict=True)
    ]


def _carried_out(
    session: Session, counters: Mapping[Key, Counter], new: Sequence[AddOnce], records: Records, now: int
) -> dict[int, Outcome]:
    """Outcomes by item."""
    kept = held_up(session, counters, new, now)
    counted = [item for item in new if id(item) not in kept]
    folded = fold_over(session, counters, counted, now)
    outcomes = dict(zip(map(id, counted), folded.outcomes, strict=True))
    for item in new:
        if id(item) in kept:
            counter = folded.changed.get(item.key) or counters[item.key]
            outcomes[id(item)] = unchanged(counter, kept[id(item)])
        outcome = outcomes[id(item)]
        if item.request is not None and outcome is not LIMITED and outcome.refused is not RefusalReason.RESTRICTED:
            records.add(item.request, _encode(outcome))
    records.store()
    if folded.changed:
        # Of one lane on a database of lanes. Last: while a total's row is locked, no other lock may be waited for.
        session.add_totals(new[0].lane, Totals(folded.keys_created, folded.keys_updated))
        session.joined.update(folded.changed)
    return outcomes


def _recorded(records: Records, request: KeyedRequest | None) -> ReplayedAddition | KeyReused | None:
    recorded = records.outcome_of(request)
    if recorded is None or isinstance(recorded, KeyReused):
        return recorded
    return ReplayedAddition(recorded if isinstance(recorded, StoredResponse) else _decode_outcome(recorded))


def _first_of_each(batch: Sequence[AddOnce]) -> list[AddOnce]:
    """One item for each key; the others get its outcome. Those without a key are all different."""
    first: dict[bytes | int, AddOnce] = {}
    for item in batch:
        first.setdefault(id(item) if item.request is None else item.request.digest, item)
    return list(first.values())
