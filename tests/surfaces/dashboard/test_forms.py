"""No other site sends forms in a person's name, and no form is too large."""

from collections.abc import MutableMapping
from typing import Any

import pytest
import structlog

from support.pages import PASSWORD, Pages
from tallystick.services.accounts.accounts import account_by_email

PEOPLES_PAGES = (
    "/setup",
    "/login",
    "/user",
    "/user/two-factor",
    "/user/tokens",
    "/sites",
    "/sites/1/settings",
    "/people",
)


async def name_of_ada(pages: Pages) -> str:
    person = await pages.ledger.read(account_by_email, "ada@example.com")
    assert person is not None
    return person.name


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"origin": "http://stats.example.com"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "http://stats.example.com"}, False),
    ],
)
async def test_a_form_comes_from_our_own_pages(pages: Pages, headers: dict[str, str], accepted: bool) -> None:  # noqa: FBT001
    async with pages.ada() as ada:
        answer = await ada.fill("/user", {"name": "Changed"}, action="/user/name", **headers)
    assert answer.status_code == (303 if accepted else 403)
    assert await name_of_ada(pages) == ("Changed" if accepted else "")


@pytest.mark.parametrize("token", ["", "0", "00", "0" * 64, "0" * 128, "0" * 192, "é", "é" * 128])
async def test_a_form_without_its_token_changes_nothing(pages: Pages, token: str) -> None:
    async with pages.ada() as ada:
        answer = await ada.send("/user/name", {"token": token, "name": "Changed"})
    assert answer.status_code == 403
    assert "This form was not accepted" in answer.text
    assert await name_of_ada(pages) == ""


async def test_each_page_has_another_token_and_all_are_accepted(pages: Pages) -> None:
    async with pages.ada() as ada:
        shown = [(await ada.get("/user")).text for _ in range(2)]
        tokens = {page.split('name="token" value="')[1].split('"')[0] for page in shown}
        halves = {token[place : place + 64] for token in tokens for place in (0, 64)}
        assert (len(tokens), len(halves)) == (2, 4)
        for number, token in enumerate(sorted(tokens)):
            assert (await ada.send("/user/name", {"token": token, "name": f"Ada {number}"})).status_code == 303
            assert await name_of_ada(pages) == f"Ada {number}"
            assert (await ada.send("/user/name", {"token": token[:-1] + "_", "name": "Changed"})).status_code == 403
            last = format(int(token[-1], 16) ^ 1, "x")
            assert (await ada.send("/user/name", {"token": token[:-1] + last, "name": "Changed"})).status_code == 403
    assert await name_of_ada(pages) == "Ada 1"


async def test_a_token_is_good_in_one_browser_only(pages: Pages) -> None:
    async with pages.ada() as ada, pages.visitor() as other, pages.visitor() as third:
        await other.log_in()
        page = (await other.get("/user")).text
        token = page.split('name="token" value="')[1].split('"')[0]
        assert (await ada.send("/user/name", {"token": token, "name": "Changed"})).status_code == 403
        fields = {"token": token, "email": "ada@example.com", "password": PASSWORD}
        assert (await third.send("/login", fields)).status_code == 403


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b'{"name": "Changed"}', 415),
        ("text/plain", b"name=Changed", 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("application/x-www-form-urlencoded", b"name=" + b"a" * 65_536, 413),
        ("application/x-www-form-urlencoded", b"a&" * 3_000, 413),
        ("application/x-www-form-urlencoded", b"\xff%ff&=&&%", 403),
        ("application/x-www-form-urlencoded", b"", 403),
    ],
)
async def test_what_is_no_form_of_ours_is_refused(pages: Pages, content_type: str, body: bytes, status: int) -> None:
    async with pages.ada() as ada:
        answer = await ada.client.post("/user/name", content=body, headers={"content-type": content_type})
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]


async def test_pages_for_one_person_are_kept_by_nobody(pages: Pages) -> None:
    nonces = set()
    async with pages.ada() as ada:
        for path in PEOPLES_PAGES[2:]:
            answer = await ada.get(path)
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "private, no-store"
            assert answer.headers["referrer-policy"] == "same-origin"
            nonces.add(answer.headers["content-security-policy"].partition("'nonce-")[2].partition("'")[0])
    assert len(nonces) == len(PEOPLES_PAGES) - 2


async def test_the_policy_lets_only_scripts_with_the_pages_nonce_run(pages: Pages) -> None:
    async with pages.visitor() as visitor:
        for path in ("/", "/docs", "/login", "/setup"):
            answer = await visitor.get(path)
            policy = answer.headers["content-security-policy"]
            nonce = policy.partition("'nonce-")[2].partition("'")[0]
            assert f"script-src 'nonce-{nonce}';" in policy
            assert answer.text.count("<script") == answer.text.count(f'nonce="{nonce}"') > 0


async def test_text_that_people_typed_is_escaped(pages: Pages) -> None:
    markup = "<b>\"'&"
    async with pages.ada() as ada:
        await ada.fill("/user", {"name": markup}, action="/user/name")
        for path in ("/user", "/people", "/sites", "/docs"):
            text = (await ada.get(path)).text
            assert markup not in text
            assert "&lt;b&gt;" in text


async def test_when_nothing_can_be_read_people_are_told_to_come_back(pages: Pages) -> None:
    async with pages.ada() as ada:
        await pages.ledger.close()
        answer = await ada.get("/user")
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "Not possible just now" in answer.text
        assert (await ada.get("/")).status_code == 200


@pytest.mark.parametrize("path", ["/login", "/setup", "/user/name", "/user/tokens", "/people"])
async def test_a_form_that_is_aborted_is_no_fault_of_the_server(pages: Pages, path: str) -> None:
    async with pages.ada() as ada:
        cookie = f"tallystick-login={ada.client.cookies['tallystick-login']}"
    begun: dict[str, object] = {"type": "http.request", "body": b"name=", "more_body": True}
    ended: dict[str, object] = {"type": "http.disconnect"}
    messages = iter([begun, ended])
    statuses: list[int] = []

    async def receive() -> dict[str, object]:
        return next(messages)

    async def send(message: MutableMapping[str, Any]) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    headers = {"host": "stats.example.com", "content-type": "application/x-www-form-urlencoded", "cookie": cookie}
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("192.0.2.1", 1),
    }
    with structlog.testing.capture_logs() as logs:
        await pages.app(scope, receive, send)
    assert statuses == [400]
    assert [line for line in logs if line["log_level"] not in ("debug", "info")] == []


@pytest.mark.parametrize("path", ["/", "/login", "/docs", "/user", "/sites", "/admin/people"])
async def test_a_query_that_takes_long_to_decode_is_refused(pages: Pages, path: str) -> None:
    async with pages.ada() as ada:
        assert (await ada.get(f"{path}?done=name&more={'x' * 8_000}")).status_code < 400
        for query in ("%" * 60_000, "done=name&" * 1_000):
            answer = await ada.get(f"{path}?{query}")
            assert (answer.status_code, "That address is too long" in answer.text) == (414, True)
            assert (await ada.get(f"{path}?{query}", accept="*/*")).json() == {"error": "That address is too long."}
