"""A person's own account: name, password, login sessions, second step and tokens."""

import re

import httpx
import pyotp
import pytest

from support.pages import PASSWORD, Pages, clock_of, shown_once, token_in
from tallystick.model.account import Account, Permission
from tallystick.services.accounts.accounts import account_by_email
from tallystick.services.accounts.audit import EventKind, events
from tallystick.services.accounts.logins import logins_of
from tallystick.services.accounts.tokens import NewToken, create_token, tokens_of

NEW = "a newer horse"


async def the_account(pages: Pages, email: str = "ada@example.com") -> Account:
    person = await pages.ledger.read(account_by_email, email)
    assert person is not None
    return person


async def test_the_name_is_shown_wherever_one_is_logged_in(pages: Pages) -> None:
    async with pages.ada() as ada:
        answer = await ada.fill("/user", {"name": "  Ada Lovelace "}, action="/user/name")
        assert answer.headers["location"] == "/user?done=name"
        assert "The name is changed." in (await ada.get("/user?done=name")).text
        assert ">Ada Lovelace</a>" in (await ada.get("/docs")).text
        refused = await ada.fill("/user", {"name": "x" * 201}, action="/user/name")
        assert refused.status_code == 422
        assert "Name must be shorter than 201 characters" in refused.text
        assert (await ada.get("/user/name")).status_code == 200


async def test_a_new_password_logs_every_other_browser_out(pages: Pages) -> None:
    async with pages.ada() as ada, pages.visitor() as other:
        await other.log_in()
        fields = {"current": PASSWORD, "password": NEW}
        answer = await ada.fill("/user", fields, action="/user/password")
        assert answer.headers["location"] == "/user?done=password"
        assert (await ada.get("/user")).status_code == 200
        assert (await other.get("/user")).status_code == 303
        assert (await other.log_in()).status_code == 422
        assert (await other.log_in(password=NEW)).status_code == 303


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"current": "wrong horse", "password": NEW}, "Current password is not right"),
        ({"current": PASSWORD, "password": "short"}, "New password must have 8 to 128 characters"),
        ({"current": PASSWORD}, "New password must have 8 to 128 characters"),
    ],
)
async def test_a_password_is_not_changed_without_the_current_one(
    pages: Pages, fields: dict[str, str], told: str
) -> None:
    async with pages.ada() as ada, pages.visitor() as visitor:
        answer = await ada.fill("/user", fields, action="/user/password")
        assert answer.status_code == 422
        assert told in answer.text
        assert (await visitor.log_in()).status_code == 303


async def test_other_browsers_are_listed_and_logged_out(pages: Pages) -> None:
    async with pages.ada() as ada, pages.visitor() as second, pages.visitor() as third:
        await second.log_in()
        page = (await ada.get("/user")).text
        assert page.count("This browser") == page.count("Another browser") == 1
        found = re.search(r'name="login" value="([0-9a-f]{64})"', page)
        assert found
        await ada.send("/user/logins", {"token": token_in(page), "login": found[1]})
        assert (await second.get("/user")).status_code == 303
        await second.log_in()
        await third.log_in()
        await ada.fill("/user", {"login": "others"}, action="/user/logins")
        for browser, status in ((ada, 200), (second, 303), (third, 303)):
            assert (await browser.get("/user")).status_code == status


async def test_nobody_logs_out_others(pages: Pages) -> None:
    async with pages.ada() as ada, pages.ben(ada, access_all="r") as ben:
        (login,) = await pages.ledger.read(logins_of, (await the_account(pages)).id, pages.ledger.clock())
        for name in (login.name, "no login", ""):
            answer = await ben.fill("/user", {"login": name}, action="/user/logins")
            assert answer.status_code == 303
        assert (await ada.get("/user")).status_code == 200


async def test_only_sessions_that_were_ended_are_in_the_log(pages: Pages) -> None:
    async def ended() -> list[str]:
        return [event.detail for event in await pages.ledger.read(events) if event.kind == EventKind.LOGINS_ENDED]

    async with pages.ada() as ada, pages.visitor() as second:
        for name in ("00" * 32, "no login", "", "others"):
            assert (await ada.fill("/user", {"login": name}, action="/user/logins")).status_code == 303
        assert await ended() == []
        await second.log_in()
        await ada.fill("/user", {"login": "others"}, action="/user/logins")
        assert await ended() == ["all others"]


def secret_in(page: httpx.Response) -> str:
    found = re.search(r'name="secret" value="([A-Z2-7]{32})"', page.text)
    assert found, page.text
    return found[1]


def code_of(pages: Pages, secret: str) -> str:
    return pyotp.TOTP(secret).at(pages.ledger.clock() // 1000)


async def test_the_second_step_is_turned_on_by_a_code_and_off_by_the_password(pages: Pages) -> None:
    async with pages.ada() as ada:
        page = await ada.get("/user/two-factor")
        secret = secret_in(page)
        assert "<svg" in page.text
        wrong = await ada.send(
            "/user/two-factor/on", {"token": token_in(page.text), "secret": secret, "code": "000000"}
        )
        assert wrong.status_code == 422
        assert secret_in(wrong) == secret
        fields = {"token": token_in(page.text), "secret": secret, "code": code_of(pages, secret)}
        answer = await ada.send("/user/two-factor/on", fields)
        assert len(shown_once(answer).split()) == 10
        assert (await the_account(pages)).totp_enabled
        for current, status, enabled in (("wrong horse", 422, True), (PASSWORD, 303, False)):
            off = await ada.fill("/user/two-factor", {"current": current}, action="/user/two-factor/off")
            assert (off.status_code, (await the_account(pages)).totp_enabled) == (status, enabled)


async def test_a_second_step_that_is_on_is_not_replaced(pages: Pages) -> None:
    async with pages.ada() as ada:
        page = await ada.get("/user/two-factor")
        secret, token = secret_in(page), token_in(page.text)
        fields = {"token": token, "secret": secret, "code": code_of(pages, secret)}
        first = await ada.send("/user/two-factor/on", fields)
        assert first.status_code == 200
        other = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
        again = {"token": token, "secret": other, "code": code_of(pages, other)}
        assert (await ada.send("/user/two-factor/on", again)).status_code == 303
        assert (
            await ada.fill("/user/two-factor", {"current": "x"}, action="/user/two-factor/codes")
        ).status_code == 422
        renewed = await ada.fill("/user/two-factor", {"current": PASSWORD}, action="/user/two-factor/codes")
        assert not set(shown_once(renewed).split()) & set(shown_once(first).split())


async def test_what_is_revoked_with_a_token_is_shown_before(pages: Pages) -> None:
    async with pages.ada() as ada:
        secret = shown_once(await ada.fill("/user/tokens", {"name": "the build", "permission": ["128", "256"]}))
        assert "made with it" not in (await ada.get("/user/tokens")).text
        parent = await pages.tokens.principal(secret)
        assert parent is not None
        wanted = NewToken(name="a phone", permissions=Permission.COUNTERS_READ)
        made, child = await pages.ledger.write(create_token, parent.account, wanted, 1, parent.token.id)
        page = (await ada.get("/user/tokens")).text
        assert page.count("Tokens that were made with it are revoked, too: a phone.") == 1
        fields = {"id": str(parent.token.id), "confirm": "the build"}
        assert (await ada.fill("/user/tokens", fields, action="/user/tokens/delete")).status_code == 303
        assert await pages.tokens.principal(child) is None
        assert made.name not in (await ada.get("/user/tokens")).text


async def test_of_many_tokens_that_are_revoked_with_one_some_are_named(pages: Pages) -> None:
    async with pages.ada() as ada:
        owner, maker = await the_account(pages), None
        for number in range(24):  # each made with the one before
            wanted = NewToken(name=f"link {number}", permissions=Permission.COUNTERS_READ)
            made, _ = await pages.ledger.write(create_token, owner, wanted, 1, maker)
            maker = made.id
        page = (await ada.get("/user/tokens")).text
        rows = [page.split(f"<strong>link {number}</strong>")[1].split("</li>")[0] for number in range(24)]
        assert "are revoked, too: link 1, link 2, " in rows[0]
        assert "link 20 and 3 more." in rows[0]
        assert "are revoked, too: link 22, link 23." in rows[21]
        assert "revoked, too" not in rows[23]


async def test_a_token_is_shown_once_and_works_until_it_is_revoked(pages: Pages) -> None:
    async with pages.ada() as ada:
        fields = {"name": "the build", "permission": ["2", "64"]}
        secret = shown_once(await ada.fill("/user/tokens", fields))
        principal = await pages.tokens.principal(secret)
        assert principal is not None
        assert principal.token.permissions == Permission.COUNT | Permission.STATS
        assert principal.token.sites == (-1,)
        listed = (await ada.get("/user/tokens")).text
        assert secret not in listed
        assert secret[:8] in listed
        number = {"id": str(principal.token.id)}
        for typed in ("", "the"):
            refused = await ada.fill("/user/tokens", {**number, "confirm": typed}, action="/user/tokens/delete")
            assert refused.status_code == 422
            assert "This is not the name that has to be typed" in refused.text
            assert await pages.tokens.principal(secret) is not None
        answer = await ada.fill("/user/tokens", {**number, "confirm": " the build "}, action="/user/tokens/delete")
        assert answer.status_code == 303
        assert await pages.tokens.principal(secret) is None


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": "", "permission": "2"}, "Name must be set"),
        ({"name": "build"}, "Permissions must be set"),
        ({"name": "build", "permission": "4096"}, "Permissions must be set"),
        ({"name": "build", "permission": "9" * 400}, "Permissions must be set"),
        ({"name": "build", "permission": "2", "site": "77"}, "has no site 77"),
    ],
)
async def test_a_token_that_makes_no_sense_is_not_made(pages: Pages, fields: dict[str, str], told: str) -> None:
    async with pages.ada() as ada:
        answer = await ada.fill("/user/tokens", fields)
        assert answer.status_code == 422
        assert told in answer.text
        assert await pages.ledger.read(tokens_of, (await the_account(pages)).id) == []


async def test_readers_make_tokens_that_read_and_nobody_revokes_others(pages: Pages) -> None:
    async with pages.ada() as ada, pages.ben(ada, access_all="r") as ben:
        secret = shown_once(await ada.fill("/user/tokens", {"name": "build", "permission": "2"}))
        page = (await ben.get("/user/tokens")).text
        assert "Read statistics" in page
        assert "Record pageviews" not in page
        assert (await ben.fill("/user/tokens", {"name": "mine", "permission": "2"})).status_code == 422
        reading = await pages.tokens.principal(
            shown_once(await ben.fill("/user/tokens", {"name": "mine", "permission": "64"}))
        )
        assert reading is not None
        assert reading.token.permissions == Permission.STATS
        principal = await pages.tokens.principal(secret)
        assert principal is not None
        await ben.fill("/user/tokens", {"id": str(principal.token.id)}, action="/user/tokens/delete")
        assert await pages.tokens.principal(secret) is not None


async def test_a_readers_pages_do_not_mislead(pages: Pages) -> None:
    async with pages.ada() as ada, pages.ben(ada, access_all="r") as ben:
        shown = (await ben.get("/sites/1/settings")).text
        assert "You may read this site" in shown
        assert "/api/v0/stats/total" in shown
        assert "Count on your pages" not in shown
        assert "Count on your pages" in (await ada.get("/sites/1/settings")).text
        assert "Tokens for sites are made and used by their admins" not in (await ben.get("/user/tokens")).text


RECENT_MS = 600_000


async def test_a_recent_password_is_needed_for_what_outlives_a_login(pages: Pages) -> None:
    clock = clock_of(pages.ledger)
    async with pages.ada() as ada, pages.visitor() as other:
        await other.log_in()
        page = await ada.get("/user/two-factor")
        assert 'name="current"' not in page.text
        clock.now += RECENT_MS
        page = await ada.get("/user/two-factor")
        secret, token = secret_in(page), token_in(page.text)
        forms = [
            ("/user/two-factor", "/user/two-factor/on", {"secret": secret, "code": code_of(pages, secret)}),
            ("/user/tokens", "/user/tokens", {"name": "build", "permission": "2"}),
            ("/user", "/user/logins", {"login": "others"}),
            ("/people", "/people", {"email": "eve@example.com", "access-all": "r"}),
        ]
        for shown, action, fields in forms:
            assert 'name="current"' in (await ada.get(shown)).text
            for wrong, told in (
                ({}, "it was last given more than ten minutes ago"),
                ({"current": "x"}, "is not right"),
            ):
                answer = await ada.send(action, {"token": token, **fields, **wrong})
                assert answer.status_code == 422, action
                assert told in answer.text
        assert not (await the_account(pages)).totp_enabled
        assert (await other.get("/user")).status_code == 200
        assert await pages.ledger.read(tokens_of, (await the_account(pages)).id) == []
        # Once given it is good for ten minutes more.
        for current in ({"current": PASSWORD}, {}):
            made = await ada.send("/user/tokens", {"token": token, "name": "build", "permission": "2", **current})
            assert made.status_code == 200


async def test_a_new_second_step_logs_every_other_browser_out(pages: Pages) -> None:
    async with pages.ada() as ada, pages.visitor() as other:
        await other.log_in()
        page = await ada.get("/user/two-factor")
        secret = secret_in(page)
        fields = {"token": token_in(page.text), "secret": secret, "code": code_of(pages, secret)}
        assert (await ada.send("/user/two-factor/on", fields)).status_code == 200
        assert (await ada.get("/user")).status_code == 200
        assert (await other.get("/user")).status_code == 303


@pytest.mark.parametrize("revoke", [True, False])
async def test_tokens_are_revoked_with_a_password_if_wanted(pages: Pages, *, revoke: bool) -> None:
    async with pages.ada() as ada, pages.ben(ada, access_all="r") as ben:
        secrets = {
            visitor: shown_once(await visitor.fill("/user/tokens", {"name": "build", "permission": "64"}))
            for visitor in (ada, ben)
        }
        person = await the_account(pages, "ben@example.com")
        chosen = {"revoke": "on"} if revoke else {}
        assert "Also revoke their API tokens" in (await ada.get("/people")).text
        await ada.fill("/people", {"id": str(person.id), **chosen}, action="/people/password")
        own = {"current": PASSWORD, "password": NEW, **chosen}
        assert (await ada.fill("/user", own, action="/user/password")).status_code == 303
        for secret in secrets.values():
            assert (await pages.tokens.principal(secret) is None) is revoke


async def test_the_account_as_data_has_no_secrets(pages: Pages) -> None:
    async with pages.ada() as ada, pages.visitor() as other:
        await other.log_in()
        made = await ada.fill("/user/tokens", {"name": "reports", "permission": ["64", "8"]})
        secret = shown_once(made)
        account, tokens = await ada.get("/user.json"), await ada.get("/user/tokens.json")
        person = await the_account(pages)
        digests = [each.name for each in await pages.ledger.read(logins_of, person.id, clock_of(pages.ledger)())]
        told = account.json()
        assert (told["email"], told["two_factor"]) == ("ada@example.com", False)
        assert sorted(login["this"] for login in told["logins"]) == [False, True]
        (token,) = tokens.json()["tokens"]
        assert (token["name"], token["permissions"], token["sites"]) == ("reports", ["site-read", "stats"], "all")
        assert secret.startswith(token["prefix"])
        assert len(digests) == 2
        for text in (account.text, tokens.text):
            assert secret not in text
            assert not any(digest in text for digest in digests)
