"""Who may open a WebSocket, and how."""

import asyncio
from typing import Any

import msgspec
import pytest
from websockets.exceptions import InvalidStatus

from support.live_server import LiveServer, Person, frame
from tallystick.model.account import Permission

PAGE: Any = "https://page.example"
"""The client's types know origins from other texts."""


async def denied(server: LiveServer, *arguments: Any, **options: Any) -> tuple[int, dict[str, Any]]:
    """The status, and the body with the headers in it, of what is answered in the place of 101."""
    with pytest.raises(InvalidStatus) as refused:
        async with server.socket(*arguments, **options):
            pass
    response = refused.value.response
    body = msgspec.json.decode(response.body or b"{}")
    assert response.headers["access-control-allow-origin"] == "*"
    return response.status_code, {**body, **{name.lower(): value for name, value in response.headers.raw_items()}}


async def a_person(server: LiveServer, **options: Any) -> Person:
    return await asyncio.to_thread(server.person, **options)


async def a_ticket(person: Person, origin: str | None = None, **headers: str) -> str:
    body = None if origin is None else {"origin": origin}
    answer = await asyncio.to_thread(person.ask, "POST", "/v1/ws/tickets", body, headers={**person.headers, **headers})
    assert (answer.status_code, answer.json()["expiresIn"]) == (201, 60)
    return str(answer.json()["ticket"])


async def is_told(server: LiveServer, person: Person, path: str, **options: Any) -> bool:
    counter = await asyncio.to_thread(person.new_counter)
    async with server.socket(path=path, **options) as socket:
        await asyncio.to_thread(person.increment, counter)
        return bool((await frame(socket))["params"]["counterId"] == counter)


async def test_without_a_token(server: LiveServer) -> None:
    status, told = await denied(server)
    assert (status, told["code"], told["www-authenticate"]) == (401, -1401, 'Bearer realm="counttogether"')


async def test_with_an_unknown_token(server: LiveServer) -> None:
    status, told = await denied(server, headers={"authorization": "Bearer unknown"})
    assert (status, told["name"]) == (401, "Unauthorized")
    assert 'error="invalid_token"' in told["www-authenticate"]


@pytest.mark.parametrize("name", ["token", "access_token"])
async def test_with_a_token_in_the_url(server: LiveServer, name: str) -> None:
    ada = await a_person(server)
    status, told = await denied(server, ada, path=f"/v1/ws?{name}={ada.token}")
    assert status == 401
    assert "logs" in told["message"]


async def test_with_a_token_that_may_not_read_counters(server: LiveServer) -> None:
    ada = await a_person(server, permissions=Permission.COUNTERS_WRITE)
    status, told = await denied(server, ada)
    assert (status, told["code"]) == (403, -1403)
    assert 'error="insufficient_scope"' in told["www-authenticate"]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/other", 404), ("/v1/ws?timezone=Nowhere", 400), ("/v1/ws?epoch=a&offset=x", 400)],
)
async def test_of_what_is_not_there(server: LiveServer, path: str, status: int) -> None:
    ada = await a_person(server)
    assert (await denied(server, ada, path=path))[0] == status


@pytest.mark.parametrize("path", ["/v1/ws/", "/v2/ws?timezone=Asia/Tokyo"])
async def test_addresses_that_are_there(server: LiveServer, path: str) -> None:
    ada = await a_person(server)
    assert await is_told(server, ada, path, headers=ada.headers)


async def test_a_request_that_is_no_upgrade(server: LiveServer) -> None:
    ada = await a_person(server)
    url = server.url
    answer = await asyncio.to_thread(server.http.get, f"{url}/v1/ws", headers=ada.headers)
    assert (answer.status_code, answer.json()["code"], answer.headers["upgrade"]) == (426, -1426, "websocket")


async def test_a_ticket_for_the_page_that_asked_for_it(server: LiveServer) -> None:
    ada = await a_person(server)
    ticket = await a_ticket(ada, Origin=PAGE)
    assert await is_told(server, ada, f"/v1/ws?ticket={ticket}", origin=PAGE)
    status, told = await denied(server, path=f"/v1/ws?ticket={ticket}", origin=PAGE)
    assert status == 401, "it was good once"
    assert "ticket" in told["message"]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://page.example:443", "https://page.example"),
        ("http://page.example:80/", "http://page.example"),
        ("https://B\u00fccher.example", "https://xn--bcher-kva.example"),
        ("HTTPS://PAGE.EXAMPLE:8443", "https://page.example:8443"),
    ],
)
async def test_a_ticket_for_an_origin_in_another_form(server: LiveServer, written: str, sent: Any) -> None:
    ada = await a_person(server)
    ticket = await a_ticket(ada, written)
    assert await is_told(server, ada, f"/v1/ws?ticket={ticket}", origin=sent)


async def test_a_ticket_for_another_page(server: LiveServer) -> None:
    ada = await a_person(server)
    ticket = await a_ticket(ada, PAGE)
    assert await is_told(server, ada, f"/v2/ws?ticket={ticket}", origin=PAGE)


@pytest.mark.parametrize("origin", ["https://evil.example", "http://page.example", None])
async def test_a_ticket_at_the_wrong_page_is_spent(server: LiveServer, origin: Any) -> None:
    ada = await a_person(server)
    ticket = await a_ticket(ada, PAGE)
    assert (await denied(server, path=f"/v1/ws?ticket={ticket}", origin=origin))[0] == 403
    assert (await denied(server, path=f"/v1/ws?ticket={ticket}", origin=PAGE))[0] == 401


async def test_a_ticket_without_an_origin_is_for_the_servers_own_pages(server: LiveServer) -> None:
    ada = await a_person(server)
    own: Any = server.url
    path = f"/v1/ws?ticket={await a_ticket(ada)}"
    assert await is_told(server, ada, path, origin=own)
    path = f"/v1/ws?ticket={await a_ticket(ada)}"
    assert (await denied(server, path=path, origin=PAGE))[0] == 403


async def test_a_program_that_is_no_page_uses_a_ticket_without_an_origin(server: LiveServer) -> None:
    ada = await a_person(server)
    path = f"/v1/ws?ticket={await a_ticket(ada)}"
    assert await is_told(server, ada, path)
    assert (await denied(server, path=path))[0] == 401, "it was good once"


async def test_a_ticket_of_a_token_that_was_revoked(server: LiveServer) -> None:
    ada = await a_person(server)
    ticket = await a_ticket(ada, PAGE)
    number = (await asyncio.to_thread(ada.ask, "GET", "/v1/tokens")).json()[0]["id"]
    await asyncio.to_thread(ada.ask, "DELETE", f"/v1/tokens/{number}")
    assert (await denied(server, path=f"/v1/ws?ticket={ticket}", origin=PAGE))[0] == 401


@pytest.mark.parametrize("origin", ["null", "page.example", "https://", "https://page.example/path", "ftp://x.example"])
async def test_a_ticket_for_what_is_no_origin(server: LiveServer, origin: str) -> None:
    ada = await a_person(server)
    answer = await asyncio.to_thread(ada.ask, "POST", "/v1/ws/tickets", {"origin": origin})
    assert (answer.status_code, answer.json()["code"]) == (400, -2000)


async def test_a_browser_may_say_who_it_is_first(server: LiveServer) -> None:
    ada = await a_person(server)
    counter = await asyncio.to_thread(ada.new_counter)
    async with server.socket(path="/v2/ws?offset=0", origin=PAGE) as socket:
        params = {"token": ada.token}
        await socket.send(
            msgspec.json.encode({"jsonrpc": "2.0", "method": "authenticate", "params": params, "id": 7}).decode()
        )
        assert await frame(socket) == {"jsonrpc": "2.0", "id": 7, "result": True}
        assert (await frame(socket))["method"] == "connected"
        await asyncio.to_thread(ada.increment, counter)
        assert (await frame(socket))["params"]["counterId"] == counter


FIRST = [
    ('{"method":"authenticate","params":{"token":"unknown"},"id":1}', 4401),
    ('{"method":"authenticate","params":{}}', 4400),
    ('{"method":"counters","id":1}', 4400),
    ("ping", 4400),
    (b"ping", 4400),
]


@pytest.mark.parametrize(("message", "code"), FIRST)
async def test_what_else_is_said_first_closes(server: LiveServer, message: str | bytes, code: int) -> None:
    async with server.socket(origin=PAGE) as socket:
        await socket.send(message)
        await socket.wait_closed()
    assert socket.close_code == code


@pytest.mark.parametrize(
    ("header", "status", "said"),
    [
        ("Sec-WebSocket-Key", 400, "missing Sec-WebSocket-Key header"),
        ("Sec-WebSocket-Version", 426, "missing Sec-WebSocket-Version header"),
    ],
)
async def test_a_handshake_that_is_not_valid(server: LiveServer, header: str, status: int, said: str) -> None:
    ada = await a_person(server)
    sent = {
        **ada.headers,
        "connection": "upgrade",
        "upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    del sent[header]
    answer = await asyncio.to_thread(server.http.get, f"{server.url}/v1/ws", headers=sent)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, "*")
    assert answer.json()["message"] == f"this WebSocket cannot be opened: {said}"
