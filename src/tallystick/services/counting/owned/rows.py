"""Owners of public counters, as the ledger stores them. Functions of ``(session, ...)``; times in ms."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from tallystick.ledger import Session
from tallystick.ledger.folding import forget_owners
from tallystick.ledger.history import HistoryChanges
from tallystick.model.counter import LOCKED, OWNED, RESTRICTED, Counter, alive
from tallystick.model.key import Key, lane_of

_encode = msgspec.json.Encoder().encode
_decode_origins = msgspec.json.Decoder(tuple[str, ...]).decode


class CounterOwner(Struct, frozen=True, kw_only=True):
    """Who owns a counter, and the rules by which it counts.

    Attributes:
        digest: of the secret that proves the ownership; None where an account owns the counter.
        account: id; None where a secret does. Without both, nobody owns the counter any more.
        label: what its owner calls it; may be empty.
        origins: only requests of pages with these origins count; empty for all.
        one_each: ``hour``, ``day`` or ``visit`` to count each visitor once in it; empty to count every request.
        created: when it got its owner.
    """

    digest: bytes | None = None
    account: int | None = None
    label: str = ""
    origins: tuple[str, ...] = ()
    one_each: str = ""
    created: int = 0

    @property
    def is_nobody(self) -> bool:
        """Whether nobody can prove to be the owner: the account was deleted."""
        return self.digest is None and self.account is None

    def flags(self, *, locked: bool) -> int:
        """``Counter.flags`` of a counter with this owner."""
        restricted = RESTRICTED if self.origins or self.one_each else 0
        return OWNED | restricted | (LOCKED if locked else 0)


class OwnedCounter(Struct, frozen=True):
    """A counter and its owner; None for one that never had any."""

    key: Key
    counter: Counter
    owner: CounterOwner | None = None

    @property
    def locked(self) -> bool:
        """Whether only its owner changes it."""
        return bool(self.counter.flags & LOCKED)


def owner_of(session: Session, key: Key) -> CounterOwner | None:
    """Who owns a counter; None if nobody ever did."""
    row = session.common.owner_of(session.connection, **_named(key))
    return None if row is None else _from_row(row)


def owners_of(session: Session, keys: Sequence[Key]) -> dict[Key, CounterOwner]:
    """Who owns each of several counters."""
    if not keys:
        return {}
    names = _encode([_named(key) for key in keys]).decode()
    rows = session.queries.owners_among(session.connection, keys=names)
    return {Key(namespace, key): _from_row(row) for namespace, key, *row in rows}


def store_owner(session: Session, key: Key, owner: CounterOwner) -> None:
    """Store who owns a counter, and its rules."""
    session.common.store_owner(
        session.connection,
        **_named(key),
        digest=owner.digest,
        account=owner.account,
        label=owner.label,
        origins=_encode(owner.origins).decode(),
        one_each=owner.one_each,
        created=owner.created,
    )


def read_counter(session: Session, key: Key, now: int) -> OwnedCounter | None:
    """A living counter and its owner; None if there is none."""
    counter = alive(session.find([key]).get(key), now)
    if counter is None:
        return None
    return OwnedCounter(key, counter, owner_of(session, key) if counter.flags else None)


def counters_of(session: Session, account: int, after: Key | None, most: int) -> list[OwnedCounter]:
    """The next counters that an account owns, by name."""
    start = after or Key("", "")
    rows = session.common.owned_by(
        session.connection, account=account, namespace=start.namespace, key=start.key, max_rows=most
    )
    owners = {Key(namespace, key): _from_row(row) for namespace, key, *row in rows}
    counters = session.find(owners)
    return [OwnedCounter(key, counters[key], owner) for key, owner in owners.items() if key in counters]


def move_rows(session: Session, old: Key, new: Key) -> None:
    """Give what is stored about a counter, besides itself, to its new name."""
    names = _named(new) | {f"old_{name}": value for name, value in _named(old).items()}
    session.common.copy_hours(session.connection, **names)
    session.common.copy_milestones(session.connection, **names)
    session.common.copy_owner(session.connection, **names)
    session.common.copy_seen(session.connection, **names)
    session.keep_history(HistoryChanges([old], [], []))
    forget_owners(session, [old])


def _named(key: Key) -> dict[str, Any]:
    return {"lane": lane_of(key), "namespace": key.namespace, "key": key.key}


def _from_row(row: Sequence[Any]) -> CounterOwner:
    digest, account, label, origins, one_each, created = row
    return CounterOwner(
        digest=None if digest is None else bytes(digest),
        account=account,
        label=label,
        origins=_decode_origins(origins),
        one_each=one_each,
        created=created,
    )
