"""Setting up, logging in and going out, without a browser."""

import asyncio
import re
from collections.abc import Callable
from ipaddress import ip_network
from urllib.parse import quote

import httpx
import pyotp
import pytest
from argon2 import PasswordHasher

from support.pages import PASSWORD, Pages, Visitor, clock_of, token_in
from tallystick.ledger import Ledger
from tallystick.services.accounts.accounts import account_by_email, all_accounts, credentials, renew_password
from tallystick.services.accounts.logins import DAY_MS, find_login_session, logins_of
from tallystick.services.accounts.passwords import outdated, password_matches
from tallystick.services.accounts.site_rows import active_sites
from tallystick.services.accounts.two_factor import enable
from tallystick.surfaces.dashboard.support.forms import form_token
from tallystick.web.address import ClientAddresses
from tallystick.web.own_address import OwnAddress
from tallystick.web.rate_limit import Rate

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
STEP_MS = 30_000
PROXIES = ClientAddresses((ip_network("127.0.0.1"),))


def cookies_set(answer: httpx.Response) -> dict[str, str]:
    """Name -> attributes of the cookies that an answer sets and does not take away."""
    set_cookies = [header.partition("=") for header in answer.headers.get_list("set-cookie")]
    return {name: rest for name, _, rest in set_cookies if "Max-Age=0" not in rest}


async def test_the_first_person_gets_everything(pages: Pages) -> None:
    async with pages.ada() as ada:
        assert "stats.example.com" in (await ada.get("/sites")).text
    person = await pages.ledger.read(account_by_email, "ada@example.com")
    (site,) = await pages.ledger.read(active_sites)
    assert person is not None
    assert (person.access, person.site, site.cname) == ({"all": "*"}, site.id, "stats.example.com")


async def test_invented_cookies_take_one_reader_at_most(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    async with pages.ada() as ada:
        await ada.get("/user")
        read, now, most = pages.ledger.read, 0, 0

        async def counted(function: Callable[..., object], *arguments: object) -> object:
            nonlocal now, most
            if function is not find_login_session:
                return await read(function, *arguments)
            now += 1
            most = max(most, now)
            try:
                return await read(function, *arguments)
            finally:
                now -= 1

        monkeypatch.setattr(pages.ledger, "read", counted)

        async def invented(number: int) -> int:
            async with pages.visitor() as visitor:
                visitor.client.cookies.set("tallystick-login", f"invented-{number}")
                return (await visitor.get("/user")).status_code

        assert await asyncio.gather(*(invented(number) for number in range(20))) == [303] * 20
        assert most == 1
        assert (await ada.get("/user")).status_code == 200


@pytest.mark.parametrize("way", ["at the login", "where the password is typed again"])
async def test_a_digest_made_with_parameters_of_the_past_is_renewed_when_its_password_is_typed(
    pages: Pages, way: str
) -> None:
    async with pages.ada() as ada:
        old = PasswordHasher(time_cost=2, memory_cost=64, parallelism=1).hash(PASSWORD)
        person = await pages.ledger.read(credentials, "ada@example.com")
        assert person is not None
        await pages.ledger.write(renew_password, person.account.id, person.password, old)
        if way == "at the login":
            async with pages.visitor() as browser:
                assert (await browser.log_in(password="wrong horse")).status_code == 422
                assert await digest_of_ada(pages) == old
                assert (await browser.log_in()).status_code == 303
        else:
            fields = {"current": PASSWORD}
            assert (await ada.fill("/user", fields, action="/user/two-factor/off")).status_code == 303
        renewed = await digest_of_ada(pages)
        assert not outdated(renewed)
        assert password_matches(renewed, PASSWORD)
        # Who is logged in stays so, and what is of today is left alone.
        assert (await ada.get("/sites")).status_code == 200
        async with pages.visitor() as browser:
            assert (await browser.log_in()).status_code == 303
        assert await digest_of_ada(pages) == renewed


async def test_a_password_that_was_changed_meanwhile_is_not_renewed(pages: Pages) -> None:
    async with pages.ada():
        before = await digest_of_ada(pages)
        person = await pages.ledger.read(account_by_email, "ada@example.com")
        assert person is not None
        await pages.ledger.write(renew_password, person.id, "the digest of another password", "a new digest")
        assert await digest_of_ada(pages) == before


async def digest_of_ada(pages: Pages) -> str:
    found = await pages.ledger.read(credentials, "ada@example.com")
    assert found is not None
    return found.password


@pytest.mark.parametrize("code", ["", "AAAA-AAAA-AAAA-AAAA", "é"])
async def test_nobody_sets_up_without_the_code(pages: Pages, code: str) -> None:
    async with pages.visitor() as visitor:
        answer = await visitor.fill("/setup", pages.first_person(code=code))
    assert answer.status_code == 422
    assert "is not the one in the terminal" in answer.text
    assert await pages.ledger.read(all_accounts) == []


async def test_the_code_may_be_typed_in_any_way(pages: Pages) -> None:
    async with pages.visitor() as visitor:
        typed = f" {pages.setup.code.lower().replace('-', ' ')}"
        assert (await visitor.fill("/setup", pages.first_person(code=typed))).status_code == 303


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"email": "nobody"}, "Email must be a valid email address"),
        ({"password": "short"}, "Password must have 8 to 128 characters"),
        ({"password": "password"}, "Password is one of the 10,000 most common ones"),
        ({"host": "under_score.example.com"}, "must be a valid hostname"),
        ({"name": "a\x00b"}, "Name cannot contain control characters"),
    ],
)
async def test_what_is_wrong_is_told_beside_its_field_and_nothing_is_made(
    pages: Pages, changed: dict[str, str], told: str
) -> None:
    async with pages.visitor() as visitor:
        answer = await visitor.fill("/setup", pages.first_person(**changed))
    assert answer.status_code == 422
    assert told in answer.text
    assert "short" not in answer.text
    assert await pages.ledger.read(all_accounts) == []
    assert await pages.ledger.read(active_sites) == []


async def test_setup_says_everything_that_is_wrong_at_once(pages: Pages) -> None:
    async with pages.visitor() as visitor:
        wrong = {"code": "AAAA", "email": "ada", "name": "x" * 300, "host": "nodots", "password": "short"}
        page = (await visitor.fill("/setup", pages.first_person(**wrong))).text
    for problem in ("is not the one in the terminal", "must be a fully qualified domain name"):
        assert problem in page
    assert page.count('class="problem') >= 5 or page.count("aria-invalid") >= 5


async def test_a_server_is_set_up_once(pages: Pages) -> None:
    async with pages.ada(), pages.visitor() as late:
        page = await late.get("/setup")
        assert "This server is set up" in page.text
        assert 'action="/setup"' not in page.text
        token = token_in((await late.get("/login")).text)
        fields = {"token": token, **pages.first_person(email="eve@example.com")}
        assert "This server is set up" in (await late.send("/setup", fields)).text
    assert len(await pages.ledger.read(all_accounts)) == 1


async def test_of_two_who_set_up_at_once_one_comes_in(pages: Pages) -> None:
    async with pages.visitor() as first, pages.visitor() as second:
        answers = await asyncio.gather(
            first.fill("/setup", pages.first_person()),
            second.fill("/setup", pages.first_person(email="ben@example.com", host="ben.example.com")),
        )
    assert sorted(answer.status_code for answer in answers) == [303, 422]
    assert len(await pages.ledger.read(all_accounts)) == 1


async def test_a_login_gives_a_cookie_that_scripts_and_other_sites_cannot_use(pages: Pages) -> None:
    async with pages.ada(), pages.visitor() as visitor:
        answer = await visitor.log_in()
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        ((name, attributes),) = cookies_set(answer).items()
        assert name == "tallystick-login"
        assert "HttpOnly" in attributes
        assert "SameSite=lax" in attributes
        assert "Path=/" in attributes
        assert "Secure" not in attributes
        assert "Log out" in (await visitor.get("/user")).text


async def test_over_https_the_cookie_goes_nowhere_else(pages: Pages) -> None:
    async with pages.ada(), pages.visitor("https") as visitor:
        answer = await visitor.log_in()
        ((name, attributes),) = cookies_set(answer).items()
        assert name == "__Host-tallystick-login"
        assert "Secure" in attributes
        assert (await visitor.get("/user")).status_code == 200


async def test_behind_a_proxy_the_browser_tells_that_it_speaks_https(pages: Pages) -> None:
    async with pages.ada(), pages.visitor() as visitor:
        fields = {"email": "ada@example.com", "password": PASSWORD}
        answer = await visitor.fill("/login", fields, origin="https://stats.example.com")
        assert list(cookies_set(answer)) == ["__Host-tallystick-login"]


@pytest.mark.parametrize(
    ("own", "headers"),
    [
        (OwnAddress(PROXIES), {"x-forwarded-proto": "https"}),
        (OwnAddress(PROXIES), {"x-forwarded-proto": "https, http", "x-forwarded-host": "public.example"}),
        (OwnAddress(PROXIES), {"forwarded": "proto=https;host=public.example"}),
        (OwnAddress(public_url="https://public.example"), {}),
    ],
)
async def test_behind_a_proxy_that_speaks_https_cookies_are_secure(
    ledger: Ledger, own: OwnAddress, headers: dict[str, str]
) -> None:
    pages = Pages(ledger)
    async with pages.ada():
        pass
    behind = Pages(ledger, own=own)
    async with behind.visitor() as visitor:
        visitor.client.headers.update(headers)
        page = await visitor.get("/login")
        guest = cookies_set(page)
        assert list(guest) == ["__Host-tallystick-guest"]
        # A browser keeps secure cookies of https alone, so this one is carried by hand.
        secret = page.headers["set-cookie"].partition("=")[2].partition(";")[0]
        fields = {"email": "ada@example.com", "password": PASSWORD, "token": token_in(page.text)}
        sent = {"origin": "https://public.example"} if "x-forwarded-host" in headers else {}
        answer = await visitor.send("/login", fields, cookie=f"__Host-tallystick-guest={secret}", **sent)
        ((name, attributes),) = cookies_set(answer).items()
        assert name == "__Host-tallystick-login"
        assert "Secure" in attributes


async def test_a_wrong_password_and_an_unknown_email_are_told_alike(pages: Pages) -> None:
    async with pages.ada(), pages.visitor() as visitor:
        wrong = await visitor.log_in(password="wrong horse")
        unknown = await visitor.log_in(email="eve@example.com")
        assert wrong.status_code == unknown.status_code == 422
        assert "The email or the password is not right." in wrong.text
        assert re.sub(r'(nonce|value)="[^"]*"', "", wrong.text) == re.sub(r'(nonce|value)="[^"]*"', "", unknown.text)
        assert (await visitor.get("/user")).status_code == 303


async def test_each_login_has_a_secret_of_its_own_and_ends_the_one_before(pages: Pages) -> None:
    async with pages.ada() as ada:
        before = ada.client.cookies["tallystick-login"]
        page = (await ada.get("/user")).text
        fields = {"token": token_in(page), "email": "ada@example.com", "password": PASSWORD}
        assert (await ada.send("/login", fields)).status_code == 303
        assert ada.client.cookies["tallystick-login"] != before
        ada.client.cookies.set("tallystick-login", before, domain="stats.example.com")
        assert (await ada.get("/user")).status_code == 303


async def test_who_logs_out_is_out(pages: Pages) -> None:
    async with pages.ada() as ada:
        secret = ada.client.cookies["tallystick-login"]
        answer = await ada.fill("/user", {}, action="/logout")
        assert answer.headers["location"] == "/login?done=logout"
        assert "tallystick-login" not in ada.client.cookies
        ada.client.cookies.set("tallystick-login", secret, domain="stats.example.com")
        assert (await ada.get("/user")).status_code == 303


@pytest.mark.parametrize(
    "path", ["/user", "/user/tokens", "/user/two-factor", "/sites", "/sites/1/settings", "/people"]
)
async def test_a_guest_is_asked_to_log_in_and_comes_back(pages: Pages, path: str) -> None:
    async with pages.ada(), pages.visitor() as visitor:
        answer = await visitor.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={path}")
        fields = {"email": "ada@example.com", "password": PASSWORD, "next": path}
        assert (await visitor.fill(f"/login?next={path}", fields, action="/login")).headers["location"] == path


@pytest.mark.parametrize("path", ["/user/password", "/user/tokens", "/sites", "/sites/1/delete", "/people/remove"])
async def test_a_guest_changes_nothing(pages: Pages, path: str) -> None:
    async with pages.ada(), pages.visitor() as visitor:
        answer = await visitor.fill("/login", {}, action=path)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={path}")


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/%0d%0ax"]
)
async def test_nobody_is_led_elsewhere_after_logging_in(pages: Pages, elsewhere: str) -> None:
    async with pages.ada(), pages.visitor() as visitor:
        fields = {"email": "ada@example.com", "password": PASSWORD, "next": elsewhere}
        page = await visitor.get(f"/login?next={quote(elsewhere)}")
        assert 'name="next" value="/"' in page.text
        assert (await visitor.fill("/login", fields)).headers["location"] == "/"


async def test_attempts_are_limited_by_address(ledger: Ledger) -> None:
    pages = Pages(ledger, [Rate("login", 4, 60)])
    async with pages.ada(), pages.visitor() as visitor:
        statuses = [(await visitor.log_in(password="wrong horse")).status_code for _ in range(4)]
        refused = await visitor.log_in()
    assert statuses == [422, 422, 422, 429]
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert "Too many attempts" in refused.text


async def test_a_network_of_ipv6_is_one_address(ledger: Ledger) -> None:
    pages = Pages(ledger, [Rate("login", 2, 60)])
    statuses = []
    for number in range(12):
        transport = httpx.ASGITransport(pages.app, client=(f"2001:db8:0:{number:x}::1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://stats.example.com") as client:
            statuses.append((await Visitor(client).log_in(email=f"n{number}@example.com")).status_code)
    assert statuses == [422] * 8 + [429] * 4


async def test_guesses_at_one_account_are_slowed_down_wherever_they_come_from(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async def guess(number: int, email: str = "ada@example.com") -> int:
        transport = httpx.ASGITransport(pages.app, client=(f"198.51.100.{number}", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://stats.example.com") as client:
            return (await Visitor(client).log_in(email, "wrong horse")).status_code

    async with pages.ada() as ada:
        monkeypatch.setattr("tallystick.surfaces.dashboard.entry.login.asyncio.sleep", sleep)
        statuses = [await guess(number) for number in range(40)]
        assert statuses[:10] == [422] * 10
        assert waited == sorted(waited)
        assert 0 < len(waited) < 10
        assert statuses[-1] == 429
        assert await guess(1, "ben@example.com") == 422
        # From where the person has logged in before, nothing waits.
        waits = len(waited)
        assert (await ada.fill("/user", {}, action="/logout")).status_code == 303
        assert (await ada.log_in()).status_code == 303
        assert len(waited) == waits


async def test_over_https_a_cookie_that_any_neighbour_can_set_is_not_believed(pages: Pages) -> None:
    async with pages.ada() as ada, pages.visitor() as http, pages.visitor("https") as https:
        secret = ada.client.cookies["tallystick-login"]
        for visitor in (http, https):
            visitor.client.cookies.set("tallystick-login", secret, domain="stats.example.com")
        assert (await http.get("/user")).status_code == 200
        assert (await https.get("/user")).status_code == 303
        # Behind a proxy that ends TLS and does not say so, forms name their origin.
        answer = await http.fill("/user", {"name": "Eve"}, action="/user/name", origin="https://stats.example.com")
        assert answer.headers["location"] == "/login?next=/user/name"
        https.client.cookies.set("__Host-tallystick-login", secret, domain="stats.example.com")
        assert (await https.get("/user")).status_code == 200


@pytest.mark.parametrize(("name", "status"), [("tallystick-guest", 403), ("__Host-tallystick-guest", 303)])
async def test_over_https_forms_of_guests_rest_on_the_prefixed_cookie(pages: Pages, name: str, status: int) -> None:
    async with pages.ada(), pages.visitor("https") as visitor:
        fields = {"email": "ada@example.com", "password": PASSWORD, "token": form_token("chosen by a neighbour")}
        visitor.client.cookies.set(name, "chosen by a neighbour", domain="stats.example.com")
        assert (await visitor.send("/login", fields)).status_code == status


async def test_an_unused_login_ends_and_a_used_one_is_noted_once_an_hour(pages: Pages) -> None:
    clock = clock_of(pages.ledger)
    async with pages.ada() as ada:
        person = await pages.ledger.read(account_by_email, "ada@example.com")
        assert person is not None
        begun = clock.now
        for minutes, noted in ((59, 0), (60, 60), (61, 60)):
            clock.now = begun + minutes * 60_000
            assert (await ada.get("/user")).status_code == 200
            (login,) = await pages.ledger.read(logins_of, person.id, clock.now)
            assert login.seen == begun + noted * 60_000
        clock.now += 31 * DAY_MS
        assert (await ada.get("/user")).status_code == 303


async def with_second_step(pages: Pages) -> list[str]:
    """Turn Ada's second step on; her recovery codes. The app's next code is good one step later."""
    person = await pages.ledger.read(account_by_email, "ada@example.com")
    assert person is not None
    clock = clock_of(pages.ledger)
    codes: list[str] = await pages.ledger.write(enable, person.id, SECRET, code_now(pages), clock.now, pages.seals)
    clock.now += STEP_MS
    return codes


def code_now(pages: Pages) -> str:
    return pyotp.TOTP(SECRET).at(clock_of(pages.ledger).now // 1000)


def step_fields(page: httpx.Response, code: str) -> dict[str, str]:
    found = re.search(r'name="proof" value="([^"]+)"', page.text)
    assert found, page.text
    return {"token": token_in(page.text), "proof": found[1], "code": code, "next": "/people"}


async def test_with_a_second_step_the_password_alone_lets_nobody_in(pages: Pages) -> None:
    async with pages.ada(), pages.visitor() as visitor:
        await with_second_step(pages)
        page = await visitor.log_in()
        assert page.status_code == 200
        assert "tallystick-login" not in visitor.client.cookies
        wrong = await visitor.send("/login/code", step_fields(page, "000000"))
        assert wrong.status_code == 422
        answer = await visitor.send("/login/code", step_fields(wrong, code_now(pages)))
        assert (answer.status_code, answer.headers["location"]) == (303, "/people")
        assert (await visitor.get("/user")).status_code == 200


async def test_a_recovery_code_lets_in_once(pages: Pages) -> None:
    async with pages.ada():
        code = (await with_second_step(pages))[0]
        for status in (303, 422):
            async with pages.visitor() as visitor:
                page = await visitor.log_in()
                assert (await visitor.send("/login/code", step_fields(page, code))).status_code == status


async def test_codes_cannot_be_guessed(pages: Pages) -> None:
    async with pages.ada():
        await with_second_step(pages)
        statuses = []
        for _ in range(6):  # as many browsers: the limit is the account's
            async with pages.visitor() as visitor:
                page = await visitor.log_in()
                statuses.append((await visitor.send("/login/code", step_fields(page, "000000"))).status_code)
        assert statuses == [422] * 5 + [429]


async def test_who_knows_the_password_cannot_lock_the_second_step(pages: Pages) -> None:
    async with pages.ada():
        code = (await with_second_step(pages))[0]
        transport = httpx.ASGITransport(pages.app, client=("198.51.100.7", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://stats.example.com") as client:
            eve = Visitor(client)
            page = await eve.log_in()
            for _ in range(6):
                refused = await eve.send("/login/code", step_fields(page, "000000"))
            assert refused.status_code == 429
            # A recovery code is not guessed in a lifetime: it has no part in the limit.
            wrong = await eve.send("/login/code", step_fields(page, "aaaa-bbbb-cccc-dddd"))
            assert wrong.status_code == 422
            assert (await eve.send("/login/code", step_fields(page, code))).status_code == 303
        async with pages.visitor() as ada:  # from where she has logged in before
            page = await ada.log_in()
            assert (await ada.send("/login/code", step_fields(page, code_now(pages)))).status_code == 303


async def test_without_the_first_step_there_is_no_second(pages: Pages) -> None:
    async with pages.ada(), pages.visitor() as visitor:
        await with_second_step(pages)
        fields = {"proof": "ada@example.com 9999999999999 " + "0" * 64, "code": code_now(pages)}
        answer = await visitor.fill("/login", fields, action="/login/code")
        assert answer.status_code == 422
        assert "Please log in again." in answer.text
        assert (await visitor.get("/user")).status_code == 303
