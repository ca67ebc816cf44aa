"""A batch of operations, folded over the counters it touches: one load, one save."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from msgspec import Struct

from tallystick.errors import StoreFailed
from tallystick.ledger.database import CreationRaced, Database, Namespace, Session, Totals
from tallystick.ledger.history import HistoryChanges, history_of
from tallystick.model.counter import (
    LIMITED,
    Add,
    Counter,
    Create,
    Operation,
    Outcome,
    RefusalReason,
    Set,
    apply,
    apply_repeatedly,
    would_create,
)
from tallystick.model.key import DEFAULT_NAMESPACE, Key, is_public, lane_of

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
    reshaped: list[Key] = []
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
                    creations.made(key)
                updates, times = 1, 1
            else:
                after, several = apply_repeatedly(counter, item.operation, times, now)
                for place, outcome in zip(own[at : at + times], several, strict=True):
                    outcomes[place] = outcome
                updates = 0 if counter is None or after is None else after.version - counter.version
            at += times
            if after is not counter:
                counter = changed[key] = after
                if type(item.operation) in _UPDATES:
                    updated += updates
                else:
                    reshaped.append(key)
    if changed:
        history = history_of(changed, loaded, set(created), now)
        session.save(changed, loaded, {*created, *reshaped, *history.moved})
        _keep_what_follows(session, changed, loaded, set(created), history)
    return Folded(outcomes, changed, len(created), updated)


def _keep_what_follows(
    session: Session,
    changed: Mapping[Key, Counter | None],
    loaded: Mapping[Key, Counter],
    created: set[Key],
    history: HistoryChanges,
) -> None:
    """Store what follows from a batch's changes: history, and the numbers of counters of namespaces."""
    if history:
        session.keep_history(history)
        forget_owners(session, [key for key in history.forgotten if loaded[key].flags])
    if created or history.forgotten:
        count_keys(session, changed, loaded, created.union(history.forgotten))


class _Creations:
    """Whether the operations of a batch may create their counters.

    What is stored about their namespaces is read once, and only if a counter is created.
    """

    def __init__(self, session: Session, keys: Iterable[Key]) -> None:
        self._session, self._keys = session, keys
        self._namespaces: Mapping[str, Namespace] | None = None
        self._made: dict[str, int] = defaultdict(int)

    def made(self, key: Key) -> None:
        """Note that the batch created a counter."""
        self._made[key.namespace] += 1

    def refused(self, item: CounterWrite, counter: Counter | None, now: int) -> Outcome | None:
        """The refusal of an operation that may not create its counter; None if it may, or creates none."""
        operation = item.operation
        if not would_create(counter, operation, now):
            return None
        if item.admit is not None and not _admitted(item):
            return LIMITED
        if type(operation) is Create and operation.authorized:
            return None
        if self._namespaces is None:
            self._namespaces = self._session.namespaces({key.namespace for key in self._keys})
        known = type(operation) is Create and operation.known
        return self._refused_in(item.key.namespace, self._namespaces[item.key.namespace], known=known)

    def _refused_in(self, name: str, namespace: Namespace, *, known: bool) -> Outcome | None:
        if namespace.reserved:
            return Outcome(None, None, RefusalReason.RESERVED)
        if known:
            return None
        if namespace.closed:
            return Outcome(None, None, RefusalReason.CLOSED)
        if is_full(self._session, name, namespace.keys + self._made[name]):
            return Outcome(None, None, RefusalReason.FULL)
        return None


def load_by_lane(session: Session, keys: Iterable[Key]) -> dict[Key, Counter]:
    """``Session.load`` for counters of several lanes.

    Locked lane by lane, in the order in which batches lock those of one lane: nobody waits in a circle.
    """
    lanes: dict[int, list[Key]] = defaultdict(list)
    for key in keys:
        lanes[lane_of(key) if session.lanes_alone else 0].append(key)
    loaded: dict[Key, Counter] = {}
    for lane in sorted(lanes):
        loaded |= session.load(lanes[lane])
    return loaded


def is_full(session: Session, namespace: str, keys: int) -> bool:
    """Whether a namespace of so many counters gets no more of people without an account."""
    # The default namespace belongs to all who name none: one of them must not fill it for the others.
    return session.most_keys is not None and namespace != DEFAULT_NAMESPACE and keys >= session.most_keys


def count_keys(
    session: Session, changed: Mapping[Key, Counter | None], loaded: Mapping[Key, Counter], keys: Iterable[Key]
) -> None:
    """Note how many public counters a transaction has brought their namespaces, or taken from them.

    Args:
        changed, loaded: as for ``Session.save``.
        keys: that were created or deleted.
    """
    added: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for key in filter(is_public, keys):
        if more := (changed[key] is not None) - (key in loaded):
            added[lane_of(key) if session.lanes_alone else 0][key.namespace] += more
    for lane in sorted(added):
        session.count_keys(lane, added[lane])


def forget_owners(session: Session, keys: Iterable[Key]) -> None:
    """Remove whose counters were, their rules, and the visitors that they have counted."""
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
"""Operations that change value, expiry and version of a counter that exists, and the hour of its last change."""


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
