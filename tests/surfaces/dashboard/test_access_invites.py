"""Invites to sites and to the server, and joining without one."""

import re
from typing import Any

import httpx
import pytest

from builders import NOW
from support.pages import PASSWORD, Pages, Visitor, clock_of, token_in
from tallystick.errors import InputRefused, InviteRefused
from tallystick.ledger import Ledger
from tallystick.model.account import Access, Account
from tallystick.services.accounts import access_invites
from tallystick.services.accounts.access_invites import (
    DAY_MS,
    MAY_ADD_SITES,
    NewAccessInvite,
    accept_access_invite,
    invite_to_server,
    join_by_access_invite,
)
from tallystick.services.accounts.accounts import (
    NewAccount,
    account_by_email,
    create_account,
    delete_account,
    set_access,
)
from tallystick.services.accounts.audit import events
from tallystick.services.accounts.joining import join_without_invite
from tallystick.web.rate_limit import Rate

DEE = {"email": "dee@example.com", "name": "Dee", "password": PASSWORD}


def link_in(answer: httpx.Response) -> str:
    """The path of the invite that a page shows once."""
    found = re.search(r"<code>http://stats\.example\.com(/invites/[\w-]+)</code>", answer.text)
    assert found, answer.text
    return found[1]


async def invited(admin: Visitor, base: str = "/people/invites", **fields: str) -> str:
    """Make an invite on a page. Returns the path of its page."""
    usual = {"place": "all", "letter": "r", "days": "7", "uses": "1"}
    return link_in(await admin.fill(base, {**usual, **fields}))


async def person(ledger: Ledger, email: str = "dee@example.com") -> Account | None:
    found: Account | None = await ledger.read(account_by_email, email)
    return found


async def test_a_guest_comes_to_a_site_with_a_new_account(pages: Pages) -> None:
    async with pages.ada() as ada, pages.visitor() as dee:
        made = await ada.fill("/people/invites", {"place": "1", "letter": "r", "days": "7", "uses": "1"})
        address = link_in(made)
        assert made.text.count("<svg") == 1
        assert address not in (await ada.get("/people/invites")).text, "shown once"
        shown = (await dee.get(address)).text
        assert "<h1>Statistics of stats.example.com</h1>" in shown
        assert "You can read the statistics." in shown
        assert (await dee.get(f"{address}.json")).json() == {
            "to": "sites",
            "sites": ["stats.example.com"],
            "access": {"1": "r"},
            "by": None,
        }
        refused = await dee.fill(address, {**DEE, "password": "short"}, action=f"{address}/join")
        assert (refused.status_code, await person(pages.ledger)) == (422, None)
        joined = await dee.fill(address, DEE, action=f"{address}/join")
        assert (joined.status_code, joined.headers["location"]) == (303, "/sites/1")
        assert (await dee.get("/sites/1/settings")).status_code == 200
        assert (await dee.get("/people/invites")).status_code == 404, "a reader invites nobody"
        async with pages.visitor() as late:
            assert (await late.get(address)).status_code == 410
    found = await person(pages.ledger)
    assert found is not None
    assert (found.site, found.access) == (1, {"1": "r"})
    kinds = [event.kind for event in await pages.ledger.read(events)]
    assert kinds.index("invite accepted") < kinds.index("invite made")


async def test_who_has_an_account_logs_in_and_comes_back(pages: Pages) -> None:
    ledger = pages.ledger
    async with pages.ada() as ada, pages.visitor() as dee:
        to_server = await invited(ada, "/admin/invites", uses="2")
        assert "Here you can make counters and share them." in (await dee.get(to_server)).text
        joined = await dee.fill(to_server, DEE, action=f"{to_server}/join")
        assert joined.headers["location"] == "/"
        assert "You have no sites and no counters yet." in (await dee.get("/")).text
        await dee.fill("/user", {}, action="/logout")
        to_sites = await invited(ada, letter="s", uses="")
        assert f'href="/login?next={to_sites}"' in (await dee.get(to_sites)).text
        fields = {"email": "dee@example.com", "password": PASSWORD, "next": to_sites}
        back = await dee.fill(f"/login?next={to_sites}", fields, action="/login")
        assert back.headers["location"] == to_sites
        assert (await dee.fill(to_sites, {})).headers["location"] == "/"
        assert (await dee.get("/")).headers["location"] == "/sites/stats.example.com"
        found = await person(ledger)
        assert found is not None
        assert (found.site, found.access) == (1, {"all": "s"})
        # An invite gives nobody back what an admin has taken.
        await ledger.write(set_access, found.id, {"all": "r"}, NOW)
        assert "You have this already" in (await dee.get(to_sites)).text
        assert (await dee.send(to_sites, {"token": token_in((await dee.get("/user")).text)})).status_code == 303
        found = await person(ledger)
        assert found is not None
        assert found.access == {"all": "r"}
        (invite,) = (await ada.get("/people/invites.json")).json()["invites"]
        assert (invite["access"], invite["uses"], invite["max_uses"]) == ({"all": "s"}, 1, None)
        assert (await ada.fill("/people/invites", {"id": invite["id"]}, action="/people/invites/withdraw")).headers[
            "location"
        ] == "/people/invites?done=withdrawn"
        assert (await ada.get("/people/invites.json")).json() == {"invites": []}
        async with pages.visitor() as late:
            assert (await late.get(to_sites)).status_code == 404
        again = await ada.fill("/people/invites", {"id": invite["id"]}, action="/people/invites/withdraw")
        assert (again.status_code, "There is no such invite any more." in again.text) == (422, True)


async def test_an_invite_to_the_server_may_allow_sites(pages: Pages) -> None:
    async with pages.ada() as ada, pages.visitor() as dee:
        address = await invited(ada, "/admin/invites", sites="on")
        await dee.fill(address, DEE, action=f"{address}/join")
        found = await person(pages.ledger)
        assert found is not None
        assert (found.site, found.access) == (None, MAY_ADD_SITES)
        assert 'href="/sites#new"' in (await dee.get("/")).text
        # Of another account by now: its sites are not shared by one login as well.
        await ada.fill("/sites", {"cname": "zwei.example.com"})
        await dee.fill("/sites", {"cname": "dee.example.com"})
        to_sites = await invited(ada)
        refused = await dee.fill(to_sites, {})
        assert (refused.status_code, "cannot be accepted with your account" in refused.text) == (409, True)
        (invite,) = (await ada.get("/people/invites.json")).json()["invites"]
        assert (await dee.get("/people/invites.json")).json() == {"invites": []}
        foreign = await dee.fill("/people/invites", {"id": invite["id"]}, action="/people/invites/withdraw")
        assert (foreign.status_code, "There is no such invite any more." in foreign.text) == (422, True)
        assert (await ada.get("/people/invites.json")).json() == {"invites": [invite]}


async def test_what_no_invite_can_be_is_refused(pages: Pages) -> None:
    async with pages.ada() as ada:
        usual = {"place": "all", "letter": "r", "days": "7", "uses": "1"}
        for fields, message in (
            ({"uses": "0"}, "must be 1 to 10,000"),
            ({"uses": "many"}, "must be a whole number"),
            ({"letter": "*"}, "must be read, settings or admin"),
            ({"place": "7"}, "the account has no site 7"),
            ({"place": "x"}, "the account has no site x"),
        ):
            refused = await ada.fill("/people/invites", {**usual, **fields})
            assert (refused.status_code, message in refused.text) == (422, True), fields
        assert (await ada.fill("/people/invites", {**usual, "days": "8"})).status_code == 400
        clock_of(pages.ledger).now += 601_000
        old = await ada.fill("/people/invites", usual)
        assert (old.status_code, "Your password" in old.text) == (422, True)
        assert (await ada.get("/people/invites.json")).json() == {"invites": []}


async def test_an_invite_ends_with_its_time_its_maker_and_its_site(pages: Pages, monkeypatch: Any) -> None:
    ledger = pages.ledger
    async with pages.ada() as ada:
        await ada.fill("/sites", {"cname": "zwei.example.com"})
        async with pages.ben(ada, access_all="a") as ben:
            of_ben, of_site = await invited(ben), await invited(ada, place="2")
            timed = await invited(ada, days="1")
            monkeypatch.setattr(access_invites, "OPEN_AT_MOST", 3)
            full = await ada.fill("/people/invites", {"place": "all", "letter": "r", "days": "7"})
            assert (full.status_code, "there are 3 open invites" in full.text.lower()) == (422, True)
            found = await person(ledger, "ben@example.com")
            assert found is not None
            reduced: dict[str, Access] = {"all": "s"}
            await ledger.write(set_access, found.id, reduced, NOW)
            async with pages.visitor() as guest:
                assert (await guest.get(of_ben)).status_code == 410
                assert (await guest.get(of_site)).status_code == 200
                await ada.fill("/sites/2/settings", {"confirm": "zwei.example.com"}, action="/sites/2/delete")
                assert (await guest.get(of_site)).status_code == 410
                assert (await guest.get(timed)).status_code == 200
                clock_of(ledger).now += DAY_MS
                assert (await guest.get(timed)).status_code == 410
                await ledger.write(delete_account, found.id, NOW)
                assert (await guest.get(of_ben)).status_code == 404


async def test_of_two_guests_at_once_one_comes_in(ledger: Ledger) -> None:
    with pytest.raises(InputRefused, match="not set up"):
        await ledger.write(invite_to_server, None, NewAccessInvite(access={}), NOW)
    ada: Account = await ledger.write(create_account, NewAccount(email="ada@example.com", password="x"), NOW)
    _, code = await ledger.write(invite_to_server, ada.id, NewAccessInvite(access={}), NOW)
    with pytest.raises(InputRefused, match="already exists"):
        await ledger.write(join_by_access_invite, code, NewAccount(email="ada@example.com", password="x"), NOW)
    await ledger.write(join_by_access_invite, code, NewAccount(email="dee@example.com", password="x"), NOW)
    with pytest.raises(InviteRefused, match="used up"):
        await ledger.write(join_by_access_invite, code, NewAccount(email="eve@example.com", password="x"), NOW)
    assert await person(ledger, "eve@example.com") is None
    _, unused = await ledger.write(accept_access_invite, ada.id, code, NOW)
    assert unused.access == {"all": "*"}, "a superuser stays one"


async def test_without_an_invite_one_joins_only_where_anyone_may(ledger: Ledger) -> None:
    with pytest.raises(InputRefused, match="not set up"):
        await ledger.write(join_without_invite, NewAccount(email="eve@example.com", password="x", access={}), NOW)
    closed = Pages(ledger)
    async with closed.visitor() as visitor:
        assert (await visitor.get("/join")).headers["location"] == "/setup"
    async with closed.ada(), closed.visitor() as visitor:
        shown = (await visitor.get("/join")).text
        assert "Accounts on this server are made by invite." in shown
        assert "<h2" not in shown
        token = token_in((await visitor.get("/login")).text)
        assert (await visitor.send("/join", {"token": token, **DEE})).status_code == 403
        assert "/join" not in (await visitor.get("/login")).text
    rates = (Rate("login", None, 0), Rate("join", 1, 60))
    pages = Pages(ledger, rates, public_counters="off", join="anyone")
    async with pages.visitor() as dee, pages.visitor() as eve:
        for path in ("/", "/login"):
            assert 'href="/join"' in (await dee.get(path)).text
        assert (await dee.fill("/join", {**DEE, "email": "no"})).status_code == 422
        joined = await dee.fill("/join", DEE)
        assert (joined.status_code, joined.headers["location"]) == (303, "/")
        text = (await dee.get("/")).text
        assert 'href="/counters#new"' in text
        assert 'href="/sites#new"' not in text
        assert (await dee.get("/join")).headers["location"] == "/"
        assert (await eve.fill("/join", {**DEE, "email": "eve@example.com"})).status_code == 429
    found = await person(ledger)
    assert found is not None
    assert (found.site, found.access) == (None, {})
