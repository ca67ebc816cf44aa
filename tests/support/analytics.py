"""An analytics site to test with: its owner, its token, and ways to ask for it, made in a few milliseconds."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from builders import NOW
from support.asking import Answer, ask
from support.in_process import InProcess, in_process
from support.prepared import kept_folder
from support.server import RunningServer, running_server
from support.warehouses import rows
from tallystick.ledger import Session, open_database
from tallystick.ledger.ledger import milliseconds
from tallystick.model.account import EVERY_SITE, Account, Permission
from tallystick.model.site import Site, SiteSettings
from tallystick.services.accounts.accounts import NewAccount, account, create_account
from tallystick.services.accounts.passwords import hash_password
from tallystick.services.accounts.sites import NewSite, SiteChanges, create_site, update_site
from tallystick.services.accounts.tokens import NewToken, create_token
from tallystick.web.rate_limit import Rate

HOST = "stats.example.com"
EMAIL = "owner@example.com"
UNLIMITED = (Rate("", None, 0),)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36"
)


class Prepared(Struct, frozen=True):
    """What stands in a data directory.

    Attributes:
        token: a secret with every permission on every site of the account.
    """

    account: Account
    site: Site
    token: str


def prepare(  # noqa: PLR0913  # what a test does not name is ordinary
    data: Path,
    *,
    database: str | None = None,
    host: str | None = HOST,
    email: str = EMAIL,
    password: str | None = None,
    settings: SiteSettings = SiteSettings(),  # noqa: B008  # frozen
    now: int = NOW,
) -> Prepared:
    """Make an owner, a site and a token, in a ledger that may be in use.

    Args:
        password: nobody can log in without one.
        now: Unix milliseconds.
    """
    digest = hash_password(password) if password else "-"
    ledger = open_database(database, data)
    ledger.migrate()
    with closing(ledger.session(writes=True)) as session, session.transaction():
        person = create_account(session, NewAccount(email=email, password=digest), now)
        site = create_site(session, person, NewSite(cname=host, settings=settings), now)
        owner = account(session, person.id)
        assert owner is not None
        return Prepared(owner, site, a_token(session, owner, now=now))


def a_token(
    session: Session,
    owner: Account,
    *permissions: Permission,
    sites: tuple[int, ...] = (EVERY_SITE,),
    now: int = NOW,
) -> str:
    """A new token's secret; without permissions it has all of them."""
    bits = sum(permissions or set(Permission) - {Permission.NOTHING})
    return create_token(session, owner, NewToken(name="test", permissions=bits, sites=sites), now)[1]


class AnalyticsServer:
    """The product as a process, with a site.

    Attributes:
        url: where it listens.
    """

    def __init__(self, server: RunningServer, prepared: Prepared) -> None:
        self.server, self.prepared = server, prepared
        self.url, self.token, self.site = server.url, prepared.token, prepared.site

    def api(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        token: str | None = "",
    ) -> Answer:
        """Ask ``/api/v0``; see ``Analytics.api``."""
        sent, body = _api_request(self.token if token == "" else token, json)
        return ask(self.url, f"/api/v0{path}", method=method, headers={"host": HOST, **sent, **headers}, body=body)

    def pixel(self, *, headers: Mapping[str, str] = MappingProxyType({}), method: str = "GET", **sent: Any) -> Answer:
        """Ask for the pixel with these parameters, as a browser would."""
        return ask(
            self.url,
            f"/count?{urlencode(sent)}",
            method=method,
            headers={"host": HOST, "user-agent": FIREFOX, **headers},
        )


class Analytics:
    """The whole application in this process, with a site.

    Attributes:
        services: of the analytics surface.
        clock: of ledger and warehouse; stands still until it is moved.
    """

    def __init__(self, running: InProcess, prepared: Prepared) -> None:
        self.running, self.prepared = running, prepared
        self.services, self.clock = running.application.services, running.clock
        self.token, self.site = prepared.token, prepared.site

    async def ask(self, target: str, *, headers: Mapping[str, str] = MappingProxyType({}), **options: Any) -> Answer:
        """Ask for anything at the site's host; for ``options`` see ``InProcess.ask``."""
        return await self.running.ask(target, headers={"host": HOST, **headers}.items(), **options)

    async def api(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        token: str | None = "",
        **options: Any,
    ) -> Answer:
        """Ask ``/api/v0``.

        Args:
            json: the body; bytes are sent as they are, None sends none.
            token: the one that may do everything; another one, or None for none.
        """
        sent, body = _api_request(self.token if token == "" else token, json)
        return await self.ask(f"/api/v0{path}", method=method, headers={**sent, **headers}, body=body, **options)

    async def pixel(
        self, *, headers: Mapping[str, str] = MappingProxyType({}), client: str = "192.0.2.1", **sent: Any
    ) -> Answer:
        """Ask for the pixel with these parameters, as a browser would."""
        return await self.ask(f"/count?{urlencode(sent)}", headers={"user-agent": FIREFOX, **headers}, client=client)

    async def hits(self) -> list[tuple[Any, ...]]:
        """What the warehouse keeps of every hit: site, path, session, first, event, bot."""
        return await rows(self.services.warehouse, "site, path, session, first, event, bot")

    async def widths(self) -> list[int]:
        """The width of every hit's screen."""
        return [width for (width,) in await rows(self.services.warehouse, "CAST(width AS INTEGER)")]

    async def change_site(self, **settings: Any) -> None:
        """Change the site's settings, at once."""
        changes = SiteChanges(settings=settings)
        await self.services.ledger.write(update_site, self.site.id, changes, self.clock())

    async def new_token(self, *permissions: Permission, **options: Any) -> str:
        """Another token; see ``a_token``."""
        return await self.services.ledger.write(partial(a_token, **options), self.prepared.account, *permissions)


def _api_request(token: str | None, json: object) -> tuple[dict[str, str], bytes | None]:
    headers = {"content-type": "application/json"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    if json is None:
        return headers, None
    return headers, json if isinstance(json, bytes) else msgspec.json.encode(json)


@cache
def _prepared() -> tuple[Path, Prepared]:
    """A data directory with a site, made once; to be copied."""
    data = kept_folder()
    return data, prepare(data)


def _copy_prepared(data: Path) -> Prepared:
    prepared_data, prepared = _prepared()
    shutil.copytree(prepared_data, data, dirs_exist_ok=True)
    return prepared


@contextmanager
def analytics_server(data: Path, *options: str, **prepared: Any) -> Iterator[AnalyticsServer]:
    """Start a server with a site; limits are off. Stopped at the end."""
    data.mkdir(parents=True, exist_ok=True)
    site = prepare(data, **prepared, now=milliseconds())
    with running_server(data, "--rate-limit", "off", *options, database=prepared.get("database")) as server:
        yield AnalyticsServer(server, site)


@asynccontextmanager
async def analytics_in_process(data: Path, **settings: Any) -> AsyncIterator[Analytics]:
    """Open the application with a site; limits are off unless ``rate_limit`` says otherwise."""
    site = await asyncio.to_thread(_copy_prepared, data)
    settings.setdefault("rate_limit", UNLIMITED)
    async with in_process(data, **settings) as running:
        yield Analytics(running, site)
