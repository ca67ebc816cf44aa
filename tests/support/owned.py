"""A served site with its owner and the operator of the server, for tests in a browser."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
from msgspec import Struct
from playwright.sync_api import Browser, BrowserContext, Page

from support.analytics import FIREFOX, a_token
from support.in_process import InProcess
from support.served import Served, logged_in, served
from tallystick.ledger import Session
from tallystick.model.account import UserSettings
from tallystick.model.site import SiteSettings
from tallystick.services.accounts.accounts import NewAccount, account, create_account
from tallystick.services.accounts.passwords import hash_password
from tallystick.services.accounts.sites import NewSite, SiteChanges, create_site, update_site
from tallystick.surfaces.dashboard.support.cookies import LOGIN

OPERATOR, OWNER = "operator@example.com", "owner@example.com"
HOST, OTHER_HOST = "stats.example.com", "other.example.com"
"""Of the owner's sites. The first one, with the id 1, is that of the tests."""
SITE = "/sites/1"
PATIENCE_MS = 30_000
SHOWN_AGAIN = "422"
"""What the browser says of a form that is shown again is no complaint."""


class People(Struct, frozen=True):
    """Who is there from the beginning.

    Attributes:
        operator, owner: what the cookies of their browsers have.
        token: the owner's, with every permission.
    """

    operator: str
    owner: str
    token: str


class OwnedSite:
    """A served site: hits for it, and its statistics as data.

    Attributes:
        served: the application; its clock stands still until it is moved.
    """

    def __init__(self, it: Served[People]) -> None:
        self.served, self.url, self.people = it, it.url, it.made

    def reset(self) -> None:
        """Give the site the names and settings of a new one."""
        settings = {name: getattr(SiteSettings(), name) for name in SiteSettings.__struct_fields__}
        names = {"cname": HOST, "code": "first", "domain": "", "link_domain": ""}
        changes = SiteChanges(**names, settings=settings, user_defaults=UserSettings())
        self.served.run(self._write(update_site, 1, changes))

    async def _write(self, change: Callable[..., Any], *arguments: object) -> None:
        ledger = self.served.running.application.ledger
        await ledger.write(change, *arguments, ledger.clock())

    def pixel(self, path: str, headers: Mapping[str, str] = MappingProxyType({}), **sent: str) -> int:
        """Send a hit as a browser does. Returns 200, or 202 if it was left out."""
        parameters = {"p": path, **sent}
        headers = {"host": HOST, "user-agent": FIREFOX, **headers}
        return httpx.get(f"{self.url}/count", params=parameters, headers=headers, timeout=30).status_code

    def hits(self, *hits: Mapping[str, Any]) -> None:
        """Send hits as a program does."""
        headers = {"host": HOST, "authorization": f"Bearer {self.people.token}"}
        answer = httpx.post(f"{self.url}/api/v0/count", json={"hits": hits}, headers=headers, timeout=30)
        assert answer.status_code == 202, answer.text

    def data(self, path: str, query: str = "period=today", *, of: str = "") -> Any:
        """A page of the site as data, as the owner sees it.

        Args:
            of: the value of a person's cookie.
        """
        cookies = {LOGIN: of or self.people.owner}
        answer = httpx.get(f"{self.url}{SITE}{path}.json?{query}", cookies=cookies, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def pageviews(self, path: str, query: str = "") -> int:
        """How often a page was seen today."""
        numbers = self.data("", f"period=today&page={path}{query}")["numbers"]
        return int(numbers["pageviews"]["now"])

    @contextmanager
    def window(self, browser: Browser, cookie: str = "", *, scripts: bool = True) -> Iterator[Page]:
        """A window in which a person is logged in, the owner if none is named, and nothing may be complained about."""
        with browser.new_context(base_url=self.url, java_script_enabled=scripts, locale="en-GB") as context:
            log_in(context, self.url, cookie or self.people.owner)
            complaints: list[str] = []
            page = context.new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            yield page
            assert [text for text in complaints if SHOWN_AGAIN not in text] == []


def log_in(context: BrowserContext, url: str, cookie: str) -> None:
    """Give a browser the cookie of a person."""
    context.add_cookies([{"name": LOGIN, "value": cookie, "url": url}])


@contextmanager
def owned_site(data: Path, **settings: Any) -> Iterator[OwnedSite]:
    """Serve an empty site, beside which its owner has another one."""

    async def make(running: InProcess) -> People:
        digest = await asyncio.to_thread(hash_password, "a password that is not used")
        token = await running.application.ledger.write(_people, digest, running.clock())
        return People(await logged_in(running, OPERATOR), await logged_in(running, OWNER), token)

    with served(data, make, **settings) as it:
        yield OwnedSite(it)


def _people(session: Session, digest: str, now: int) -> str:
    create_account(session, NewAccount(email=OPERATOR, password=digest), now)
    owner = create_account(session, NewAccount(email=OWNER, password=digest, access={"all": "a"}), now)
    for host in (HOST, OTHER_HOST):
        create_site(session, owner, NewSite(cname=host), now)
    found = account(session, owner.id)
    assert found is not None
    return a_token(session, found, now=now)
