"""Who shares a counter: roles change, people leave and are removed, accounts are deleted; on both databases."""

from support.people import again
from support.sharing import a_counter, a_sharing, change, history_of, joined, now_as, refused, someone
from tallystick.errors import SharingReason
from tallystick.ledger import Ledger, Session
from tallystick.model.account import Account
from tallystick.model.shared_counter import Role, SharedCounter, number_key
from tallystick.services.accounts.accounts import delete_account
from tallystick.services.sharing.access import counters_of, members_of
from tallystick.services.sharing.changes import last_change
from tallystick.services.sharing.people import members, remove, set_role

FORBIDDEN, NOT_FOUND, LAST_ADMIN = SharingReason.FORBIDDEN, SharingReason.NOT_FOUND, SharingReason.LAST_ADMIN


async def made(ledger: Ledger, actor: Account, counter: SharedCounter, member: Account, role: Role) -> Role:
    now = ledger.clock()
    return (await a_sharing(ledger).write(set_role, actor.id, counter.uid, member.uid, role, now)).role


async def removed(ledger: Ledger, actor: Account, counter: SharedCounter, member: Account) -> None:
    await a_sharing(ledger).write(remove, actor.id, counter.uid, member.uid, ledger.clock())


async def roles(ledger: Ledger, counter: SharedCounter) -> dict[str, Role]:
    found = await ledger.read(members_of, [counter.id])
    return {member.name: member.role for member in found[counter.id]}


async def farewells(ledger: Ledger) -> list[tuple[int, int, str]]:
    def read(session: Session) -> list[tuple[int, int, str]]:
        rows = session.connection.execute("SELECT account, number, uid FROM counter_farewell ORDER BY number, account")
        return [tuple(row) for row in rows]

    return await ledger.read(read)


async def test_members_are_told_by_their_names_in_the_order_they_came(ledger: Ledger) -> None:
    ada, nobody = await someone(ledger), await someone(ledger, "")
    counter, other = await a_counter(ledger, ada), await a_counter(ledger, ada)
    await joined(ledger, counter, nobody, role="viewer")
    everyone = await a_sharing(ledger).read(members, nobody.id, counter.uid)
    assert [(member.uid, member.name, member.role) for member in everyone] == [
        (ada.uid, "Ada", "admin"),
        (nobody.uid, "Unnamed", "viewer"),
    ]
    found = await ledger.read(members_of, [other.id, counter.id, 99])
    assert [len(found[number]) for number in (other.id, counter.id, 99)] == [1, 2, 0]
    assert found[counter.id] == everyone
    eve = await someone(ledger, "Eve")
    assert await refused(a_sharing(ledger).read(members, eve.id, counter.uid)) is NOT_FOUND


async def test_only_admins_give_roles(ledger: Ledger) -> None:
    ada, ben, eve = [await someone(ledger, name) for name in ("Ada", "Ben", "Eve")]
    counter = await a_counter(ledger, ada)
    await joined(ledger, counter, ben)
    assert await refused(made(ledger, ben, counter, ben, "admin")) is FORBIDDEN
    assert await refused(made(ledger, eve, counter, eve, "admin")) is FORBIDDEN
    assert await refused(made(ledger, ada, counter, eve, "admin")) is NOT_FOUND
    before = await ledger.read(last_change)
    assert await made(ledger, ada, counter, ben, "member") == "member"
    assert await ledger.read(last_change) == before
    assert await made(ledger, ada, counter, ben, "admin") == "admin"
    assert await ledger.read(last_change) == before + 1
    assert await made(ledger, ben, counter, ada, "viewer") == "viewer"
    assert (await now_as(ledger, counter)).version == 1
    assert await change(ledger, ada, counter) is FORBIDDEN


async def test_a_counter_keeps_an_admin_while_someone_is_there(ledger: Ledger) -> None:
    ada, ben = await someone(ledger), await someone(ledger, "Ben")
    counter = await a_counter(ledger, ada)
    assert await refused(made(ledger, ada, counter, ada, "member")) is LAST_ADMIN
    await joined(ledger, counter, ben)
    assert await refused(made(ledger, ada, counter, ada, "member")) is LAST_ADMIN
    assert await refused(removed(ledger, ada, counter, ada)) is LAST_ADMIN
    await made(ledger, ada, counter, ben, "admin")
    await removed(ledger, ada, counter, ada)
    assert await roles(ledger, counter) == {"Ben": "admin"}


async def test_everyone_may_leave_and_is_told_farewell(ledger: Ledger) -> None:
    ada, vic = await someone(ledger), await someone(ledger, "Vic")
    counter = await a_counter(ledger, ada)
    await joined(ledger, counter, vic, role="viewer")
    await removed(ledger, vic, counter, vic)
    assert await ledger.read(counters_of, vic.id) == []
    assert await farewells(ledger) == [(vic.id, await ledger.read(last_change), counter.uid)]
    assert await refused(removed(ledger, vic, counter, vic)) is FORBIDDEN


async def test_only_admins_remove_others(ledger: Ledger) -> None:
    ada, ben, vic, eve = [await someone(ledger, name) for name in ("Ada", "Ben", "Vic", "Eve")]
    counter = await a_counter(ledger, ada)
    await joined(ledger, counter, ben)
    await joined(ledger, counter, vic, role="viewer")
    for actor in (ben, vic, eve):
        assert await refused(removed(ledger, actor, counter, ada)) is FORBIDDEN
    assert await refused(removed(ledger, ada, counter, eve)) is NOT_FOUND
    await removed(ledger, ada, counter, ben)
    assert await roles(ledger, counter) == {"Ada": "admin", "Vic": "viewer"}


async def test_a_counter_goes_with_the_last_one_who_leaves(ledger: Ledger) -> None:
    ada = await someone(ledger)
    counter = await a_counter(ledger, ada)
    await removed(ledger, ada, counter, ada)
    assert await ledger.find(number_key(counter.uid)) is None
    assert await farewells(ledger) == [(ada.id, await ledger.read(last_change), counter.uid)]


async def test_an_account_leaves_its_counters_to_others(ledger: Ledger) -> None:
    await someone(ledger, "Root")
    ada, vic, ben, cyd = [await someone(ledger, name) for name in ("Ada", "Vic", "Ben", "Cyd")]
    alone, led, helped = [await a_counter(ledger, ada) for _ in range(3)]
    await joined(ledger, led, vic, role="viewer")
    await joined(ledger, led, ben, cyd)
    await joined(ledger, helped, cyd, role="admin")
    await change(ledger, ada, led)
    await ledger.write(delete_account, ada.id, ledger.clock())
    assert await ledger.find(number_key(alone.uid)) is None
    assert await roles(ledger, led) == {"Vic": "viewer", "Ben": "admin", "Cyd": "member"}
    assert await roles(ledger, helped) == {"Cyd": "admin"}
    assert [(entry.kind, entry.actor) for entry in await history_of(ledger, ben, led)] == [
        ("created", None),
        ("value", None),
    ]
    assert {account for account, _, _ in await farewells(ledger)} == {ada.id}
    assert (await again(ledger, ben)).uid == ben.uid
