"""Additions with an idempotency key: counted once, however often they are sent."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from tallystick.errors import KeyReused
from tallystick.ledger import Session, Totals
from tallystick.ledger.folding import CounterWrite, fold_over
from tallystick.model.counter import LIMITED, Counter, Outcome
from tallystick.model.key import Key
from tallystick.services.idempotency import KeyedRequest, Records, StoredResponse

_encode = msgspec.json.Encoder().encode
_decode_outcome = msgspec.json.Decoder(Outcome).decode


class ReplayedAddition(Struct, frozen=True):
    """An addition that was carried out before.

    Attributes:
        outcome: the recorded outcome, or the response that an older version stored.
    """

    outcome: Outcome | StoredResponse


class AddOnce(CounterWrite, eq=False, kw_only=True):
    """An addition with an idempotency key."""

    request: KeyedRequest


def add_once(
    session: Session, batch: Sequence[AddOnce], now: int, passed: int
) -> list[Outcome | ReplayedAddition | KeyReused]:
    """Carry out the additions that have no record yet, and record their outcomes.

    For ``Ledger.join``, by the lanes of the counters. A creation that the limit refuses is not recorded: later it may
    well succeed.

    Raises:
        CreationRaced: see ``folding.settle``.
    """
    # Locked before records are read: two servers that get the same request wait here for each other.
    counters = session.load([item.key for item in batch])
    records = Records(session, [item.request for item in batch], passed)
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
    folded = fold_over(session, counters, new, now)
    for item, outcome in zip(new, folded.outcomes, strict=True):
        if outcome is not LIMITED:
            records.add(item.request, _encode(outcome))
    records.store()
    if folded.changed:
        # Of one lane on a database of lanes. Last: while a total's row is locked, no other lock may be waited for.
        session.add_totals(new[0].lane, Totals(folded.keys_created, folded.keys_updated))
    return dict(zip(map(id, new), folded.outcomes, strict=True))


def _recorded(records: Records, request: KeyedRequest) -> ReplayedAddition | KeyReused | None:
    try:
        recorded = records.find(request)
    except KeyReused as error:
        return error
    if recorded is None:
        return None
    return ReplayedAddition(recorded if isinstance(recorded, StoredResponse) else _decode_outcome(recorded))


def _first_of_each(batch: Sequence[AddOnce]) -> list[AddOnce]:
    """One item for each key; the others get its outcome."""
    first: dict[bytes, AddOnce] = {}
    for item in batch:
        first.setdefault(item.request.digest, item)
    return list(first.values())
