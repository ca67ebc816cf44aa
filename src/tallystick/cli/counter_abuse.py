"""``tallystick counter find``, ``freeze``, ``unfreeze``, ``close`` and ``reopen``: against abuse."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from cyclopts import Parameter

from tallystick.cli.support.listing import Cell, print_rows
from tallystick.cli.support.opening import opened_ledger
from tallystick.errors import InputRefused
from tallystick.ledger import Session
from tallystick.ledger.folding import settle
from tallystick.ledger.ledger import milliseconds
from tallystick.model.counter import FROZEN, RefusalReason
from tallystick.model.key import Key, legal_name
from tallystick.services.counting.abuse import (
    DELETE,
    FREEZE,
    UNFREEZE,
    ManyChange,
    Step,
    busiest_namespaces,
    change_all,
    change_some,
    close_namespace,
    closed_namespaces,
    frozen_counters,
    largest_namespaces,
    open_namespace,
)
from tallystick.services.counting.finding import key_named, public_counters
from tallystick.services.counting.managing import freeze_public_counter
from tallystick.settings import StorageSettings, whole_number

FOUND_AT_MOST = 100_000


def _legal(_type: Any, text: str | None) -> None:  # noqa: ANN401  # cyclopts hands the type in
    if text is not None and not legal_name(text):
        msg = "it accepts 3 to 64 of the characters A-Z a-z 0-9 . _ -"
        raise ValueError(msg)


Namespace = Annotated[str | None, Parameter(validator=_legal, metavar="NAME", show_default=False)]
NamespaceName = Annotated[str, Parameter(validator=_legal, metavar="NAMESPACE")]
Prefix = Annotated[str | None, Parameter(metavar="TEXT", show_default=False)]
Flag = Annotated[bool, Parameter(negative=())]


def find(  # noqa: PLR0913  # one an option
    *,
    namespace: Namespace = None,
    prefix: Prefix = None,
    busy: Flag = False,
    closed: Flag = False,
    frozen: Flag = False,
    limit: Annotated[int, whole_number(1, FOUND_AT_MOST)] = 20,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Find what is abused: the namespaces with the most counters, or those busiest, or counters by name.

    Without options the namespaces with the most counters: name, number of counters, and whether it is closed or
    reserved. On a terminal a table, otherwise one line each, separated by tabs.

    Args:
        namespace: The counters of this namespace in its place: name, value, and whether it is frozen.
        prefix: The counters whose names begin with this text, for example spam or example.com/spam.
        busy: The namespaces whose counters have changed most in this hour of UTC. Reads every counter.
        closed: The namespaces that are closed.
        frozen: The counters that are frozen.
        limit: At most this many.
    """
    with opened_ledger(settings) as (_, session), session.snapshot():
        if namespace is not None or prefix is not None:
            found = public_counters(session, text_of(namespace, prefix), None, limit, milliseconds())
            titles: Sequence[str] = ("Counter", "Value", "State")
            rows: list[tuple[Cell, ...]] = [
                (str(key), counter.value, "frozen" if counter.flags & FROZEN else None)
                for key, counter in found.counters
            ]
        elif closed:
            titles, rows = ("Namespace",), [(name,) for name in closed_namespaces(session, "", limit)]
        elif frozen:
            titles, rows = ("Counter",), [(str(key),) for key in frozen_counters(session, limit)]
        else:
            listed = busiest_namespaces(session, milliseconds(), limit) if busy else largest_namespaces(session, limit)
            titles = ("Namespace", "Changed by" if busy else "Counters", "State")
            rows = [(each.name, each.amount, _state(closed=each.closed, reserved=each.reserved)) for each in listed]
    print_rows(titles, rows)


def freeze(
    name: Annotated[str | None, Parameter(metavar="NAME")] = None,
    /,
    *,
    namespace: Namespace = None,
    prefix: Prefix = None,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Stop all changes of counters: they can be read, and only superusers change them. Of many, prints how many.

    New counters can still be created; close the namespace to prevent that.

    Args:
        name: NAMESPACE/KEY of one counter.
        namespace: All counters of this namespace.
        prefix: All counters whose names begin with this text, for example spam or example.com/spam.
    """
    _freeze(name, namespace, prefix, FREEZE, settings)


def unfreeze(
    name: Annotated[str | None, Parameter(metavar="NAME")] = None,
    /,
    *,
    namespace: Namespace = None,
    prefix: Prefix = None,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Allow changes of frozen counters again. Of many, prints how many.

    Args:
        name: NAMESPACE/KEY of one counter.
        namespace: All counters of this namespace.
        prefix: All counters whose names begin with this text, for example spam or example.com/spam.
    """
    _freeze(name, namespace, prefix, UNFREEZE, settings)


def close(namespace: NamespaceName, /, *, settings: StorageSettings = StorageSettings()) -> None:
    """Let only people with an account create counters in a namespace. Those that are there count on.

    Args:
        namespace: Its name.
    """
    with opened_ledger(settings) as (_, session), session.transaction():
        close_namespace(session, namespace, milliseconds())


def reopen(namespace: NamespaceName, /, *, settings: StorageSettings = StorageSettings()) -> None:
    """Let everybody create counters in a namespace again.

    Args:
        namespace: Its name.
    """
    with opened_ledger(settings) as (_, session), session.transaction():
        open_namespace(session, namespace, milliseconds())


def text_of(namespace: str | None, prefix: str | None) -> str:
    """How the names of the counters begin that two options mean.

    Raises:
        InputRefused: it is not one of the two.
    """
    if (namespace is None) == (prefix is None) or prefix == "":
        msg = "say which counters: a NAME, --namespace or --prefix, and one of them"
        raise InputRefused(msg)
    return prefix if namespace is None else f"{namespace}/"  # type: ignore[return-value]  # one of them is a text


def delete_many(text: str, settings: StorageSettings) -> None:
    """Delete all counters whose names begin with a text, and print how many."""
    print(_change(text, DELETE, settings))


def _freeze(
    name: str | None, namespace: str | None, prefix: str | None, change: ManyChange, settings: StorageSettings
) -> None:
    if name is None:
        print(_change(text_of(namespace, prefix), change, settings))
        return
    key = key_named(name)
    if key is None or namespace is not None or prefix is not None:
        text_of(None, None)
        return
    _freeze_one(key, settings, frozen=change is FREEZE)


def _freeze_one(key: Key, settings: StorageSettings, *, frozen: bool) -> None:
    with opened_ledger(settings) as (_, session), session.transaction():
        outcome = freeze_public_counter(session, key, milliseconds(), frozen=frozen)
    if outcome.refused is RefusalReason.MISSING:
        msg = f"there is no counter {key}"
        raise InputRefused(msg)


def _change(text: str, change: ManyChange, settings: StorageSettings) -> int:
    with opened_ledger(settings) as (_, session):
        return change_all(lambda step: settle(partial(_step, session, text, change, step))).changed


def _step(session: Session, text: str, change: ManyChange, step: Step) -> Step:
    with session.transaction():
        return change_some(session, text, change, step, milliseconds())


def _state(*, closed: bool, reserved: bool) -> str | None:
    return "closed" if closed else "reserved" if reserved else None
