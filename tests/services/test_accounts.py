"""People come, change and go, on both databases."""

import asyncio

import pytest

from support.people import A_DIGEST, a_person, a_site, a_token, again
from tallystick.errors import InputRefused, InvalidFields
from tallystick.ledger import Ledger
from tallystick.model.account import Access, Account, UserSettings
from tallystick.services.accounts.accounts import (
    NewAccount,
    account,
    account_by_email,
    accounts_of,
    all_accounts,
    change_account,
    count_accounts,
    create_account,
    credentials,
    delete_account,
    existing,
    may_change,
    may_see,
    note_login,
    set_access,
    set_password,
)
from tallystick.services.accounts.logins import begin_login, logins_of, secret_digest
from tallystick.services.accounts.sites import SiteChanges, update_site
from tallystick.services.accounts.tokens import tokens_of

Levels = dict[str, Access]


async def test_the_first_person_is_superuser_and_the_next_ones_may_do_nothing_yet(ledger: Ledger) -> None:
    assert await ledger.read(count_accounts) == 0
    first, second = await a_person(ledger), await a_person(ledger, "ben@example.com")
    assert (first.access, second.access) == ({"all": "*"}, {})
    assert (first.site, second.site) == (None, None)
    assert await ledger.read(count_accounts) == 2


async def test_a_person_is_found_by_id_and_by_email_in_any_case(ledger: Ledger) -> None:
    ada = await a_person(ledger, " Ada@Example.COM ")
    assert ada.email == "ada@example.com"
    assert await ledger.read(account, ada.id) == ada
    assert await ledger.read(account_by_email, "ADA@example.com") == ada
    assert await ledger.read(account_by_email, "someone@example.com") is None
    assert await ledger.read(account_by_email, "\0@example.com") is None
    assert await ledger.read(account, 99) is None
    found = await ledger.read(credentials, "ada@example.com")
    assert found is not None
    assert (found.account, found.password) == (ada, A_DIGEST)


async def test_an_email_is_given_once_also_to_several_at_once(ledger: Ledger) -> None:
    emails = ["ada@example.com", "ADA@example.com", "ada@example.com", "ben@example.com"]
    made = await asyncio.gather(*(a_person(ledger, email) for email in emails), return_exceptions=True)
    refused = [one for one in made if isinstance(one, InvalidFields)]
    assert [one.errors for one in refused] == [{"email": ["already exists"]}] * 2
    assert [one.email for one in await ledger.read(all_accounts)] == ["ada@example.com", "ben@example.com"]


@pytest.mark.parametrize(
    ("wanted", "errors"),
    [
        (NewAccount(email="", password=A_DIGEST), {"email": ["must be set"]}),
        (NewAccount(email="ada", password=A_DIGEST), {"email": ["must be a valid email address"]}),
        (
            NewAccount(email="a@b.c", password=A_DIGEST, name="A\0da"),
            {"name": ["cannot contain control characters"]},
        ),
        (NewAccount(email="a@b.c", password=A_DIGEST, site=7), {"site": ["there is no site 7"]}),
        (
            NewAccount(email="a@b.c", password=A_DIGEST, access={"7": "r"}),
            {"access": ["the account has no site 7"]},
        ),
    ],
)
async def test_what_cannot_be_used_is_told_by_field(
    ledger: Ledger, wanted: NewAccount, errors: dict[str, list[str]]
) -> None:
    with pytest.raises(InvalidFields) as refused:
        await ledger.write(create_account, wanted, 0)
    assert refused.value.errors == errors
    assert await ledger.read(count_accounts) == 0


async def test_who_joins_an_account_reads_its_sites(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    first = await a_site(ledger, ada)
    second = await a_site(ledger, ada, "two.example.com")
    ben = await a_person(ledger, "ben@example.com", site=second.id)
    assert (ben.site, ben.access) == (first.id, {"all": "r"})
    assert await ledger.read(accounts_of, first.id) == [await again(ledger, ada), ben]


@pytest.mark.parametrize(
    ("access", "expected"),
    [
        ({"all": "r"}, {"r": True, "s": False, "a": False}),
        ({"all": "s"}, {"r": True, "s": True, "a": False}),
        ({"all": "a"}, {"r": True, "s": True, "a": True}),
        ({"2": "a"}, {"r": False, "s": False, "a": False}),
        ({"all": "a", "1": "r"}, {"r": True, "s": False, "a": False}),
    ],
)
async def test_access_is_per_site_and_each_level_has_the_ones_below(
    ledger: Ledger, access: Levels, expected: dict[Access, bool]
) -> None:
    ada = await a_person(ledger)
    site = await a_site(ledger, ada)
    await a_site(ledger, ada, "two.example.com")
    ben = await a_person(ledger, "ben@example.com", site.id, access)
    assert {level: may_change(ben, level, site) for level in expected} == expected
    assert may_see(ben, site) == expected["r"]


async def test_a_stranger_sees_nothing_and_a_superuser_what_a_site_allows(ledger: Ledger) -> None:
    operator = await a_person(ledger)
    ben = await a_person(ledger, "ben@example.com")
    await a_site(ledger, operator)
    site = await a_site(ledger, ben, "ben.example.com")
    stranger = await a_person(ledger, "eve@example.com", access={"all": "a"})
    operator = await again(ledger, operator)
    assert [may_see(one, site) for one in (stranger, operator)] == [False, False]
    opened = await ledger.write(update_site, site.id, SiteChanges(settings={"allow_bosmang": True}), 0)
    assert [may_see(one, opened) for one in (stranger, operator)] == [False, True]
    assert not may_change(operator, "r", opened)


async def test_a_person_changes_their_name_and_settings(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    settings = UserSettings(timezone="NL.Europe/Amsterdam", theme="dark")
    changed = await ledger.write(change_account, ada.id, " Ada ", settings, 5)
    assert (changed.name, changed.settings, changed.updated) == ("Ada", settings, 5)
    with pytest.raises(InvalidFields, match="name: must be shorter than 201 characters"):
        await ledger.write(change_account, ada.id, "a" * 201, settings, 5)


async def test_the_last_login_is_remembered(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    await ledger.write(note_login, ada.id, 77)
    assert (await again(ledger, ada)).login == 77


async def test_a_new_password_ends_the_logins_but_for_the_one_where_it_was_set(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    kept, other = secret_digest("kept"), secret_digest("other")
    for digest in (kept, other):
        await ledger.write(begin_login, ada.id, digest, 0)
    await ledger.write(set_password, ada.id, "another digest", 0, kept)
    assert [login.digest for login in await ledger.read(logins_of, ada.id, 0)] == [kept]
    await ledger.write(set_password, ada.id, "a third one", 0)
    assert await ledger.read(logins_of, ada.id, 0) == []
    found = await ledger.read(credentials, ada.email)
    assert found is not None
    assert found.password == "a third one"


async def test_the_last_admin_of_a_site_stays_one(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    site = await a_site(ledger, ada)
    await a_person(ledger, "reader@example.com", site.id)
    with pytest.raises(InputRefused, match=r"ada@example\.com is the last admin of site 1"):
        await ledger.write(delete_account, ada.id, ledger.clock())
    with pytest.raises(InputRefused, match="is the last admin of site 1"):
        await ledger.write(set_access, ada.id, {"all": "s"}, 0)
    ben = await a_person(ledger, "ben@example.com", site.id, {"all": "a"})
    lowered = await ledger.write(set_access, ada.id, {"all": "s"}, 9)
    assert (lowered.access, lowered.updated, lowered.site) == ({"all": "s"}, 9, site.id)
    with pytest.raises(InputRefused, match="is the last admin of site 1"):
        await ledger.write(delete_account, ben.id, ledger.clock())
    await ledger.write(delete_account, ada.id, ledger.clock())


async def test_two_admins_that_leave_at_once_leave_one(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    site = await a_site(ledger, ada)
    ben = await a_person(ledger, "ben@example.com", site.id, {"all": "a"})
    left = await asyncio.gather(
        *(ledger.write(delete_account, person.id, ledger.clock()) for person in (ada, ben)), return_exceptions=True
    )
    assert [isinstance(one, InputRefused) for one in left].count(True) == 1
    assert len(await ledger.read(all_accounts)) == 1


async def test_access_to_a_site_of_others_is_not_given(ledger: Ledger) -> None:
    ada, ben = await a_person(ledger), await a_person(ledger, "ben@example.com")
    await a_site(ledger, ada)
    other = await a_site(ledger, ben, "ben.example.com")
    with pytest.raises(InvalidFields, match=f"access: the account has no site {other.id}"):
        await ledger.write(set_access, ada.id, {"all": "a", str(other.id): "r"}, 0)


async def test_who_is_deleted_leaves_nothing_but_the_sites(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    site = await a_site(ledger, ada)
    ben = await a_person(ledger, "ben@example.com", site.id, {"all": "a"})
    await a_token(ledger, ben)
    await ledger.write(begin_login, ben.id, secret_digest("a browser"), 0)
    await ledger.write(delete_account, ben.id, ledger.clock())
    assert await ledger.read(all_accounts) == [await again(ledger, ada)]
    assert await ledger.read(tokens_of, ben.id) == []
    assert await ledger.read(logins_of, ben.id, 0) == []


@pytest.mark.parametrize(
    "change", [(delete_account, 0), (set_access, {"all": "r"}, 0), (change_account, "Ada", UserSettings(), 0)]
)
async def test_who_is_not_there_is_not_changed(ledger: Ledger, change: tuple[object, ...]) -> None:
    function, *rest = change
    assert callable(function)
    with pytest.raises(InputRefused, match="there is no account 12"):
        await ledger.write(function, 12, *rest)


async def test_an_id_is_never_given_twice(ledger: Ledger) -> None:
    first = await a_person(ledger)
    await ledger.write(delete_account, first.id, ledger.clock())
    second: Account = await a_person(ledger)
    assert second.id > first.id
    assert await ledger.read(existing, second.id) == second
