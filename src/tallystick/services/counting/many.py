"""Many public counters with one request: read without counting, and added to in one transaction."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import astuple, replace

from tallystick.errors import KeyReused
from tallystick.ledger import Ledger, Session, Totals
from tallystick.ledger.folding import CounterWrite, fold_over, load_by_lane
from tallystick.model.counter import LOCKED, OWNED, RESTRICTED, Add, Counter, Outcome, RefusalReason, alive
from tallystick.model.key import Key
from tallystick.services.counting.owned.proving import Asker
from tallystick.services.counting.owned.rows import OwnedCounter, owner_of, owners_of
from tallystick.services.idempotency import InFlight, KeyedRequest, Records, StoredResponse

MOST_AT_ONCE = 500
"""Counters of one request."""

ADDING_AT_ONCE = 4
"""Requests that are carried out at one time: those who count one by one wait for the same writer."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[tuple[int | None, int | None, RefusalReason | None, bool]]).decode


class AddMany(Struct, eq=False, kw_only=True):
    """Additions of one request.

    Attributes:
        asker: who asks; what they own lets their additions pass.
        additions: with an ``Add`` each, in the order in which they count.
        request: its identity; it is carried out once. None for every time.
    """

    asker: Asker
    additions: Sequence[CounterWrite]
    request: KeyedRequest | None = None


class AddedMany(Struct, frozen=True):
    """What a request has done.

    Attributes:
        outcomes: one for each addition, in order.
        replayed: whether the request had been carried out before.
    """

    outcomes: Sequence[Outcome]
    replayed: bool = False


class ManyCounters:
    """Reads many public counters, and adds to them, on the event loop.

    Args:
        lifetime: milliseconds that an anonymous counter lives after its last change.
        in_flight: keyed requests in flight, shared by all services.
    """

    def __init__(self, ledger: Ledger, lifetime: int, in_flight: InFlight) -> None:
        self._ledger, self.lifetime, self._in_flight = ledger, lifetime, in_flight
        self._places = asyncio.Semaphore(ADDING_AT_ONCE)

    async def read(self, keys: Sequence[Key]) -> list[OwnedCounter | None]:
        """Counters and their owners, in order; None in the place of those that do not exist."""
        self._ledger.note_request()
        found = await self._ledger.read(_read_many, keys, self._ledger.clock())
        return [found.get(key) for key in keys]

    async def add(self, many: AddMany) -> AddedMany:
        """Carry out the additions of a request durably: each is counted or refused by itself.

        Raises:
            KeyReused, KeyInFlight, StoreUnavailable
        """
        self._ledger.note_request()
        if many.request is None:
            return await self._add(many)
        with self._in_flight.alone(many.request):
            return await self._add(many)

    async def _add(self, many: AddMany) -> AddedMany:
        async with self._places:
            added: AddedMany = await self._ledger.join(add_many, many)
        return added


def add_many(session: Session, batch: Sequence[AddMany], now: int, passed: int) -> list[AddedMany | KeyReused]:
    """Carry out the requests that have no record yet, and record their outcomes, for ``Ledger.join``.

    One transaction also on a database of lanes, in which all rows are locked first.

    Raises:
        CreationRaced: see ``folding.settle``.
    """
    # Locked before records are read: two servers that get the same request wait here for each other.
    counters = load_by_lane(session, (item.key for many in batch for item in many.additions))
    records = Records(session, [many.request for many in batch if many.request is not None], passed)
    before = [_recorded(records, many.request) for many in batch]
    new = [many for many, result in zip(batch, before, strict=True) if result is None]
    outcomes, totals = _carried_out(session, counters, new, now)
    added = {id(many): [outcomes[id(item)] for item in many.additions] for many in new}
    for many in new:
        if many.request is not None:
            records.add(many.request, _encode([astuple(outcome) for outcome in added[id(many)]]))
    records.store()
    if totals != Totals():
        # In the row that the writer's commit counts in, too. Last: while a total's row is locked, no other lock may be
        # waited for.
        session.add_totals(0, totals)
    return [result or AddedMany(added[id(many)]) for many, result in zip(batch, before, strict=True)]


def _carried_out(
    session: Session, counters: Mapping[Key, Counter], new: Sequence[AddMany], now: int
) -> tuple[dict[int, Outcome], Totals]:
    """Outcomes by the ``id`` of their additions, and what they add to the totals."""
    for many in new:
        if many.asker != Asker():
            _let_owner_pass(session, counters, many)
    outcomes: dict[int, Outcome] = {}
    created = updated = 0
    for lane in _lanes(session, (item for many in new for item in many.additions)):
        folded = fold_over(session, counters, lane, now)
        outcomes.update(zip(map(id, lane), folded.outcomes, strict=True))
        created, updated = created + folded.keys_created, updated + folded.keys_updated
    return outcomes, Totals(created, updated)


def _lanes(session: Session, additions: Iterable[CounterWrite]) -> list[list[CounterWrite]]:
    """Additions by lane, in the order of the lanes; together on a database without them."""
    lanes: dict[int, list[CounterWrite]] = defaultdict(list)
    for item in additions:
        lanes[item.lane if session.lanes_alone else 0].append(item)
    return [lanes[lane] for lane in sorted(lanes)]


def _let_owner_pass(session: Session, counters: Mapping[Key, Counter], many: AddMany) -> None:
    """Let additions pass the rules that hold up others, where the sender owns the counter."""
    own: dict[Key, bool] = {}
    for item in many.additions:
        counter = counters.get(item.key)
        if counter is None or counter.flags <= OWNED:
            continue
        if item.key not in own:
            owner = owner_of(session, item.key)
            own[item.key] = owner is not None and many.asker.owns(owner)
        assert isinstance(item.operation, Add)
        item.operation = replace(item.operation, passes=LOCKED | RESTRICTED if own[item.key] else 0)


def _recorded(records: Records, request: KeyedRequest | None) -> AddedMany | KeyReused | None:
    recorded = records.outcome_of(request)
    if recorded is None or isinstance(recorded, KeyReused):
        return recorded
    assert not isinstance(recorded, StoredResponse), "there were no such requests in versions that stored responses"
    return AddedMany([Outcome(*row) for row in _decode(recorded)], replayed=True)


def _read_many(session: Session, keys: Sequence[Key], now: int) -> dict[Key, OwnedCounter]:
    counters = {key: live for key, counter in session.find(set(keys)).items() if (live := alive(counter, now))}
    owners = owners_of(session, [key for key, counter in counters.items() if counter.flags])
    return {key: OwnedCounter(key, counter, owners.get(key)) for key, counter in counters.items()}
