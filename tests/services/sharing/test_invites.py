"""Codes let people in; on both databases."""

import asyncio
import secrets
import time
from typing import Any
from uuid import UUID

import pytest

from support.ledgers import Clock, opened
from support.sharing import a_counter, a_sharing, joined, refused, someone
from tallystick.errors import SharingReason
from tallystick.ledger import Database, Ledger, Session
from tallystick.model.account import Account
from tallystick.model.shared_counter import SharedCounter
from tallystick.services.accounts.accounts import delete_account
from tallystick.services.sharing import invites
from tallystick.services.sharing.access import counters_of, members_of
from tallystick.services.sharing.changes import last_change
from tallystick.services.sharing.counters import delete
from tallystick.services.sharing.invites import (
    LIFETIME_MS,
    Invite,
    NewInvite,
    Preview,
    accept,
    create,
    open_invites,
    preview,
    take_back,
)
from tallystick.services.sharing.people import remove, set_role

FORBIDDEN, NOT_FOUND, GONE = SharingReason.FORBIDDEN, SharingReason.NOT_FOUND, SharingReason.GONE


async def an_invite(ledger: Ledger, person: Account, counter: SharedCounter, **decided: Any) -> tuple[Invite, str]:
    wanted, now = NewInvite(**decided), ledger.clock()
    return await a_sharing(ledger).write(create, person.id, counter.uid, wanted, now)


async def accepted(ledger: Ledger, person: Account, code: str) -> SharedCounter:
    return await a_sharing(ledger).write(accept, person.id, code, ledger.clock())


async def previewed(ledger: Ledger, code: str) -> Preview:
    return await a_sharing(ledger).read(preview, code, ledger.clock())


async def listed(ledger: Ledger, person: Account, counter: SharedCounter) -> list[Invite]:
    return await a_sharing(ledger).read(open_invites, person.id, counter.uid, ledger.clock())


async def roles(ledger: Ledger, counter: SharedCounter) -> dict[str, str]:
    found = await ledger.read(members_of, [counter.id])
    return {member.name: member.role for member in found[counter.id]}


async def test_a_code_lets_somebody_in(ledger: Ledger) -> None:
    ada, ben = await someone(ledger), await someone(ledger, "Ben")
    counter = await a_counter(ledger, ada)
    invite, code = await an_invite(ledger, ada, counter)
    assert await previewed(ledger, code) == Preview("Visitors", "member", "Ada")
    before = await ledger.read(last_change)
    assert await accepted(ledger, ben, code) == counter
    assert await ledger.read(last_change) == before + 1
    assert await roles(ledger, counter) == {"Ada": "admin", "Ben": "member"}
    (seen,) = await listed(ledger, ada, counter)
    assert (seen.uid, seen.prefix, seen.uses, seen.by) == (invite.uid, code[:8], 1, (ada.uid, "Ada"))


async def test_no_code_is_kept(ledger: Ledger) -> None:
    ada = await someone(ledger)
    _, code = await an_invite(ledger, ada, await a_counter(ledger, ada))

    def rows(session: Session) -> str:
        return repr([tuple(row) for row in session.connection.execute("SELECT * FROM counter_invite")])

    kept = await ledger.read(rows)
    assert code[:8] in kept
    assert code[:9] not in kept
    assert len(code) == 32


async def test_who_is_there_already_uses_nothing_up_and_loses_nothing(ledger: Ledger) -> None:
    ada, ben, vic = [await someone(ledger, name) for name in ("Ada", "Ben", "Vic")]
    counter = await a_counter(ledger, ada)
    await joined(ledger, counter, vic, role="viewer")
    _, code = await an_invite(ledger, ada, counter, max_uses=2)
    for person in (ada, ben, ben, vic, vic):
        await accepted(ledger, person, code)
    assert await roles(ledger, counter) == {"Ada": "admin", "Vic": "member", "Ben": "member"}
    _, code = await an_invite(ledger, ada, counter, role="viewer")
    await accepted(ledger, ben, code)
    assert (await roles(ledger, counter))["Ben"] == "member"


async def test_an_invite_is_used_up_also_by_many_at_once(ledger: Ledger) -> None:
    ada, *others = [await someone(ledger, f"Person{number}") for number in range(6)]
    counter = await a_counter(ledger, ada)
    _, code = await an_invite(ledger, ada, counter, max_uses=2, role="viewer")
    attempts = await asyncio.gather(*(accepted(ledger, one, code) for one in others), return_exceptions=True)
    assert [getattr(attempt, "reason", None) for attempt in attempts] == [None, None, GONE, GONE, GONE]
    assert len(await roles(ledger, counter)) == 3
    assert await refused(previewed(ledger, code)) is GONE
    assert await listed(ledger, ada, counter) == []


async def test_an_invite_ends_at_its_time(database: Database) -> None:
    clock = Clock()
    async with opened(database, clock) as ledger:
        ada, ben = await someone(ledger), await someone(ledger, "Ben")
        _, code = await an_invite(ledger, ada, await a_counter(ledger, ada))
        clock.now += LIFETIME_MS - 1
        assert (await previewed(ledger, code)).role == "member"
        clock.now += 1
        assert await refused(previewed(ledger, code)) is GONE
        assert await refused(accepted(ledger, ben, code)) is GONE


async def test_only_admins_invite_and_take_back(ledger: Ledger) -> None:
    ada, ben, eve = [await someone(ledger, name) for name in ("Ada", "Ben", "Eve")]
    counter, other = await a_counter(ledger, ada), await a_counter(ledger, eve)
    await joined(ledger, counter, ben)
    invite, code = await an_invite(ledger, ada, counter)
    sharing = a_sharing(ledger)
    for person in (ben, eve):
        assert await refused(an_invite(ledger, person, counter)) is FORBIDDEN
        assert await refused(listed(ledger, person, counter)) is FORBIDDEN
        assert await refused(sharing.write(take_back, person.id, counter.uid, invite.uid)) is FORBIDDEN
    assert await refused(sharing.write(take_back, eve.id, other.uid, invite.uid)) is NOT_FOUND
    assert await refused(sharing.write(take_back, ada.id, counter.uid, "nonsense")) is NOT_FOUND
    await sharing.write(take_back, ada.id, counter.uid, invite.uid)
    assert await refused(accepted(ledger, eve, code)) is NOT_FOUND
    assert await refused(accepted(ledger, eve, "\ud800")) is NOT_FOUND


async def test_who_is_removed_does_not_come_back_by_an_own_invite(ledger: Ledger) -> None:
    ada, ben, cyd = [await someone(ledger, name) for name in ("Ada", "Ben", "Cyd")]
    counter = await a_counter(ledger, ada)
    await joined(ledger, counter, ben, cyd, role="admin")
    codes = [(await an_invite(ledger, person, counter))[1] for person in (ben, cyd, ada)]
    sharing = a_sharing(ledger)
    await sharing.write(remove, ada.id, counter.uid, ben.uid, 0)
    await sharing.write(set_role, ada.id, counter.uid, cyd.uid, "viewer", 0)
    for code in codes[:2]:
        assert await refused(accepted(ledger, ben, code)) is NOT_FOUND
    assert await refused(accepted(ledger, ben, codes[2])) is SharingReason.FORBIDDEN
    _, code = await an_invite(ledger, ada, counter)
    await accepted(ledger, ben, code)


@pytest.mark.parametrize(
    "clocks", [(300, 0, 0), (0, 300, 0), (0, 0, 0)], ids=["invite ahead", "removal ahead", "one clock"]
)
async def test_an_older_invite_is_barred_by_a_server_whose_clock_is_off_too(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, clocks: tuple[int, int, int]
) -> None:
    """The clocks of the servers that make an invite, remove a member, and make another invite; seconds."""

    def clock_is(off_s: int) -> None:
        random = secrets.token_hex(10)
        ahead = f"{time.time_ns() // 1_000_000 + off_s * 1000:012x}7{random[:3]}8{random[3:18]}"
        monkeypatch.setattr(invites, "uuid7", lambda: UUID(ahead))

    ada, ben = await someone(ledger, "Ada"), await someone(ledger, "Ben")
    counter = await a_counter(ledger, ada)
    await joined(ledger, counter, ben)
    clock_is(clocks[0])
    _, older = await an_invite(ledger, ada, counter)
    clock_is(clocks[1])
    await a_sharing(ledger).write(remove, ada.id, counter.uid, ben.uid, 0)
    clock_is(clocks[2])
    _, newer = await an_invite(ledger, ada, counter)
    assert await refused(accepted(ledger, ben, older)) is SharingReason.FORBIDDEN
    await accepted(ledger, ben, newer)


async def test_an_invite_to_a_deleted_counter_is_gone(ledger: Ledger) -> None:
    ada, ben = await someone(ledger), await someone(ledger, "Ben")
    counter = await a_counter(ledger, ada)
    _, code = await an_invite(ledger, ada, counter)
    await a_sharing(ledger).write(delete, ada.id, counter.uid, 0)
    assert await refused(accepted(ledger, ben, code)) is NOT_FOUND


async def test_what_an_invite_cannot_be(ledger: Ledger) -> None:
    ada = await someone(ledger)
    counter = await a_counter(ledger, ada)
    for decided in (
        {"role": "admin"},
        {"role": ""},
        {"lifetime": 0},
        {"lifetime": 10**12},
        {"max_uses": 0},
        {"max_uses": 10**7},
    ):
        assert await refused(an_invite(ledger, ada, counter, **decided)) is SharingReason.INVALID_DATA
    assert await listed(ledger, ada, counter) == []


async def test_limits(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, ben, cyd = [await someone(ledger, name) for name in ("Ada", "Ben", "Cyd")]
    counter = await a_counter(ledger, ada)
    monkeypatch.setattr(invites, "INVITES_AT_MOST", 2)
    monkeypatch.setattr(invites, "MEMBERS_AT_MOST", 2)
    monkeypatch.setattr(invites, "CLOSED_KEPT", 1)
    _, code = await an_invite(ledger, ada, counter, max_uses=1)
    await an_invite(ledger, ada, counter)
    assert await refused(an_invite(ledger, ada, counter)) is SharingReason.TOO_MANY
    await accepted(ledger, ben, code)
    _, another = await an_invite(ledger, ada, counter)
    assert await refused(accepted(ledger, cyd, another)) is SharingReason.TOO_MANY
    assert await ledger.read(counters_of, cyd.id) == []
    assert await refused(previewed(ledger, code)) is NOT_FOUND  # closed ones are forgotten, but for the newest


async def test_an_invite_outlives_who_is_still_named_by_it(ledger: Ledger) -> None:
    await someone(ledger, "Root")
    ada, ben, cyd = [await someone(ledger, name) for name in ("Ada", "Ben", "Cyd")]
    counter = await a_counter(ledger, ada)
    await joined(ledger, counter, ben, role="admin")
    _, code = await an_invite(ledger, ada, counter)
    await ledger.write(delete_account, ada.id, ledger.clock())
    assert await refused(accepted(ledger, cyd, code)) is NOT_FOUND
