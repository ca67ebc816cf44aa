"""A batch of operations, folded over the counters it touches: one load, one save."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from msgspec import Struct

from tallystick.errors import StoreFailed
from tallystick.ledger.database import CreationRaced, Database, Session, Totals
from tallystick.model.counter import LIMITED, Add, Counter, Operation, Outcome, Set, apply, would_create
from tallystick.model.key import Key, lane_of

RACES = 20
"""The most attempts of a batch whose counters other servers create first."""

Admit = Callable[[], bool]
"""Called before an operation creates a counter; False refuses the creation."""


class CounterWrite(Struct, eq=False):
    """An operation on a counter.

    Attributes:
        admit: called once, and only when the operation is about to create its counter.
    """

    key: Key
    operation: Operation
    admit: Admit | None = None

    @property
    def lane(self) -> int:
        """The lane of the operation's counter."""
        return lane_of(self.key)


class Folded(Struct):
    """The outcome of a batch.

    Attributes:
        outcomes: one for each operation, in order.
        changed: the new states of changed counters; None for a deleted one.
        keys_created, keys_updated: to add to the totals; a creating hit adds to both.
    """

    outcomes: Sequence[Outcome] = ()
    changed: Mapping[Key, Counter | None] = {}
    keys_created: int = 0
    keys_updated: int = 0


Item = TypeVar("Item", bound=CounterWrite)
Result = TypeVar("Result")


def transactions(batch: Sequence[Item], *, lanes_alone: bool) -> Iterable[Sequence[Item]]:
    """Group operations that are committed together: all, or on a database of lanes those of one lane."""
    if not lanes_alone:
        return [batch] if batch else []
    lanes: dict[int, list[Item]] = defaultdict(list)
    for item in batch:
        lanes[item.lane].append(item)
    return lanes.values()


def settle(attempt: Callable[[], Result]) -> Result:
    """Run a transaction, and retry it while other servers create its counters first.

    Raises:
        StoreFailed: all attempts failed.
    """
    for _ in range(RACES):
        try:
            return attempt()
        except CreationRaced:
            continue
    msg = "other servers kept creating the same counters"
    raise StoreFailed(msg)


def fold(session: Session, batch: Sequence[CounterWrite], now: int) -> Folded:
    """Carry out the operations of one open transaction.

    Raises:
        CreationRaced: see ``settle``.
    """
    if not batch:
        return Folded()
    return fold_over(session, session.load([item.key for item in batch]), batch, now)


def fold_over(session: Session, loaded: Mapping[Key, Counter], batch: Sequence[CounterWrite], now: int) -> Folded:
    """Like ``fold``, with counters that ``session.load`` returned in the same transaction.

    They may not be loaded again in between: a counter that another server created meanwhile would go unnoticed.
    """
    rows: dict[Key, Counter | None] = dict(loaded)
    changed: dict[Key, Counter | None] = {}
    outcomes: list[Outcome] = []
    created = updated = 0
    for item in batch:
        key = item.key
        before = rows.get(key)
        if (before is None or before.expires <= now) and item.admit is not None and not _admitted(item, before, now):
            outcomes.append(LIMITED)
            continue
        after, outcome = apply(before, item.operation, now)
        outcomes.append(outcome)
        if after is not before:
            rows[key] = changed[key] = after
            created += outcome.created
            updated += type(item.operation) in _UPDATES
    if changed:
        session.save(changed, loaded)
    return Folded(outcomes, changed, created, updated)


_UPDATES = frozenset({Add, Set})


def _admitted(item: CounterWrite, before: Counter | None, now: int) -> bool:
    if not would_create(before, item.operation, now):
        return True
    assert item.admit is not None
    admitted = item.admit()
    # The result is reused when the batch is retried: one creation takes one permit.
    item.admit = _yes if admitted else _no
    return admitted


def _yes() -> bool:
    return True


def _no() -> bool:
    return False


def operate(database: Database, session: Session, batch: Sequence[CounterWrite], now: int) -> list[Outcome]:
    """Carry out operations for the command line, without a server, by the same rules.

    Returns:
        The outcomes in order.
    """
    outcomes: dict[int, Outcome] = {}

    def attempt(part: Sequence[CounterWrite]) -> Folded:
        with session.transaction():
            folded = fold(session, part, now)
            if folded.changed:
                lane = part[0].lane if database.lanes_alone else 0
                session.add_totals(lane, Totals(folded.keys_created, folded.keys_updated))
            return folded

    for part in transactions(batch, lanes_alone=database.lanes_alone):
        folded = settle(partial(attempt, part))
        outcomes.update(zip(map(id, part), folded.outcomes, strict=True))
    return [outcomes[id(item)] for item in batch]
