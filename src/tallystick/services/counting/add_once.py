"""Additions that carry a key of their sender's: counted once, however often they are sent."""

from collections.abc import Callable, Mapping, Sequence

from tallystick.errors import KeyReused
from tallystick.ledger import Session, Totals
from tallystick.ledger.folding import CounterWrite, fold_over
from tallystick.model.counter import LIMITED, Counter, Outcome
from tallystick.model.key import Key
from tallystick.services.kept_answers import KeptAnswer, KeptAnswers, KeyedRequest

Told = Outcome | KeptAnswer | KeyReused
"""What the addition did; what was answered when it came before; or that its key stands for another one."""


class AddOnce(CounterWrite, eq=False, kw_only=True):
    """An addition that is known by a key.

    Attributes:
        answer: what its outcome is answered with. Called on the writer's thread; pure. If it raises, nothing is
            added for this request and it gets the error.
    """

    request: KeyedRequest
    answer: Callable[[Outcome], KeptAnswer]


def add_once(session: Session, batch: Sequence[AddOnce], now: int, passed: int) -> list[Told]:
    """Carry out the additions that have not come before, and keep what they are answered with.

    For ``Ledger.join``, by the lanes of the counters. A creation that the limit refuses is not kept: later it may
    well succeed.

    Raises:
        CreationRaced: see ``folding.settle``.
    """
    # Held before anyone looks for answers: of two servers that were sent one request, one waits here for the other.
    known = session.load([item.key for item in batch])
    kept = KeptAnswers(session, [item.request for item in batch], passed)
    told = [_before(kept, item.request) for item in batch]
    new = _first_of_each([item for item, before in zip(batch, told, strict=True) if before is None])
    outcomes = _carried_out(session, known, new, kept, now)
    return [
        before or outcomes.get(id(item)) or _before(kept, item.request) or LIMITED
        for item, before in zip(batch, told, strict=True)
    ]


def _carried_out(
    session: Session, known: Mapping[Key, Counter], new: Sequence[AddOnce], kept: KeptAnswers, now: int
) -> dict[int, Outcome]:
    """Outcomes by item."""
    folded = fold_over(session, known, new, now)
    for item, outcome in zip(new, folded.outcomes, strict=True):
        if outcome is not LIMITED:
            kept.keep(item.request, item.answer(outcome))
    kept.store()
    if folded.changed:
        # Of one lane on a database of lanes; last, because who holds a total's row lock waits for no other row.
        session.add_totals(new[0].lane, Totals(folded.keys_created, folded.keys_updated))
    return dict(zip(map(id, new), folded.outcomes, strict=True))


def _before(kept: KeptAnswers, request: KeyedRequest) -> KeptAnswer | KeyReused | None:
    try:
        return kept.answered(request)
    except KeyReused as error:
        return error


def _first_of_each(batch: Sequence[AddOnce]) -> list[AddOnce]:
    """One item for each key; the others find its answer."""
    first: dict[bytes, AddOnce] = {}
    for item in batch:
        first.setdefault(item.request.digest, item)
    return list(first.values())
