"""Create counters before a run, and read them after it."""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path

from tallystick.ledger import Session, open_database
from tallystick.model.counter import LIFETIME_MS, Counter
from tallystick.model.key import Key, lane_of

NAMESPACE = "bench"
HOT = Key(NAMESPACE, "hot")
FIRST_VALUE = 1_000_000
"""Counters start here, so that every answer has the length of the echo's."""

AT_ONCE = 10_000
"""Rows in one transaction."""


def numbered(count: int) -> Iterator[Key]:
    """The keys that ``load.Load`` draws from."""
    return (Key(NAMESPACE, f"{number:07d}") for number in range(count))


def create(url: str | None, data: Path, keys: Iterable[Key]) -> None:
    """Store counters without a server: one save a transaction, one lane each, in the order they are stored."""
    data.mkdir(exist_ok=True)
    database = open_database(url, data)
    database.migrate()
    session = database.session()
    now = time.time_ns() // 1_000_000
    fresh = Counter(FIRST_VALUE, 0, 1, resettable=False, created=now, expires=now + LIFETIME_MS, version=1)
    try:
        for _, lane in groupby(sorted(keys, key=_storage_order), key=lane_of):
            while part := list(islice(lane, AT_ONCE)):
                _save(session, part, fresh)
    finally:
        session.close()


def counted(url: str | None, data: Path) -> int:
    """Return by how much all counters together have risen, read from the database."""
    session = open_database(url, data).session()
    total, after = 0, None
    try:
        while page := session.page(after, AT_ONCE):
            total += sum(counter.value - FIRST_VALUE for _, counter in page)
            after = page[-1][0]
    finally:
        session.close()
    return total


def _storage_order(key: Key) -> tuple[int, Key]:
    return lane_of(key), key


def _save(session: Session, keys: Sequence[Key], counter: Counter) -> None:
    with session.transaction():
        session.save(dict.fromkeys(keys, counter), {})
