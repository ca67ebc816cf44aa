"""Owners of public counters, for the operator: whose a counter is, its rules, and reserved namespaces."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from msgspec import UNSET

from tallystick.cli.counter_abuse import NamespaceName
from tallystick.cli.support.counter_names import Name
from tallystick.cli.support.listing import print_rows
from tallystick.cli.support.opening import opened_ledger
from tallystick.cli.support.people import account_of, fields_are_options
from tallystick.errors import CounterReason, InputRefused, OwningRefused
from tallystick.ledger import Session
from tallystick.ledger.ledger import milliseconds
from tallystick.model.counter import Amend
from tallystick.model.key import Key
from tallystick.services.accounts.accounts import account
from tallystick.services.accounts.site_rows import site
from tallystick.services.counting.owned import changing
from tallystick.services.counting.owned.proving import Asker, new_nonce, secret_of
from tallystick.services.counting.owned.rows import OwnedCounter, read_counter
from tallystick.settings import StorageSettings

OPERATOR = Asker(is_operator=True)

Switch = Annotated[bool, Parameter(negative=())]
Unique = Literal["hour", "day", "visit", "off"]


def owner(
    name: Name,
    /,
    *,
    account: Annotated[str | None, Parameter(metavar="EMAIL", show_default=False)] = None,
    secret: Switch = False,
    json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Show whose a counter is and what it allows; with --account or --secret, give it another owner first.

    A counter with an owner never expires.

    Args:
        name: NAMESPACE/KEY, or KEY in the default namespace.
        account: Give it to this person, by email or id.
        secret: Give it to whoever has a new secret, and print only that. Earlier secrets are not valid any more.
        json: Print JSON.
    """
    if account is not None and secret:
        msg = "--account and --secret exclude each other: a counter given to both has two owners"
        raise InputRefused(msg)
    with _changing(settings) as session:
        if account is not None:
            changing.give_counter(session, OPERATOR, name, account_of(session, account).id, "", milliseconds())
        if secret:
            made = secret_of(new_nonce(), "")
            changing.give_counter(session, OPERATOR, name, None, made, milliseconds())
        shown = _shown(session, name)
    if secret:
        print(made)
    elif json:
        _print_json(shown)
    else:
        for title, value in shown.items():
            print(f"{title:<10}  {_text(value)}")


def change(  # noqa: PLR0913  # one an option
    name: Name,
    /,
    *,
    lock: Switch = False,
    unlock: Switch = False,
    label: Annotated[str | None, Parameter(show_default=False)] = None,
    origin: Annotated[tuple[str, ...], Parameter(negative=(), metavar="URL", show_default=False)] = (),
    any_origin: Switch = False,
    unique: Annotated[Unique | None, Parameter(show_default=False)] = None,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Change the rules of a counter that has an owner.

    Args:
        name: NAMESPACE/KEY, or KEY in the default namespace.
        lock: Let it only be read, except by its owner.
        unlock: Let it count again.
        label: What its owner calls it; "" for nothing.
        origin: Count only on pages of this origin, such as https://example.com; repeat it for several.
        any_origin: Count on all pages.
        unique: Count each visitor once an hour, a day (of UTC) or a visit; off counts every request.
    """
    if (lock and unlock) or (origin and any_origin):
        msg = "--lock and --unlock exclude each other, and so do --origin and --any-origin"
        raise InputRefused(msg)
    rules = changing.OwnerRules(
        label=UNSET if label is None else label,
        origins=origin if origin or any_origin else UNSET,
        one_each=UNSET if unique is None else "" if unique == "off" else unique,
        locked=lock if lock or unlock else UNSET,
    )
    if rules == changing.OwnerRules():
        msg = "name what to change: --lock, --unlock, --label, --origin, --any-origin or --unique"
        raise InputRefused(msg)
    with fields_are_options(origins="--origin", label="--label"), _changing(settings) as session:
        changing.amend_owned(session, OPERATOR, name, Amend(), rules, milliseconds())


def reserve(namespace: NamespaceName, /, *, settings: StorageSettings = StorageSettings()) -> None:
    """Let only admins of the site with a namespace's name create counters in it. What is there keeps counting.

    Args:
        namespace: The host name or the domain of a site on this server.
    """
    with _changing(settings) as session:
        changing.reserve_namespace(session, OPERATOR, namespace, milliseconds())


def release(namespace: NamespaceName, /, *, settings: StorageSettings = StorageSettings()) -> None:
    """Let everybody create counters in a namespace again.

    Args:
        namespace: One that reserved shows.
    """
    with _changing(settings) as session:
        if not changing.is_reserved(session, namespace):
            msg = f"the namespace {namespace} is not reserved"
            raise InputRefused(msg)
        changing.release_namespace(session, OPERATOR, namespace, milliseconds())


def reserved(*, settings: StorageSettings = StorageSettings()) -> None:
    """List the reserved namespaces, each with the id and the name of its site."""
    with opened_ledger(settings) as (_, session), session.snapshot():
        rows = [
            (namespace, number, _site_name(session, number))
            for namespace, number in session.common.reservations(session.connection)
        ]
    print_rows(("Namespace", "Site", "Name"), rows)


@contextmanager
def _changing(settings: StorageSettings) -> Iterator[Session]:
    """A transaction in which the operator changes counters.

    Raises:
        InputRefused: in the place of ``OwningRefused``.
    """
    with opened_ledger(settings) as (_, session):
        try:
            with session.transaction():
                yield session
        except OwningRefused as refused:
            raise InputRefused(_message(refused)) from refused


def _message(refused: OwningRefused) -> str:
    if refused.reason is CounterReason.NOT_OWNED:
        return "nobody owns this counter; give it an owner first: tallystick counter owner NAME --account EMAIL"
    if refused.reason is CounterReason.NO_PROOF:
        return "no site on this server has this name; tallystick site list shows their hosts and domains"
    return str(refused)


def _shown(session: Session, name: Key) -> dict[str, Any]:
    found = read_counter(session, name, milliseconds())
    if found is None:
        msg = f"there is no counter {name}"
        raise InputRefused(msg)
    return {"counter": str(name), "value": found.counter.value, "owner": _owner(session, found), **_rules(found)}


def _rules(found: OwnedCounter) -> dict[str, Any]:
    rules = found.owner
    return {
        "locked": found.locked,
        "label": rules.label if rules else "",
        "origins": list(rules.origins) if rules else [],
        "unique": (rules.one_each if rules else "") or None,
    }


def _owner(session: Session, found: OwnedCounter) -> str | None:
    """An email, a word for a secret, both, or None for nobody."""
    if found.owner is None:
        return None
    person = None if found.owner.account is None else account(session, found.owner.account)
    proofs = [*([person.email] if person else []), *(["who has its secret"] if found.owner.digest else [])]
    return ", ".join(proofs) or None


def _site_name(session: Session, number: int) -> str | None:
    known = site(session, number)
    return None if known is None else known.domain or known.cname


def _print_json(shown: dict[str, Any]) -> None:
    json.dump(shown, sys.stdout, ensure_ascii=False)
    print()


def _text(value: Any) -> str:  # noqa: ANN401  # of JSON
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(value) or "-"
    return "-" if value in {None, ""} else str(value)
