"""Create accounts, shared counters and changes without a server, and read the counters after a run."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec import Struct

from tallystick.ledger import Session, open_database
from tallystick.model.account import Account, Permission
from tallystick.model.shared_counter import SharedCounter
from tallystick.services.accounts.accounts import NewAccount, create_account
from tallystick.services.accounts.tokens import NewToken, create_token
from tallystick.services.sharing.access import counters_of
from tallystick.services.sharing.changes import CHANGES
from tallystick.services.sharing.counters import NewCounter, create

PEOPLE, MANY = 20, 1_000
FIRST_VALUE = 1_000_000
"""Counters start here, so that every answer has about the length of the echo's."""

AT_ONCE = 1_000_000
_FILL = """
WITH RECURSIVE step (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM step WHERE n + 1 < :amount)
INSERT INTO counter_change (number, counter, kind, actor, at, delta, value, version)
SELECT :first + n, 1 + (n * 7919) % :counters, 'value', 1 + n % :people, :now, 1, n, n FROM step
"""


class Shared(Struct, frozen=True):
    """The created data. A pair that can count is the counter's UUID and a member's token.

    Attributes:
        hot: one counter that all share.
        many: each of a thousand counters, by its two members.
        collector: the token of an account with a thousand counters of its own.
        collected: one of them.
    """

    hot: list[tuple[str, str]]
    many: list[tuple[str, str]]
    collector: str
    collected: str


def prepare(data: Path, url: str | None = None) -> Shared:
    """Create accounts, tokens and counters in a data directory, or in a database of PostgreSQL."""
    data.mkdir(exist_ok=True)
    open_database(url, data).migrate()
    with _writing(data, url) as session:
        people = [_person(session, f"person-{number}") for number in range(PEOPLE)]
        host, collector = _person(session, "host"), _person(session, "collector")
        hot = _counter(session, host[0])
        for person, _ in people:
            _let_in(session, hot, person)
        own = [_counter(session, collector[0]) for _ in range(MANY)]
        many = list(_shared_by_two(session, people))
    return Shared([(hot.uid, token) for _, token in people], many, collector[1], own[0].uid)


def _shared_by_two(session: Session, people: Sequence[tuple[Account, str]]) -> Iterator[tuple[str, str]]:
    for number in range(MANY):
        (owner, token), (friend, other) = people[number % PEOPLE], people[(number + 1) % PEOPLE]
        counter = _counter(session, owner)
        _let_in(session, counter, friend)
        yield counter.uid, token
        yield counter.uid, other


def add_changes(data: Path, amount: int) -> None:
    """Add this number of changes to the record, spread evenly over all counters."""
    for done in range(0, amount, AT_ONCE):
        part = min(AT_ONCE, amount - done)
        with _writing(data) as session:
            first = session.take_numbers(CHANGES, part)
            [(counters,)] = session.connection.execute("SELECT count(*) FROM shared_counter")
            numbers = {"first": first, "amount": part, "counters": counters, "people": PEOPLE, "now": _now()}
            session.connection.execute(_FILL, numbers)


def counted(data: Path, url: str | None = None) -> int:
    """Return by how much all shared counters together have risen."""
    with closing(open_database(url, data).session()) as session:
        accounts = [number for (number,) in session.connection.execute("SELECT id FROM account")]
        counters = {counter.uid: counter.value for account in accounts for counter in counters_of(session, account)}
    return sum(counters.values()) - FIRST_VALUE * len(counters)


@contextmanager
def _writing(data: Path, url: str | None = None) -> Iterator[Session]:
    with closing(open_database(url, data).session(writes=True)) as session, session.transaction():
        yield session


def _person(session: Session, name: str) -> tuple[Account, str]:
    wanted = NewAccount(email=f"{name}@example.com", password="-", name=name, access={})  # noqa: S106  # nobody logs in
    person = create_account(session, wanted, _now())
    token = NewToken(name="bench", permissions=Permission.COUNTERS_READ | Permission.COUNTERS_WRITE)
    return person, create_token(session, person, token, _now())[1]


def _counter(session: Session, owner: Account) -> SharedCounter:
    return create(session, owner.id, NewCounter(name="Bench", value=FIRST_VALUE), _now())


def _let_in(session: Session, counter: SharedCounter, person: Account) -> None:
    session.common.add_member(
        session.connection, account=person.id, counter=counter.id, role="member", joined=_now(), since=0
    )


def _now() -> int:
    return time.time_ns() // 1_000_000
