"""A batch of operations, folded over the counters it touches: one load, one save."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from msgspec import Struct

from tallystick.errors import StoreFailed
from tallystick.ledger.database import CreationRaced, Database, Session, Totals
from tallystick.ledger.history import history_of
from tallystick.model.counter import (
    LIMITED,
    RESERVED,
    Add,
    Counter,
    Create,
    Operation,
    Outcome,
    Set,
    apply,
    apply_repeatedly,
    would_create,
)
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
    places = _places(batch)
    return _fold_places(session, session.load(places), batch, places, now)


def fold_over(session: Session, loaded: Mapping[Key, Counter], batch: Sequence[CounterWrite], now: int) -> Folded:
    """Like ``fold``, with counters that ``session.load`` returned in the same transaction.

    They may not be loaded again in between: a counter that another server created meanwhile would go unnoticed.
    """
    return _fold_places(session, loaded, batch, _places(batch), now)


def _places(batch: Sequence[CounterWrite]) -> dict[Key, list[int]]:
    """Where in a batch each counter's operations are."""
    places: dict[Key, list[int]] = {}
    for place, item in enumerate(batch):
        own = places.get(item.key)
        if own is None:
            places[item.key] = [place]
        else:
            own.append(place)
    return places


def _fold_places(
    session: Session,
    loaded: Mapping[Key, Counter],
    batch: Sequence[CounterWrite],
    places: Mapping[Key, Sequence[int]],
    now: int,
) -> Folded:
    changed: dict[Key, Counter | None] = {}
    outcomes = [LIMITED] * len(batch)
    created: list[Key] = []
    updated = 0
    creations = _Creations(session, places)
    for key, own in places.items():
        counter, at = loaded.get(key), 0
        while at < len(own):
            item = batch[own[at]]
            absent = counter is None or counter.expires <= now
            if absent and (refused := creations.refused(item, counter, now)) is not None:
                outcomes[own[at]] = refused
                at += 1
                continue
            if absent or at + 1 == len(own) or (times := _times(batch, own, at)) == 1:
                after, outcome = apply(counter, item.operation, now)
                outcomes[own[at]] = outcome
                if outcome.created:
                    created.append(key)
                updates, times = 1, 1
            else:
                after, several = apply_repeatedly(counter, item.operation, times, now)
                for place, outcome in zip(own[at : at + times], several, strict=True):
                    outcomes[place] = outcome
                updates = 0 if counter is None or after is None else after.version - counter.version
            at += times
            if after is not counter:
                counter = changed[key] = after
                updated += updates if type(item.operation) in _UPDATES else 0
    if changed:
        session.save(changed, loaded)
        if history := history_of(changed, loaded, set(created), now):
            session.keep_history(history)
            _forget_owners(session, [key for key in history.forgotten if loaded[key].flags])
    return Folded(outcomes, changed, len(created), updated)


class _Creations:
    """Whether the operations of a batch may create their counters.

    Which namespaces are reserved is read once, and only if a counter is created.
    """

    def __init__(self, session: Session, keys: Iterable[Key]) -> None:
        self._session, self._keys = session, keys
        self._reserved: frozenset[str] | None = None

    def refused(self, item: CounterWrite, counter: Counter | None, now: int) -> Outcome | None:
        """The refusal of an operation that may not create its counter; None if it may, or creates none."""
        operation = item.operation
        if not would_create(counter, operation, now):
            return None
        if item.admit is not None and not _admitted(item):
            return LIMITED
        if type(operation) is Create and operation.authorized:
            return None
        if self._reserved is None:
            self._reserved = self._session.reserved({key.namespace for key in self._keys})
        return RESERVED if item.key.namespace in self._reserved else None


def _forget_owners(session: Session, keys: Iterable[Key]) -> None:
    for key in keys:
        named = {"lane": lane_of(key), "namespace": key.namespace, "key": key.key}
        session.common.forget_owner(session.connection, **named)
        session.common.forget_seen_by(session.connection, **named)


def _times(batch: Sequence[CounterWrite], places: Sequence[int], at: int) -> int:
    """How often the same operation follows itself at these places, from one of them on."""
    operation = batch[places[at]].operation
    for number in range(at + 1, len(places)):
        if batch[places[number]].operation is not operation:
            return number - at
    return len(places) - at


_UPDATES = frozenset({Add, Set})


def _admitted(item: CounterWrite) -> bool:
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
