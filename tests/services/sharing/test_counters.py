"""Shared counters are made, edited and deleted; on both databases."""

import asyncio
import datetime as dt
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from support.sharing import a_counter, a_sharing, change, history_of, joined, now_as, refused, someone
from tallystick.errors import SharingReason, SharingRefused
from tallystick.ledger import Ledger, Session
from tallystick.model.account import Account
from tallystick.model.shared_counter import Role, SharedCounter, number_key
from tallystick.services.accounts.accounts import delete_account
from tallystick.services.sharing import counters
from tallystick.services.sharing.access import counters_of, readable_counter, require, role_of
from tallystick.services.sharing.changes import last_change
from tallystick.services.sharing.counters import Edit, NewCounter, create, delete, edit

DAY = dt.date(2026, 3, 1)


async def edited(ledger: Ledger, person: Account, counter: SharedCounter, edits: Edit, **kwargs: Any) -> SharedCounter:
    def attempt(session: Session) -> SharedCounter:
        return edit(session, person.id, counter.uid, edits, ledger.clock(), **kwargs)

    return await a_sharing(ledger).write(attempt)


async def test_a_counter_is_made_as_it_was_decided(ledger: Ledger) -> None:
    ada = await someone(ledger)
    made = await a_counter(ledger, ada, name=" Visitors ", value=3, goal=10, allow_exceed=False, least=-2)
    assert (made.name, made.type, made.mode, made.value, made.version) == ("Visitors", "UpDown", "UpAndDown", 3, 1)
    assert (made.goal, made.allow_exceed, made.least, made.reset_value) == (10, False, -2, 0)
    assert UUID(made.uid).version == 7
    assert await ledger.read(role_of, ada.id, made.uid) == (made, "admin")
    assert await ledger.read(counters_of, ada.id) == [made]
    (entry,) = await history_of(ledger, ada, made)
    assert (entry.kind, entry.value, entry.version, entry.delta) == ("created", 3, 1, None)


async def test_a_counter_of_days_keeps_its_day_and_has_a_version(ledger: Ledger) -> None:
    ada = await someone(ledger)
    made = await a_counter(ledger, ada, type="ToDate", day=DAY)
    assert await now_as(ledger, made) == made
    assert (made.day, made.value, made.version, made.mode) == (DAY, 0, 1, None)
    later = await edited(ledger, ada, made, Edit(day=DAY + dt.timedelta(1)))
    assert later.version == 2
    assert (later.date or 0) - (made.date or 0) == 86_400_000
    assert await now_as(ledger, made) == later


async def test_what_cannot_be_leaves_nothing_behind(ledger: Ledger) -> None:
    ada = await someone(ledger)
    assert await refused(a_counter(ledger, ada, name="four")) is SharingReason.NAME_LENGTH
    assert await refused(a_counter(ledger, ada, type="FromDate")) is SharingReason.INVALID_START_DATE
    assert await ledger.read(counters_of, ada.id) == []
    assert await ledger.read(last_change) == 0


async def test_ids_rise_also_inside_a_millisecond(ledger: Ledger) -> None:
    ada = await someone(ledger)
    made = [await a_counter(ledger, ada) for _ in range(5)]
    assert [counter.uid for counter in made] == sorted(counter.uid for counter in made)
    assert await ledger.read(counters_of, ada.id) == made


async def test_an_edit_changes_what_it_names_and_is_one_change(ledger: Ledger) -> None:
    ada = await someone(ledger)
    counter = await a_counter(ledger, ada, value=3, goal=9)
    after = await edited(ledger, ada, counter, Edit(name="Guests", value=5, goal=None, mode="OnlyUp", reset_value=1))
    assert (after.name, after.value, after.goal, after.mode, after.version) == ("Guests", 5, None, "OnlyUp", 2)
    assert await now_as(ledger, counter) == after
    entry = (await history_of(ledger, ada, counter))[-1]
    assert (entry.kind, entry.delta, entry.value, entry.version) == ("details", 2, 5, 2)
    assert await change(ledger, ada, counter) == 6


async def test_a_new_mode_holds_at_once(ledger: Ledger) -> None:
    ada = await someone(ledger)
    counter = await a_counter(ledger, ada, value=3)
    await edited(ledger, ada, counter, Edit(mode="OnlyDown"))
    assert await change(ledger, ada, counter) is SharingReason.WRONG_TYPE
    assert await refused(edited(ledger, ada, counter, Edit(value=4))) is SharingReason.WRONG_TYPE
    assert (await edited(ledger, ada, counter, Edit(value=4, confirm=True))).value == 4
    assert (await edited(ledger, ada, counter, Edit(value=7, mode="UpAndDown"))).value == 7


async def test_an_edit_of_nothing_changes_nothing_and_members_may_ask(ledger: Ledger) -> None:
    ada, ben, vic = await someone(ledger), await someone(ledger, "Ben"), await someone(ledger, "Vic")
    counter = await a_counter(ledger, ada, value=3)
    await joined(ledger, counter, ben)
    await joined(ledger, counter, vic, role="viewer")
    before = await ledger.read(last_change)
    same = Edit(name=" Visitors", value=3, mode="UpAndDown")
    assert await edited(ledger, ben, counter, same) == counter
    assert await refused(edited(ledger, vic, counter, same)) is SharingReason.FORBIDDEN
    assert await refused(edited(ledger, ben, counter, Edit(value=4))) is SharingReason.FORBIDDEN
    assert await ledger.read(last_change) == before


async def test_an_edit_of_a_version_that_is_over_is_refused(ledger: Ledger) -> None:
    ada = await someone(ledger)
    counter = await a_counter(ledger, ada)
    await change(ledger, ada, counter)
    attempt = edited(ledger, ada, counter, Edit(name="Guests"), version=1)
    assert await refused(attempt) is SharingReason.CHANGED_MEANWHILE
    assert (await edited(ledger, ada, counter, Edit(name="Guests"), version=2)).version == 3


async def test_a_deleted_counter_is_gone_at_once(ledger: Ledger) -> None:
    ada, ben = await someone(ledger), await someone(ledger, "Ben")
    counter, other = await a_counter(ledger, ada), await a_counter(ledger, ada)
    await joined(ledger, counter, ben)
    sharing = a_sharing(ledger)
    assert await refused(sharing.write(delete, ben.id, counter.uid, 0)) is SharingReason.FORBIDDEN
    await sharing.write(delete, ada.id, counter.uid.upper(), 0)
    assert await refused(sharing.write(delete, ada.id, counter.uid, 0)) is SharingReason.NOT_FOUND
    assert await refused(sharing.read(readable_counter, ada.id, counter.uid)) is SharingReason.NOT_FOUND
    assert await ledger.read(counters_of, ben.id) == []
    assert await ledger.read(counters_of, ada.id) == [other]
    assert await ledger.find(number_key(counter.uid)) is None
    last = await ledger.read(last_change)
    farewells = await ledger.read(_farewells)
    assert farewells == [(ada.id, last, counter.uid), (ben.id, last, counter.uid)]


def _farewells(session: Session) -> list[tuple[int, int, str]]:
    rows = session.connection.execute("SELECT account, number, uid FROM counter_farewell ORDER BY account")
    return [tuple(row) for row in rows]


ACCESS: list[tuple[Role | None, Role, bool, SharingReason | None]] = [
    (None, "viewer", False, SharingReason.FORBIDDEN),
    (None, "viewer", True, SharingReason.NOT_FOUND),
    ("viewer", "viewer", True, None),
    ("viewer", "member", True, SharingReason.FORBIDDEN),
    ("member", "admin", False, SharingReason.FORBIDDEN),
    ("admin", "admin", False, None),
]


async def test_access(ledger: Ledger) -> None:
    ada, ben = await someone(ledger), await someone(ledger, "Ben")
    for role, least, hide, reason in ACCESS:
        counter = await a_counter(ledger, ada)
        if role:
            await joined(ledger, counter, ben, role=role)
        check = partial(require, account=ben.id, uid=counter.uid, least=least, hide_foreign=hide)
        if reason is None:
            assert await a_sharing(ledger).read(check) == counter
        else:
            assert await refused(a_sharing(ledger).read(check)) is reason


async def test_a_person_shares_so_many_counters_at_most(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "COUNTERS_AT_MOST", 3)
    ada = await someone(ledger)
    attempts = await asyncio.gather(*(a_counter(ledger, ada) for _ in range(5)), return_exceptions=True)
    reasons = [attempt.reason for attempt in attempts if isinstance(attempt, SharingRefused)]
    assert reasons == [SharingReason.TOO_MANY] * 2


async def test_who_is_gone_makes_no_counter(ledger: Ledger) -> None:
    await someone(ledger)
    ben = await someone(ledger, "Ben")
    await ledger.write(delete_account, ben.id, ledger.clock())
    attempt = a_sharing(ledger).write(create, ben.id, NewCounter(name="Visitors"), 0)
    assert await refused(attempt) is SharingReason.FORBIDDEN
