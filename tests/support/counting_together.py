"""People who share counters, and ways for them to ask: their surface in this process, over a ledger of its own."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from support.asking import Answer
from support.in_process import Asgi, Clock
from support.people import a_token
from support.prepared import copy_migrated_ledger
from support.services import services_over
from support.sharing import someone
from tallystick.app import kit_of
from tallystick.ledger import Ledger, open_database
from tallystick.model.account import Account, Permission
from tallystick.services.services import Services
from tallystick.settings import Settings
from tallystick.surfaces.counttogether.routes import CountTogether
from tallystick.tasks import BackgroundTasks
from tallystick.web.rate_limit import Rate

READ, WRITE = Permission.COUNTERS_READ, Permission.COUNTERS_WRITE
UNLIMITED = (Rate("", None, 0),)


class Person:
    """Someone with a token.

    Attributes:
        token: a secret that may read and write counters.
        userid: what others know the person by.
    """

    def __init__(self, running: Asgi, account: Account, token: str) -> None:
        self._running, self.account, self.token = running, account, token
        self.userid = account.uid

    async def ask(
        self,
        method: str,
        target: str,
        json: object = None,
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
        token: str = "",
    ) -> Answer:
        """Send one request; bytes are sent as they are, None sends no body."""
        sent = {"authorization": f"Bearer {token or self.token}", **headers}
        body = json if json is None or isinstance(json, bytes) else msgspec.json.encode(json)
        return await self._running.ask(target, method=method, headers=sent.items(), body=body)

    async def new_counter(self, name: str = "Visitors", type_: str = "UpDown", **data: Any) -> str:
        """The id of a new counter."""
        answer = await self.ask("POST", "/v1/counters", {"displayName": name, "type": type_, "data": data})
        assert answer.status == 201, answer.text
        return str(answer.json()["id"])

    async def invite(self, counter: str, other: "Person", role: str = "member") -> None:
        """Have somebody share a counter."""
        invited = await self.ask("POST", f"/v1/counters/{counter}/invites", {"role": "member"})
        accepted = await other.ask("POST", f"/v1/invites/{invited.json()['code']}/accept")
        assert accepted.status == 200, accepted.text
        given = await self.ask("PATCH", f"/v1/counters/{counter}/members/{other.userid}", {"role": role})
        assert given.status == 200, given.text


class Together:
    """The surface, and people of it.

    Attributes:
        running: takes requests of anybody.
        clock: of the ledger; stands still until it is moved.
        data: where the ledger lies.
    """

    def __init__(self, services: Services, clock: Clock, settings: Settings) -> None:
        self.surface = CountTogether(services, kit_of(settings))
        self.services, self.ledger = services, services.ledger
        self.running, self.clock, self.data = Asgi(self.surface.http), clock, settings.data

    async def person(self, name: str = "Ada", permissions: Permission = READ | WRITE) -> Person:
        """Somebody new."""
        account = await someone(self.ledger, name)
        return Person(self.running, account, await a_token(self.ledger, account, permissions))

    async def token(self, person: Person, permissions: Permission) -> str:
        """Another token of somebody's."""
        return await a_token(self.ledger, person.account, permissions)


@asynccontextmanager
async def counting_together(data: Path, **settings: Any) -> AsyncIterator[Together]:
    """Open a ledger and the surface; limits are off unless ``rate_limit`` says otherwise."""
    settings.setdefault("rate_limit", UNLIMITED)
    chosen, clock = Settings(data=data, **settings), Clock()
    copy_migrated_ledger(data)
    ledger = await Ledger.open(open_database(None, data), clock)
    services = services_over(ledger, hide_foreign=chosen.hide_foreign_counters)
    services.following.start()
    try:
        async with BackgroundTasks(services.following.tasks()):
            yield Together(services, clock, chosen)
    finally:
        await services.following.close()
        await ledger.close()
