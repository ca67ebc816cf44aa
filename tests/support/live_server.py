"""A server process with people who share counters, and real clients of its live connections."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect

from support.server import RunningServer, running_server
from tallystick.ledger import open_database
from tallystick.ledger.ledger import milliseconds
from tallystick.model.account import Account, Permission
from tallystick.services.accounts.accounts import NewAccount, create_account
from tallystick.services.accounts.tokens import NewToken, create_token

TOLD_WITHIN_S = 10.0
BOTH = Permission.COUNTERS_READ | Permission.COUNTERS_WRITE


class Person:
    """Somebody with a token.

    Attributes:
        uid: what others know the person by.
    """

    def __init__(self, server: "LiveServer", account: Account, token: str) -> None:
        self._server, self.account, self.token = server, account, token
        self.uid = account.uid
        self.headers = {"authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, json: object = None, **options: Any) -> httpx.Response:
        """Send one request."""
        options.setdefault("headers", self.headers)
        return self._server.http.request(method, f"{self._server.url}{path}", json=json, **options)

    def new_counter(self, name: str = "Visitors", kind: str = "UpDown", **data: Any) -> str:
        """The id of a new counter."""
        answer = self.ask("POST", "/v1/counters", {"displayName": name, "type": kind, "data": data or None})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def increment(self, counter: str, amount: int = 1) -> int:
        """Count; the new value."""
        answer = self.ask("POST", f"/v2/counters/{counter}/increment/{amount}")
        assert answer.status_code == 200, answer.text
        return int(answer.json())

    def share(self, counter: str, other: "Person") -> None:
        """Let somebody in."""
        code = self.ask("POST", f"/v1/counters/{counter}/invites", {"role": "member"}).json()["code"]
        assert other.ask("POST", f"/v1/invites/{code}/accept").status_code == 200


class LiveServer:
    """A server.

    Attributes:
        url: where it listens.
        sockets_url: the same, for WebSockets.
    """

    def __init__(self, server: RunningServer) -> None:
        self.server, self.url, self.data = server, server.url, server.data
        self.sockets_url = self.url.replace("http://", "ws://")
        self.http = httpx.Client(timeout=30)
        self._people = 0

    def person(self, name: str = "Ada", permissions: Permission = BOTH) -> Person:
        """Somebody new."""
        self._people += 1
        wanted = NewAccount(email=f"person{self._people}@example.com", password="none", name=name, access={})
        token = NewToken(name="a phone", permissions=int(permissions), sites=())
        database = open_database(self.server.database, self.data)
        with closing(database.session(writes=True)) as session, session.transaction():
            account = create_account(session, wanted, milliseconds())
            secret = create_token(session, account, token, milliseconds())[1]
        return Person(self, account, secret)

    @asynccontextmanager
    async def socket(
        self,
        person: Person | None = None,
        path: str = "/v1/ws",
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
        origin: Any = None,
        **options: Any,
    ) -> AsyncIterator[ClientConnection]:
        """A WebSocket of the ``websockets`` client."""
        sent = {**(person.headers if person else {}), **headers}
        async with connect(
            f"{self.sockets_url}{path}", additional_headers=sent, origin=origin, proxy=None, **options
        ) as socket:
            yield socket


@contextmanager
def live_server(data: Path, *options: str, **arguments: Any) -> Iterator[LiveServer]:
    """Start a server without limits."""
    arguments.setdefault("rate_limit", "off")
    limit = arguments.pop("rate_limit")
    with running_server(data, "--rate-limit", limit, *options, **arguments) as server:
        running = LiveServer(server)
        with closing(running.http):
            yield running


async def frame(socket: ClientConnection) -> dict[str, Any]:
    """The next message, as JSON; it must come soon."""
    async with asyncio.timeout(TOLD_WITHIN_S):
        told: dict[str, Any] = msgspec.json.decode(await socket.recv(decode=True))
    return told
