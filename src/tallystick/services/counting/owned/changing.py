"""What owners do with their public counters. Functions of ``(session, asker, ...)``; times in ms.

All of them raise ``OwningRefused``. Changes by accounts are in the log of administrative events.
"""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from tallystick.errors import CounterReason, InvalidFields, OwningRefused
from tallystick.ledger import Session, Totals
from tallystick.ledger.folding import Admit, CounterWrite, count_keys, fold, fold_over, forget_owners, load_by_lane
from tallystick.ledger.history import HistoryChanges
from tallystick.model.counter import FROZEN, Amend, Counter, Create, Delete, Operation, RefusalReason, Set, alive
from tallystick.model.key import Key, lane_of
from tallystick.model.line import line_problems
from tallystick.model.origin import browser_origin
from tallystick.services.accounts.audit import EventKind, note
from tallystick.services.counting.owned.proving import (
    Asker,
    digest_of,
    loaded_counter,
    new_nonce,
    no_such_counter,
    owned_by_asker,
    proving_site,
    refuse_frozen,
    require_namespace,
    secret_of,
)
from tallystick.services.counting.owned.rows import CounterOwner, OwnedCounter, move_rows, store_owner

LONGEST_LABEL = 100
MOST_ORIGINS = 20
MOST_COUNTERS = 10_000
"""Counters of one account."""

OneEach = Literal["", "hour", "day", "visit"]


class OwnerRules(Struct, frozen=True, kw_only=True):
    """The rules of an owner, as they are sent: unchecked.

    Attributes:
        locked: only the owner changes the counter.
    """

    label: str | UnsetType = UNSET
    origins: tuple[str, ...] | UnsetType = UNSET
    one_each: OneEach | UnsetType = UNSET
    locked: bool | UnsetType = UNSET


class OwnedResult(Struct, frozen=True):
    """What a request has done.

    Attributes:
        found: the counter afterwards.
        nonce: of the secret of a counter that was created without an account; else empty.
        replayed: whether the request had been carried out before.
    """

    found: OwnedCounter
    nonce: bytes = b""
    replayed: bool = False


def create_owned(  # noqa: PLR0913, PLR0917  # what is created, by whom and when
    session: Session,
    asker: Asker,
    key: Key,
    operation: Create,
    rules: OwnerRules,
    idempotency_key: str,
    admit: Admit | None,
    now: int,
) -> OwnedResult:
    """Create a counter that belongs to the sender's account, or without one to whoever has its secret.

    Args:
        idempotency_key: of the request; empty without one.
    """
    require_namespace(session, asker, key.namespace)
    nonce = b"" if asker.principal is not None else new_nonce()
    digest = digest_of(secret_of(nonce, idempotency_key)) if nonce else None
    owner = _with_rules(CounterOwner(digest=digest, account=asker.account, created=now), rules)
    _refuse_too_many(session, asker)
    flags = owner.flags(locked=rules.locked is True)
    counter = _carried_out(session, key, replace(operation, flags=flags, authorized=True), admit, now)
    store_owner(session, key, owner)
    _note(session, asker, EventKind.COUNTER_CREATED, key, now)
    session.add_totals(lane_of(key), Totals(keys_created=1))  # last: see ``add_once``
    return OwnedResult(OwnedCounter(key, counter, owner), nonce)


def amend_owned(  # noqa: PLR0913, PLR0917  # what is changed, by whom and when
    session: Session, asker: Asker, key: Key, operation: Amend, rules: OwnerRules, now: int
) -> OwnedResult:
    """Change what a counter allows, its label and its rules."""
    counter, owner = owned_by_asker(session, asker, key, now)
    changed = _with_rules(owner, rules)
    locked = OwnedCounter(key, counter).locked if rules.locked is UNSET else rules.locked
    amended = replace(operation, flags=changed.flags(locked=locked) | counter.flags & FROZEN)
    counter = _carried_out(session, key, amended, None, now)
    if changed != owner:
        store_owner(session, key, changed)
    _note(session, asker, EventKind.COUNTER_CHANGED, key, now)
    return OwnedResult(OwnedCounter(key, counter, changed))


def set_owned(session: Session, asker: Asker, key: Key, value: int, now: int) -> OwnedResult:
    """Replace the value, whatever the counter allows others."""
    before, owner = owned_by_asker(session, asker, key, now)
    counter = _carried_out(session, key, Set(value, forced=True), None, now)
    _note(session, asker, EventKind.COUNTER_SET, key, now, f"{before.value} to {value}")
    session.add_totals(lane_of(key), Totals(keys_updated=1))
    return OwnedResult(OwnedCounter(key, counter, owner))


def delete_owned(session: Session, asker: Asker, key: Key, now: int) -> OwnedResult:
    """Delete a counter with its history."""
    counter, owner = owned_by_asker(session, asker, key, now)
    fold(session, [CounterWrite(key, Delete())], now)
    _note(session, asker, EventKind.COUNTER_DELETED, key, now, f"the value was {counter.value}")
    return OwnedResult(OwnedCounter(key, counter, owner))


def claim_counter(session: Session, asker: Asker, key: Key, now: int) -> OwnedResult:
    """Make the sender's account the owner of a counter that nobody owns.

    The proof is a site: the namespace is its name, and the sender is an admin there.
    """
    found = loaded_counter(session, key, now)
    refuse_frozen(asker, found)
    if found.owner is not None and not found.owner.is_nobody:
        msg = f"{key} has an owner already"
        raise OwningRefused(CounterReason.ALREADY_OWNED, msg)
    if not asker.is_superuser and proving_site(session, asker, key.namespace) is None:
        msg = (
            f"{key} belongs to nobody, and nothing proves that it is yours: its namespace has to be the host name"
            " or the domain of a site on this server of which you are an admin"
        )
        raise OwningRefused(CounterReason.NO_PROOF, msg)
    _refuse_too_many(session, asker)
    owner = replace(found.owner or CounterOwner(), account=asker.account, created=now)
    counter = _carried_out(
        session, key, Amend(flags=owner.flags(locked=found.locked) | found.counter.flags & FROZEN), None, now
    )
    store_owner(session, key, owner)
    _note(session, asker, EventKind.COUNTER_CLAIMED, key, now)
    return OwnedResult(OwnedCounter(key, counter, owner))


def renew_secret(session: Session, asker: Asker, key: Key, idempotency_key: str, now: int) -> OwnedResult:
    """Give a counter a new secret; the one before proves nothing any more. An account that owns it keeps it.

    Args:
        idempotency_key: of the request; empty without one.
    """
    counter, owner = owned_by_asker(session, asker, key, now)
    nonce = new_nonce()
    changed = replace(owner, digest=digest_of(secret_of(nonce, idempotency_key)))
    store_owner(session, key, changed)
    _note(session, asker, EventKind.COUNTER_CHANGED, key, now, "a new secret")
    return OwnedResult(OwnedCounter(key, counter, changed), nonce)


def give_counter(session: Session, asker: Asker, key: Key, account: int | None, secret: str, now: int) -> OwnedResult:  # noqa: PLR0913, PLR0917  # whose it becomes, by whom and when
    """Make an account the owner of a counter, or whoever has a secret, in the place of any owner before. For operators.

    Args:
        account: id; None for none.
        secret: empty for none.
    """
    found = loaded_counter(session, key, now)
    digest = digest_of(secret) if secret else None
    owner = replace(found.owner or CounterOwner(created=now), account=account, digest=digest)
    flags = owner.flags(locked=found.locked) | found.counter.flags & FROZEN
    counter = _carried_out(session, key, Amend(flags=flags), None, now)
    store_owner(session, key, owner)
    _note(session, asker, EventKind.COUNTER_CHANGED, key, now, "a new owner")
    return OwnedResult(OwnedCounter(key, counter, owner))


def rename_owned(  # noqa: PLR0913, PLR0917  # what is renamed, by whom and when
    session: Session, asker: Asker, key: Key, new: Key, admit: Admit | None, now: int
) -> OwnedResult:
    """Give a counter another name: value, version, history and owner move in this one transaction."""
    loaded = load_by_lane(session, {key, new})
    counter, owner = owned_by_asker(session, asker, key, now)
    if new == key:
        return OwnedResult(OwnedCounter(key, counter, owner))
    if alive(loaded.get(new), now):
        raise _exists(new)
    require_namespace(session, asker, new.namespace, gains=new.namespace != key.namespace)
    if admit is not None and not admit():
        raise _limited()
    moved = replace(counter, version=counter.version + 1)
    if new in loaded:  # it has expired, and was not swept yet
        session.keep_history(HistoryChanges([new], [], []))
        forget_owners(session, [new])
    changed: dict[Key, Counter | None] = {key: None, new: moved}
    session.save({key: None}, {key: counter})
    session.save({new: moved}, {each: loaded[each] for each in loaded if each == new})
    count_keys(session, changed, loaded, changed)
    move_rows(session, key, new)
    _note(session, asker, EventKind.COUNTER_RENAMED, key, now, f"to {new}")
    return OwnedResult(OwnedCounter(new, moved, owner))


def reserve_namespace(session: Session, asker: Asker, namespace: str, now: int) -> None:
    """Let only the owner of a site create counters in the namespace that has its name."""
    site = proving_site(session, asker, namespace)
    if site is None:
        msg = (
            f"nothing proves that {namespace} is yours: it has to be the host name or the domain of a site on this"
            " server of which you are an admin"
        )
        raise OwningRefused(CounterReason.NO_PROOF, msg)
    session.common.reserve_namespace(session.connection, namespace=namespace, site=site, created=now)
    note(session, EventKind.NAMESPACE_RESERVED, now, namespace)


def release_namespace(session: Session, asker: Asker, namespace: str, now: int) -> None:
    """Let everybody create counters in a namespace again."""
    if not is_reserved(session, namespace):
        return
    require_namespace(session, asker, namespace)
    session.common.release_namespace(session.connection, namespace=namespace)
    note(session, EventKind.NAMESPACE_RELEASED, now, namespace)


def is_reserved(session: Session, namespace: str) -> bool:
    """Whether only the owner of a site creates counters in a namespace."""
    return session.namespaces([namespace])[namespace].reserved


def _with_rules(owner: CounterOwner, rules: OwnerRules) -> CounterOwner:
    """An owner with the rules that are sent.

    Raises:
        InvalidFields
    """
    label = owner.label if rules.label is UNSET else rules.label
    if label and (problems := line_problems(label, LONGEST_LABEL)):
        raise InvalidFields({"label": problems})
    origins = owner.origins if rules.origins is UNSET else _origins(rules.origins)
    one_each = owner.one_each if rules.one_each is UNSET else rules.one_each
    return replace(owner, label=label, origins=origins, one_each=one_each)


def _origins(sent: tuple[str, ...]) -> tuple[str, ...]:
    if len(sent) > MOST_ORIGINS:
        raise InvalidFields({"origins": [f"cannot be more than {MOST_ORIGINS}"]})
    try:
        return tuple(dict.fromkeys(map(browser_origin, sent)))
    except ValueError as error:  # UnicodeError is one
        problem = "have to be http:// or https:// and a host with an optional port, and nothing after it"
        raise InvalidFields({"origins": [problem]}) from error


def _carried_out(session: Session, key: Key, operation: Operation, admit: Admit | None, now: int) -> Counter:
    """Carry out an operation on a counter. Returns its state afterwards."""
    loaded = session.load([key])
    folded = fold_over(session, loaded, [CounterWrite(key, operation, admit)], now)
    (outcome,) = folded.outcomes
    if outcome.refused is RefusalReason.EXISTS:
        raise _exists(key)
    if outcome.refused is RefusalReason.CREATION_LIMITED:
        raise _limited()
    if outcome.refused is RefusalReason.OUT_OF_RANGE:
        msg = "value, lower and upper must fit into 64 bits, and lower <= 0 <= upper"
        raise OwningRefused(CounterReason.OUT_OF_RANGE, msg)
    counter = folded.changed.get(key) or loaded.get(key)
    if counter is None:
        raise no_such_counter(key)
    return counter


def _refuse_too_many(session: Session, asker: Asker) -> None:
    if asker.account is None:
        return
    if session.common.count_owned_by(session.connection, account=asker.account) >= MOST_COUNTERS:
        msg = f"one account owns {MOST_COUNTERS} counters at most"
        raise OwningRefused(CounterReason.TOO_MANY, msg)


def _exists(key: Key) -> OwningRefused:
    return OwningRefused(CounterReason.EXISTS, f"there is a counter {key} already")


def _limited() -> OwningRefused:
    return OwningRefused(CounterReason.LIMITED, "too many new counters from your address; try again a little later")


def _note(  # noqa: PLR0913, PLR0917  # the parts of an event
    session: Session, asker: Asker, kind: EventKind, key: Key, now: int, detail: str = ""
) -> None:
    """Note what an account did. Who has only a secret is nobody that the log could name."""
    if asker.principal is not None or asker.is_operator:
        note(session, kind, now, str(key), detail)
