"""Shared counters for tests: what a test does not name is ordinary."""

from collections.abc import Awaitable
from typing import Any

from tallystick.errors import SharingReason, SharingRefused
from tallystick.ledger import Ledger, Session
from tallystick.model.account import Account
from tallystick.model.shared_counter import Role, SharedCounter
from tallystick.services.accounts.accounts import NewAccount, create_account
from tallystick.services.idempotency import KeyedRequest, StoredResponse
from tallystick.services.sharing.access import role_of
from tallystick.services.sharing.changes import hold_changes
from tallystick.services.sharing.changing import Changed, ChangeRequest, Done, ValueChange, Verb
from tallystick.services.sharing.counters import NewCounter, create
from tallystick.services.sharing.history import HistoryEntry, history
from tallystick.services.sharing.service import Sharing

Result = int | SharingReason
"""What a step came to, for tests: the value, or why not."""


async def someone(ledger: Ledger, name: str = "Ada") -> Account:
    """A person without a site, who may see nothing but their own counters."""
    wanted = NewAccount(email=f"{name.lower() or 'nobody'}@example.com", password="none", name=name, access={})
    return await ledger.write(create_account, wanted, ledger.clock())


async def a_counter(ledger: Ledger, owner: Account, name: str = "Visitors", **decided: Any) -> SharedCounter:
    """A counter that its owner is alone with; everything about it may be given (``NewCounter``)."""
    return await a_sharing(ledger).write(create, owner.id, NewCounter(name=name, **decided), ledger.clock())


async def joined(ledger: Ledger, counter: SharedCounter, *people: Account, role: Role = "member") -> None:
    """Let people in without an invite and without a word to anyone: where members are not the point of a test."""

    def let_in(session: Session) -> None:
        hold_changes(session)
        for person in people:
            session.common.add_member(
                session.connection, account=person.id, counter=counter.id, role=role, joined=ledger.clock(), since=0
            )

    await ledger.write(let_in)


def a_sharing(ledger: Ledger) -> Sharing:
    """The verbs of shared counters, with nobody to tell."""
    return Sharing(ledger, lambda: None)


async def carried(
    ledger: Ledger, person: Account, *steps: ValueChange, keyed: KeyedRequest | None = None, hide_foreign: bool = False
) -> Changed:
    """Have a person's request carried out."""
    request = ChangeRequest(account=person.id, steps=steps, keyed=keyed, hide_foreign=hide_foreign)
    return await a_sharing(ledger).change(request)


def results_of(changed: Changed) -> list[Done | SharingReason]:
    """What the steps of a request came to."""
    assert not isinstance(changed.results, StoredResponse)
    return [result if isinstance(result, Done) else result.reason for result in changed.results]


async def refused(attempt: Awaitable[object]) -> SharingReason:
    """Why something is refused; it fails when it is not."""
    try:
        await attempt
    except SharingRefused as error:
        return error.reason
    msg = "it was not refused"
    raise AssertionError(msg)


async def change(  # the fields of a step
    ledger: Ledger,
    person: Account,
    counter: SharedCounter,
    verb: Verb = Verb.INCREMENT,
    amount: int = 1,
    **further: Any,
) -> Result:
    """One step; the value afterwards, or why it was refused."""
    step = ValueChange(counter=counter.uid, verb=verb, amount=amount, **further)
    (result,) = results_of(await carried(ledger, person, step))
    return result.value if isinstance(result, Done) else result


async def history_of(ledger: Ledger, person: Account, counter: SharedCounter) -> list[HistoryEntry]:
    """The whole history, oldest first."""
    return await a_sharing(ledger).read(history, person.id, counter.uid, 0, 1_000, False)  # noqa: FBT003


async def now_as(ledger: Ledger, counter: SharedCounter) -> SharedCounter:
    """The counter as it is now."""
    found = await ledger.read(role_of, 0, counter.uid)
    assert found is not None
    return found[0]
