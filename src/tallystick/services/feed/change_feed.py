"""Reads changes of shared counters, and the accounts that receive them. Functions of ``(session, ...)``; times in ms.

Changes are numbered without gaps in the order of their commits, so a number is a position to resume from.
"""

import secrets
from collections import OrderedDict, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from tallystick.ledger import Session
from tallystick.model.account import Permission
from tallystick.model.change import Change, ChangeKind
from tallystick.model.shared_counter import NAMESPACE, SharedCounter
from tallystick.services.sharing.access import from_row
from tallystick.services.sharing.changes import hold_changes

CHANGES_AT_ONCE = 1_000
MEMBERSHIPS_KEPT = 100_000
"""Memberships that the cache holds at most; about 10 MB."""

_encode = msgspec.json.Encoder().encode


class ChangeRow(Struct, frozen=True, gc=False):
    """A row of the changes, as the queries select it.

    Attributes:
        by: the account that made the change.
    """

    number: int
    counter: int
    kind: ChangeKind
    actor: str | None
    by: int | None
    at: int
    delta: int | None
    value: int | None
    version: int | None


class Farewell(Struct, frozen=True, gc=False):
    """An account lost access to a counter with a change."""

    number: int
    account: int
    counter: str
    at: int


class Delivery(Struct, frozen=True, gc=False):
    """A change and the accounts that receive it.

    Attributes:
        number: of the commit; the change itself has an older one if it is the first of several.
    """

    number: int
    change: Change
    accounts: Sequence[int]


class ChangeBatch(Struct, frozen=True):
    """The next changes.

    Attributes:
        last: the number of the last one; None without changes.
        full: whether there may be more.
    """

    last: int | None
    full: bool
    deliveries: Sequence[Delivery]


class Members:
    """A cache of the members of counters. Bounded; used by one thread at a time.

    A change of membership removes the entry of its counter.
    """

    def __init__(self) -> None:
        self._cached: OrderedDict[int, Mapping[int, int]] = OrderedDict()
        self._size = 0

    def forget(self, counter: int) -> None:
        """Remove a counter from the cache."""
        self._size -= len(self._cached.pop(counter, ()))

    def clear(self) -> None:
        """Empty the cache."""
        self._cached.clear()
        self._size = 0

    def of(self, session: Session, counters: Iterable[int]) -> Mapping[int, Mapping[int, int]]:
        """The members of counters: counter -> account -> number of the change that made it a member."""
        ids = set(counters)
        members = {counter: self._cached[counter] for counter in ids & self._cached.keys()}
        for counter, people in people_of(session, ids - members.keys()).items():
            members[counter] = self._cached[counter] = people
            self._size += len(people)
        while self._size > MEMBERSHIPS_KEPT:
            self._size -= len(self._cached.popitem(last=False)[1])
        return members


def named_epoch(session: Session) -> str:
    """The name of this ledger's numbering of changes (its epoch), created by the first call; a copy gets another."""
    # Two servers that start on a new database wait here for each other.
    hold_changes(session)
    epoch = session.common.epoch(session.connection)
    if epoch is None:
        epoch = secrets.token_hex(8)
        session.common.name_epoch(session.connection, epoch=epoch)
    return str(epoch)


def next_changes(session: Session, after: int, members: Members, listening: Container[int]) -> ChangeBatch:
    """The changes after a number, with the listening accounts that receive them.

    Costs one statement and, if there are changes, up to three more for all of them.
    """
    rows = change_rows(session.common.changes_after(session.connection, number=after, max_rows=CHANGES_AT_ONCE))
    if not rows:
        return ChangeBatch(None, full=False, deliveries=())
    for row in rows:
        if row.kind in {"created", "members", "deleted"}:
            members.forget(row.counter)
    last = rows[-1].number
    people = members.of(session, {row.counter for row in rows})
    audiences = {counter: _Audience(members, listening) for counter, members in people.items()}
    states = states_of(session, [counter for counter, audience in audiences.items() if audience.all])
    farewells: dict[int, list[Farewell]] = defaultdict(list)
    if any(row.kind in {"members", "deleted"} for row in rows):
        for farewell in farewells_between(session, after, last):
            farewells[farewell.number].append(farewell)
    deliveries: list[Delivery] = []
    for row in rows:
        left = farewells.get(row.number, ())
        if state := states.get(row.counter):
            deliveries += _deliveries(row, state, audiences[row.counter])
        deliveries += [
            Delivery(row.number, deletion(each), (each.account,)) for each in left if each.account in listening
        ]
    return ChangeBatch(last, full=len(rows) == CHANGES_AT_ONCE, deliveries=deliveries)


class _Audience:
    """The listening members of a counter."""

    def __init__(self, people: Mapping[int, int], listening: Container[int]) -> None:
        self._since = {account: since for account, since in people.items() if account in listening}
        self._latest = max(self._since.values(), default=0)
        self.all = list(self._since)

    def at(self, number: int) -> Sequence[int]:
        """Accounts that were members at a change; former members are not included."""
        if self._latest <= number:
            return self.all
        return [account for account, since in self._since.items() if since <= number]

    def joined_with(self, number: int) -> Sequence[int]:
        """Accounts that became members with a change."""
        return [account for account, since in self._since.items() if since == number]


def _deliveries(row: ChangeRow, state: SharedCounter, audience: _Audience) -> Iterable[Delivery]:
    if row.kind == "members" and (joined := audience.joined_with(row.number)):
        yield Delivery(row.number, arrival(row, state), joined)
    yield Delivery(row.number, change_of(row, state), audience.at(row.number))


def arrival(row: ChangeRow, state: SharedCounter) -> Change:
    """The counter as a new member receives it. It has the number before: the change of members has the row's own."""
    return Change(
        number=row.number - 1,
        counter=state.uid,
        kind="created",
        state=state,
        actor=row.actor,
        at=row.at,
        value=state.value,
        version=state.version,
    )


def change_of(row: ChangeRow, state: SharedCounter) -> Change:
    """The change of a row."""
    return Change(
        number=row.number,
        counter=state.uid,
        kind=row.kind,
        state=None if row.kind == "members" else state,
        actor=row.actor,
        at=row.at,
        delta=row.delta,
        value=row.value,
        version=row.version,
    )


def deletion(farewell: Farewell) -> Change:
    """The change of a farewell."""
    return Change(number=farewell.number, counter=farewell.counter, kind="deleted", at=farewell.at)


def change_rows(rows: Iterable[Sequence[Any]]) -> list[ChangeRow]:
    """Rows of changes."""
    return [ChangeRow(*row) for row in rows]


def farewells_between(session: Session, after: int, last: int) -> list[Farewell]:
    """Farewells of a range of changes."""
    rows = session.common.farewells_between(session.connection, after=after, last=last)
    return [Farewell(*row) for row in rows]


def people_of(session: Session, counters: Iterable[int]) -> Mapping[int, Mapping[int, int]]:
    """The members of counters, as in ``Members.of``; counters without members are left out."""
    people: dict[int, dict[int, int]] = defaultdict(dict)
    if ids := list(counters):
        rows = session.queries.people_of(session.connection, counters=_encode(ids).decode())
        for counter, account, since in rows:
            people[counter][account] = since
    return people


def states_of(session: Session, counters: Iterable[int]) -> dict[int, SharedCounter]:
    """Counters as they are now; deleted ones are left out."""
    if not (ids := list(counters)):
        return {}
    rows = session.queries.states_of(session.connection, counters=_encode(ids).decode(), namespace=NAMESPACE)
    return {row[0]: from_row(row) for row in rows}


def date_counters_of(session: Session, accounts: Sequence[int]) -> list[tuple[SharedCounter, set[int]]]:
    """The counters of days of some accounts, each with its members among these accounts."""
    owners: dict[int, set[int]] = defaultdict(set)
    for account, counter in session.queries.date_counters_of(
        session.connection, accounts=_encode(list(accounts)).decode()
    ):
        owners[counter].add(account)
    return [(state, owners[counter]) for counter, state in states_of(session, owners).items()]


def valid_tokens(session: Session, tokens: Iterable[int]) -> dict[int, str]:
    """Tokens that still exist and may read counters, with the prefixes of their present secrets."""
    rows = session.queries.valid_tokens(
        session.connection, tokens=_encode(sorted(tokens)).decode(), permission=int(Permission.COUNTERS_READ)
    )
    return {int(number): str(prefix) for number, prefix in rows}
