"""Remembered login sessions of superusers: what ends one, or makes its person no superuser, ends this memory of it."""

from collections.abc import Callable
from typing import Any

import pytest

from builders import NOW
from support.people import A_DIGEST, a_person, elsewhere
from tallystick.errors import StoreAway
from tallystick.ledger import Ledger
from tallystick.services.accounts.accounts import delete_account, end_logins, set_access, set_password
from tallystick.services.accounts.logins import (
    LONGEST_MS,
    begin_login,
    end_login,
    find_login_session,
    new_secret,
    replace_login,
    secret_digest,
)
from tallystick.services.accounts.superuser_logins import REMEMBERED, REMEMBERED_MS, SuperuserLogins

EVERYTHING = {"all": "*"}


async def a_superuser(ledger: Ledger, email: str) -> int:
    person = await a_person(ledger, email=email)
    await ledger.write(set_access, person.id, EVERYTHING, NOW)
    return person.id


async def a_login(ledger: Ledger, number: int) -> bytes:
    digest = secret_digest(new_secret())
    await ledger.write(begin_login, number, digest, NOW)
    return digest


async def load_page(ledger: Ledger, logins: SuperuserLogins, *digests: bytes) -> None:
    """What a page does that a browser loads."""
    for digest in digests:
        change = logins.change
        logins.remember(digest, await ledger.read(find_login_session, digest, NOW), change, NOW)


ENDS: list[tuple[Callable[..., Any], Callable[[int, bytes], tuple[Any, ...]]]] = [
    (end_login, lambda number, digest: (number, digest)),
    (end_logins, lambda number, _: (number,)),
    (set_password, lambda number, _: (number, A_DIGEST, NOW)),
    (set_access, lambda number, _: (number, {"all": "a"}, NOW)),
    (delete_account, lambda number, _: (number, NOW)),
]


@pytest.mark.parametrize(("function", "arguments"), ENDS)
async def test_what_ends_a_login_or_a_right_is_noticed_at_once(
    ledger: Ledger, function: Callable[..., Any], arguments: Callable[[int, bytes], tuple[Any, ...]]
) -> None:
    ada, ben = await a_superuser(ledger, "ada@example.com"), await a_superuser(ledger, "ben@example.com")
    of_ada, of_ben = await a_login(ledger, ada), await a_login(ledger, ben)
    logins = SuperuserLogins(ledger)
    await load_page(ledger, logins, of_ada, of_ben)
    assert logins.valid(of_ada, NOW) is not None
    await ledger.write(function, ben, *arguments(ben, of_ben)[1:])
    assert logins.valid(of_ben, NOW) is None  # before anything was read again
    await logins.read_again()
    assert logins.valid(of_ben, NOW) is None
    assert logins.valid(of_ada, NOW) is not None


async def test_a_login_that_another_one_replaces_is_forgotten(ledger: Ledger) -> None:
    ada = await a_superuser(ledger, "ada@example.com")
    before, after = await a_login(ledger, ada), secret_digest(new_secret())
    logins = SuperuserLogins(ledger)
    await load_page(ledger, logins, before)
    previous = logins.valid(before, NOW)
    assert previous
    await ledger.write(replace_login, ada, after, previous.login, NOW)
    await logins.read_again()
    await load_page(ledger, logins, after)
    assert (logins.valid(before, NOW), logins.valid(after, NOW) is None) == (None, False)


async def test_what_another_process_ends_is_noticed_by_reading_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await a_superuser(ledger, "ada@example.com")
    digest, logins = await a_login(ledger, ada), SuperuserLogins(ledger)
    await load_page(ledger, logins, digest)
    await elsewhere(ledger, end_login, ada, digest)
    assert logins.valid(digest, NOW) is not None

    async def away(*_: object) -> None:
        raise StoreAway

    with monkeypatch.context() as down:
        down.setattr(ledger, "read", away)
        with pytest.raises(StoreAway):
            await logins.read_again()
    assert logins.valid(digest, NOW) is not None  # nothing is known to have ended
    await logins.read_again()
    assert logins.valid(digest, NOW) is None


async def test_a_read_that_began_before_a_change_does_not_count(ledger: Ledger) -> None:
    ada = await a_superuser(ledger, "ada@example.com")
    digest, logins = await a_login(ledger, ada), SuperuserLogins(ledger)
    change, session = logins.change, await ledger.read(find_login_session, digest, NOW)
    await ledger.write(end_login, ada, digest)
    logins.remember(digest, session, change, NOW)
    assert logins.valid(digest, NOW) is None


async def test_it_remembers_so_many_so_long_and_superusers_only(ledger: Ledger) -> None:
    ada, ben = await a_superuser(ledger, "ada@example.com"), await a_person(ledger, email="ben@example.com")
    of_ada, of_ben = await a_login(ledger, ada), await a_login(ledger, ben.id)
    logins = SuperuserLogins(ledger)
    await load_page(ledger, logins, of_ada, of_ben)
    assert logins.valid(of_ben, NOW) is None
    assert logins.valid(of_ada, NOW + REMEMBERED_MS) is not None
    assert logins.valid(of_ada, NOW + REMEMBERED_MS + 1) is None
    session = logins.valid(of_ada, NOW)
    logins.remember(of_ada, session, logins.change, NOW + LONGEST_MS - 1)
    assert logins.valid(of_ada, NOW + LONGEST_MS - 1) is not None
    assert logins.valid(of_ada, NOW + LONGEST_MS) is None
    for number in range(REMEMBERED):
        logins.remember(bytes([number]), session, logins.change, NOW)
    assert logins.valid(of_ada, NOW) is None
