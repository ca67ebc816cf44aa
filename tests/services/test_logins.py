"""Login sessions: they hold a digest, end by themselves, and can be ended."""

import pytest

from builders import NOW
from tallystick.ledger import Ledger
from tallystick.services.accounts.accounts import NewAccount, account, create_account, delete_account, end_logins
from tallystick.services.accounts.logins import (
    DAY_MS,
    LOGINS_AT_MOST,
    begin_login,
    end_login,
    find_login_session,
    logins_of,
    new_secret,
    note_seen,
    secret_digest,
)


async def a_person(ledger: Ledger, email: str = "ada@example.com") -> int:
    person = await ledger.write(create_account, NewAccount(email=email, password="a digest"), NOW)
    return person.id


async def a_login(ledger: Ledger, number: int, now: int = NOW) -> bytes:
    digest = secret_digest(new_secret())
    await ledger.write(begin_login, number, digest, now)
    return digest


async def test_a_login_session_knows_its_person(ledger: Ledger) -> None:
    ada, ben = await a_person(ledger), await a_person(ledger, "ben@example.com")
    of_ada, of_ben = await a_login(ledger, ada), await a_login(ledger, ben)
    for digest, number in ((of_ada, ada), (of_ben, ben)):
        found = await ledger.read(find_login_session, digest, NOW + 1)
        assert found is not None
        assert (found.account.id, found.login.digest) == (number, digest)
    person = await ledger.read(account, ada)
    assert person is not None
    assert person.login == NOW


async def test_nobody_is_logged_in_by_another_secret(ledger: Ledger) -> None:
    await a_login(ledger, await a_person(ledger))
    assert await ledger.read(find_login_session, secret_digest(new_secret()), NOW + 1) is None


@pytest.mark.parametrize(("days", "there"), [(29.9, True), (30, False)])
async def test_a_login_session_ends_when_it_is_unused_for_30_days(ledger: Ledger, days: float, there: bool) -> None:  # noqa: FBT001
    digest = await a_login(ledger, await a_person(ledger))
    assert (await ledger.read(find_login_session, digest, NOW + round(days * DAY_MS)) is not None) == there


async def test_a_login_session_ends_after_180_days_however_much_it_is_used(ledger: Ledger) -> None:
    number = await a_person(ledger)
    digest = await a_login(ledger, number)
    for day in range(20, 180, 20):
        await ledger.write(note_seen, digest, NOW + day * DAY_MS)
    assert await ledger.read(find_login_session, digest, NOW + 180 * DAY_MS - 1)
    assert await ledger.read(find_login_session, digest, NOW + 180 * DAY_MS) is None
    assert await ledger.read(logins_of, number, NOW + 180 * DAY_MS) == []


async def test_sessions_that_are_over_are_removed_with_the_next_login(ledger: Ledger) -> None:
    ada, ben = await a_person(ledger), await a_person(ledger, "ben@example.com")
    old = await a_login(ledger, ada)
    await a_login(ledger, ben, NOW + 31 * DAY_MS)
    assert await ledger.read(find_login_session, old, NOW) is None


async def test_a_session_is_ended_by_its_own_person_only(ledger: Ledger) -> None:
    ada, ben = await a_person(ledger), await a_person(ledger, "ben@example.com")
    digest = await a_login(ledger, ada)
    await ledger.write(end_login, ben, digest)
    assert await ledger.read(find_login_session, digest, NOW)
    await ledger.write(end_login, ada, digest)
    assert await ledger.read(find_login_session, digest, NOW) is None


async def test_all_others_can_be_ended(ledger: Ledger) -> None:
    ada, ben = await a_person(ledger), await a_person(ledger, "ben@example.com")
    kept, ended, of_ben = await a_login(ledger, ada), await a_login(ledger, ada), await a_login(ledger, ben)
    await ledger.write(end_logins, ada, kept)
    assert [await ledger.read(find_login_session, digest, NOW) is not None for digest in (kept, ended, of_ben)] == [
        True,
        False,
        True,
    ]


async def test_an_account_has_so_many_sessions_and_the_oldest_ends(ledger: Ledger) -> None:
    number = await a_person(ledger)
    digests = [await a_login(ledger, number, NOW + place) for place in range(LOGINS_AT_MOST + 1)]
    left = await ledger.read(logins_of, number, NOW + 100)
    assert [login.digest for login in left] == digests[:0:-1]


async def test_who_is_deleted_is_logged_out(ledger: Ledger) -> None:
    number = await a_person(ledger)
    digest = await a_login(ledger, number)
    await ledger.write(delete_account, number, ledger.clock())
    assert await ledger.read(find_login_session, digest, NOW) is None
