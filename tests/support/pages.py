"""A person at the pages, without a browser: keeps cookies, and fills in forms as they are shown."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
from msgspec.structs import replace

from support.analytics import Analytics
from support.ledgers import Clock
from support.services import a_kit, services_over
from tallystick.ledger import Ledger
from tallystick.services.accounts.logins import begin_login, new_secret, secret_digest
from tallystick.surfaces.dashboard.live.streams import LiveStreams
from tallystick.surfaces.dashboard.routes import dashboard
from tallystick.surfaces.dashboard.support.cookies import LOGIN
from tallystick.web.own_address import OwnAddress
from tallystick.web.rate_limit import Rate

PASSWORD = "correct horse"
HOST = "stats.example.com"

Fields = Mapping[str, str | Sequence[str]]


class Visitor:
    """One browser."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Look at a page."""
        return await self.client.get(path, headers={"accept": "text/html", **headers})

    async def fill(self, page: str, fields: Fields, *, action: str | None = None, **headers: str) -> httpx.Response:
        """Look at a page and send one of its forms.

        Args:
            action: where the form goes; to the page's own address unless it is given.
        """
        shown = (await self.get(page)).text
        return await self.send(action or page, {"token": token_in(shown), **fields}, **headers)

    async def send(self, path: str, fields: Fields, **headers: str) -> httpx.Response:
        """Send a form."""
        return await self.client.post(path, data=dict(fields), headers={"accept": "text/html", **headers})

    async def log_in(self, email: str = "ada@example.com", password: str = PASSWORD) -> httpx.Response:
        """Take the first step."""
        return await self.fill("/login", {"email": email, "password": password})


class Pages:
    """The pages' application on a ledger."""

    def __init__(
        self,
        ledger: Ledger,
        rates: Sequence[Rate] = (Rate("login", None, 0),),
        own: OwnAddress | None = None,
        **settings: Any,
    ) -> None:
        services, kit = services_over(ledger), a_kit(rate_limit=tuple(rates), **settings)
        self.ledger, self.setup, self.tokens, self.seals = ledger, services.setup, services.tokens, services.seals
        self.kit, self.logouts = kit, services.logouts
        self.app: Any = dashboard(services, kit if own is None else replace(kit, own=own), LiveStreams())

    @asynccontextmanager
    async def visitor(self, scheme: str = "http") -> AsyncIterator[Visitor]:
        """A browser that has never been here."""
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://{HOST}") as client:
            yield Visitor(client)

    @asynccontextmanager
    async def ada(self) -> AsyncIterator[Visitor]:
        """The browser of who has set up the server, and may do everything."""
        async with self.visitor() as ada:
            answer = await ada.fill("/setup", self.first_person())
            assert answer.status_code == 303, answer.text
            yield ada

    @asynccontextmanager
    async def ben(self, ada: Visitor, **access: str) -> AsyncIterator[Visitor]:
        """The browser of a person whom Ada has added; ``access_all="r"`` is the field ``access-all``."""
        fields = {name.replace("_", "-"): letter for name, letter in access.items()}
        answer = await ada.fill("/people", {"email": "ben@example.com", **fields})
        async with self.visitor() as ben:
            assert (await ben.log_in("ben@example.com", shown_once(answer))).status_code == 303
            yield ben

    def first_person(self, **changed: str) -> dict[str, str]:
        """What is filled in at /setup."""
        usual = {"code": self.setup.code, "email": "ada@example.com", "password": PASSWORD, "host": HOST}
        return usual | changed


@asynccontextmanager
async def owner(analytics: Analytics) -> AsyncIterator[Visitor]:
    """The browser of the owner of a site in the whole application."""
    secret = new_secret()
    await analytics.services.ledger.write(
        begin_login, analytics.prepared.account.id, secret_digest(secret), analytics.clock()
    )
    transport = httpx.ASGITransport(analytics.running.application)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}", cookies={LOGIN: secret}) as client:
        yield Visitor(client)


def token_in(page: str) -> str:
    """The token that a page's forms carry."""
    found = re.search(r'name="token" value="([0-9a-f]+)"', page)
    assert found, page
    return found[1]


def shown_once(answer: httpx.Response) -> str:
    """A password or a token that is shown this once."""
    found = re.search(r'<pre class="codes"[^>]*><code>(.*?)</code>', answer.text, re.DOTALL)
    assert found, answer.text
    return found[1]


def clock_of(ledger: Ledger) -> Clock:
    """The ledger's clock, to move it."""
    assert isinstance(ledger.clock, Clock)
    return ledger.clock
