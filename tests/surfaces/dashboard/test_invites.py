"""Invites to shared counters in the browser, and what a person without a site sees."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from builders import NOW
from support.pages import PASSWORD, Pages, Visitor, shown_once, token_in
from support.sharing import a_counter, a_sharing, now_as, someone
from tallystick.ledger import Ledger
from tallystick.model.account import Account, Permission
from tallystick.model.shared_counter import Role, SharedCounter
from tallystick.services.accounts.accounts import NewAccount, account_by_email, create_account, delete_account
from tallystick.services.accounts.passwords import Passwords
from tallystick.services.accounts.tokens import all_tokens, secret_digest, stored_principal
from tallystick.services.sharing import invites
from tallystick.services.sharing.access import role_of
from tallystick.services.sharing.invites import NewInvite


@pytest.fixture
async def owner(ledger: Ledger) -> Account:
    return await someone(ledger, "Ada")


@pytest.fixture
async def counter(ledger: Ledger, owner: Account) -> SharedCounter:
    return await a_counter(ledger, owner, "Cups <of> tea")


@pytest.fixture
async def ben(ledger: Ledger) -> Account:
    """A person without a site, who can log in."""
    digest = await Passwords().hash(PASSWORD)
    wanted = NewAccount(email="ben@example.com", password=digest, name="Ben", access={})
    return await ledger.write(create_account, wanted, NOW)


async def invited(ledger: Ledger, owner: Account, counter: SharedCounter, *, ago: int = 0, **wanted: Any) -> str:
    """The page of an invite that was made so many milliseconds ago."""
    made_at = ledger.clock() - ago
    _, code = await a_sharing(ledger).write(invites.create, owner.id, counter.uid, NewInvite(**wanted), made_at)
    return f"/invites/{code}"


@asynccontextmanager
async def logged_in(pages: Pages) -> AsyncIterator[Visitor]:
    """Ben's browser."""
    async with pages.visitor() as visitor:
        assert (await visitor.log_in("ben@example.com")).status_code == 303
        yield visitor


async def use(ledger: Ledger, person: Account, address: str) -> None:
    """Accept an invite, elsewhere."""
    await a_sharing(ledger).write(invites.accept, person.id, address.removeprefix("/invites/"), ledger.clock())


async def role(ledger: Ledger, person: Account, counter: SharedCounter) -> Role | None:
    found = await ledger.read(role_of, person.id, counter.uid)
    assert found is not None
    return found[1]


async def test_who_is_invited_logs_in_and_comes_back(
    pages: Pages, owner: Account, counter: SharedCounter, ben: Account
) -> None:
    address = await invited(pages.ledger, owner, counter)
    async with pages.visitor() as visitor:
        shown = await visitor.get(address)
        assert f'href="/login?next={address}"' in shown.text
        accepted = await visitor.fill(address, {})
        assert (accepted.status_code, accepted.headers["location"]) == (303, f"/login?next={address}")
        assert await role(pages.ledger, ben, counter) is None
        fields = {"email": "ben@example.com", "password": PASSWORD, "next": address}
        back = await visitor.fill(f"/login?next={address}", fields, action="/login")
        assert back.headers["location"] == address
        shown = await visitor.get(address)
        assert shown.status_code == 200
        for words in ("Cups &lt;of&gt; tea", "<strong>Ada</strong> invites", "As a member", "your name: Ben"):
            assert words in shown.text
        assert await role(pages.ledger, ben, counter) is None
        accepted = await visitor.fill(address, {})
        assert accepted.headers["location"] == f"/counters/{counter.uid}?done=joined"
        page = (await visitor.get(accepted.headers["location"])).text
        assert "You share this counter now." in page
        assert f"http://stats.example.com/v1/counters/{counter.uid}/increment" in page
    assert await role(pages.ledger, ben, counter) == "member"


async def test_a_guest_comes_in_with_a_new_account(pages: Pages, owner: Account, counter: SharedCounter) -> None:
    address = await invited(pages.ledger, owner, counter, max_uses=1)
    typed = {"email": "Dee@Example.com", "name": "Dee", "password": PASSWORD}
    async with pages.visitor() as visitor:
        for changed, message in (
            ({"email": "nobody"}, "Email must be a valid email address."),
            ({"email": owner.email}, "Email already exists."),
            ({"password": "short"}, "Password must have 8 to 128 characters"),
            ({"name": "D\ne"}, "Name cannot contain control characters."),
        ):
            refused = await visitor.fill(address, typed | changed, action=f"{address}/join")
            assert refused.status_code == 422
            assert message in refused.text
            assert PASSWORD not in refused.text
        assert await pages.ledger.read(account_by_email, "dee@example.com") is None
        assert (await visitor.send(f"{address}/join", {"token": "0" * 64, **typed})).status_code == 403
        joined = await visitor.fill(address, typed, action=f"{address}/join")
        assert (joined.status_code, joined.headers["location"]) == (303, f"/counters/{counter.uid}?done=joined")
        assert "You share this counter now." in (await visitor.get(joined.headers["location"])).text
        assert (await visitor.get("/people")).status_code == 200, "Dee is logged in"
    dee = await pages.ledger.read(account_by_email, "dee@example.com")
    assert dee is not None
    assert dee.access == {}
    assert await role(pages.ledger, dee, counter) == "member"
    async with pages.visitor() as visitor:
        token = token_in((await visitor.get("/login")).text)
        late = await visitor.send(f"{address}/join", {"token": token, **typed, "email": "eve@example.com"})
        assert late.status_code == 410
    assert await pages.ledger.read(account_by_email, "eve@example.com") is None, "no account without the counter"


async def test_a_viewer_is_told_only_how_to_look(
    pages: Pages, owner: Account, counter: SharedCounter, ben: Account
) -> None:
    address = await invited(pages.ledger, owner, counter, role="viewer")
    async with logged_in(pages) as visitor:
        assert "As a viewer" in (await visitor.get(address)).text
        accepted = await visitor.fill(address, {})
        page = (await visitor.get(accepted.headers["location"])).text
    assert f"/v1/counters/{counter.uid}" in page
    assert "increment" not in page
    assert await role(pages.ledger, ben, counter) == "viewer"


@pytest.mark.usefixtures("ben")
async def test_a_code_that_lets_nobody_in_is_told_so(pages: Pages, owner: Account, counter: SharedCounter) -> None:
    spent = await invited(pages.ledger, owner, counter, max_uses=1)
    over = await invited(pages.ledger, owner, counter, ago=1_000, lifetime=1_000)
    await use(pages.ledger, await someone(pages.ledger, "Eve"), spent)
    async with logged_in(pages) as visitor:
        for address, status, title in (
            (spent, 410, "This invite was used or has expired"),
            (over, 410, "This invite was used or has expired"),
            ("/invites/unknown", 404, "There is no such invite"),
            (f"{over}x", 404, "There is no such invite"),
        ):
            for answer in (await visitor.get(address), await visitor.fill("/user", {}, action=address)):
                assert answer.status_code == status
                assert f"<h1>{title}</h1>" in answer.text
                assert answer.headers["cache-control"] == "private, no-store"


async def test_a_form_of_another_site_lets_nobody_in(
    pages: Pages, owner: Account, counter: SharedCounter, ben: Account
) -> None:
    address = await invited(pages.ledger, owner, counter)
    async with logged_in(pages) as visitor:
        assert (await visitor.send(address, {"token": "0" * 64})).status_code == 403
        fields = {"token": token_in((await visitor.get(address)).text)}
        assert (await visitor.send(address, fields, **{"sec-fetch-site": "cross-site"})).status_code == 403
    assert await role(pages.ledger, ben, counter) is None


async def test_too_many_members_is_told(
    pages: Pages, owner: Account, counter: SharedCounter, ben: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invites, "MEMBERS_AT_MOST", 1)
    address = await invited(pages.ledger, owner, counter)
    async with logged_in(pages) as visitor:
        answer = await visitor.fill(address, {})
    assert (answer.status_code, "cannot be accepted" in answer.text) == (409, True)
    assert await role(pages.ledger, ben, counter) is None


@pytest.mark.usefixtures("ben")
async def test_a_foreign_counter_is_as_good_as_none(pages: Pages, counter: SharedCounter) -> None:
    async with logged_in(pages) as visitor:
        for uid in (counter.uid, "0190a000-0000-7000-8000-000000000000", "x"):
            answer = await visitor.get(f"/counters/{uid}")
            assert (answer.status_code, "Cups" in answer.text) == (404, False)


@pytest.mark.usefixtures("ben")
async def test_an_invite_goes_with_who_made_it(pages: Pages, owner: Account, counter: SharedCounter) -> None:
    eve = await someone(pages.ledger, "Eve")
    await use(pages.ledger, eve, await invited(pages.ledger, owner, counter))
    address = await invited(pages.ledger, owner, counter)
    async with logged_in(pages) as visitor:
        assert (await visitor.get(address)).status_code == 200
        await pages.ledger.write(delete_account, owner.id, pages.ledger.clock())
        assert (await visitor.get(address)).status_code == 404


# A person without a site


@pytest.mark.usefixtures("owner", "ben")
async def test_a_person_without_a_site_makes_tokens_for_counters(pages: Pages) -> None:
    async with logged_in(pages) as visitor:
        form = (await visitor.get("/user/tokens")).text
        offered = {int(value) for value in re.findall(r'name="permission" value="(\d+)"', form)}
        assert offered == {Permission.COUNTERS_READ, Permission.COUNTERS_WRITE}
        fields = {"name": "phone", "permission": ["128", "256"]}
        made = await visitor.fill("/user/tokens", fields)
        assert "/v1/counters" in made.text
        assert "/api/v0/me" not in made.text
        found = await pages.ledger.read(stored_principal, secret_digest(shown_once(made)))
        assert found is not None
        assert (found.account.email, found.token.permissions, found.token.sites) == ("ben@example.com", 384, ())
        listed = (await visitor.get("/user/tokens")).text
        assert "Read counters that you share or own; Change them, as far as you may." in listed
        assert "All sites" not in listed
        refused = await visitor.fill("/user/tokens", {"name": "all", "permission": ["2", "128"]})
        assert (refused.status_code, len(await pages.ledger.read(all_tokens))) == (422, 1)
        assert "only admins can create and use API tokens for sites" in refused.text
        for page in ("/sites", "/people", "/user", "/user/two-factor"):
            assert (await visitor.get(page)).status_code == 200


async def test_an_admin_chooses_among_all_permissions(pages: Pages) -> None:
    async with pages.ada() as ada:
        form = (await ada.get("/user/tokens")).text
        offered = [int(value) for value in re.findall(r'name="permission" value="(\d+)"', form)]
        assert sum(offered) == 2 + 4 + 8 + 16 + 32 + 64 + 128 + 256
        both = await ada.fill("/user/tokens", {"name": "both", "permission": ["2", "128"]})
        assert "/api/v0/me" in both.text
        await ada.fill("/sites", {"cname": "zwei.example.com"})
        fields = {"name": "x", "permission": ["128"], "site": ["1"]}
        refused = await ada.fill("/user/tokens", fields)
        assert "Sites must be left out: shared counters belong to no site." in refused.text


async def test_a_removed_persons_counters_go_on_without_them(pages: Pages) -> None:
    async with pages.ada() as ada, pages.ben(ada, access_all="r"):
        ledger = pages.ledger
        ben, own = [await ledger.read(account_by_email, f"{name}@example.com") for name in ("ben", "ada")]
        assert ben
        assert own
        alone, shared = await a_counter(ledger, ben, "Alone"), await a_counter(ledger, ben, "Shared")
        await use(ledger, own, await invited(ledger, ben, shared))
        fields = {"id": str(ben.id), "confirm": "ben@example.com"}
        removed = await ada.fill("/people", fields, action="/people/remove")
        assert removed.headers["location"] == "/people?done=removed"
        assert await ledger.read(role_of, own.id, alone.uid) is None
        assert await role(ledger, own, shared) == "admin"
        assert (await now_as(ledger, shared)).name == "Shared"
