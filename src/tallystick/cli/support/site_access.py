"""Access to a site for imports and exports: through the API of a running server, or in an unused data directory."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

import httpx
import msgspec

from tallystick.cli.site import site_among
from tallystick.cli.support.data_directory import held_data_directory, server_runs, told_address
from tallystick.cli.support.opening import bring_up_to_date, no_data, open_existing_database, opened_ledger
from tallystick.client import GoatCounter
from tallystick.client.errors import ClientError
from tallystick.errors import InputRefused, StoreUnavailable
from tallystick.ledger import Ledger
from tallystick.ledger.ledger import milliseconds
from tallystick.model.account import Permission
from tallystick.model.site import Site
from tallystick.services.accounts.audit import COMMAND_LINE, EventKind, done_by, note
from tallystick.services.accounts.lent_tokens import lend_token, take_back
from tallystick.services.accounts.site_rows import active_sites
from tallystick.services.analytics.names import Names
from tallystick.services.annotating import AnnotatedSite, annotate
from tallystick.services.imports.api_sink import ApiSink
from tallystick.services.imports.direct_sink import DirectSink
from tallystick.services.imports.journal import ImportJournal, ImportRecordFiles
from tallystick.services.imports.running import Sink
from tallystick.services.ingest.ingest import Ingest, Knowledge
from tallystick.services.ownership import Ownership
from tallystick.services.stores import opened_warehouse
from tallystick.services.time_passed import TimePassed
from tallystick.settings import AnalyticsSettings
from tallystick.tasks import BackgroundTasks
from tallystick.warehouse import Warehouse, warehouse_storage

VARIABLES = ("TALLYSTICK_TOKEN", "GOATCOUNTER_API_KEY")
JOURNAL = "imports"


class Waits(Protocol):
    """Called before an import pauses."""

    def __call__(self, seconds: float, reason: str, /) -> None:
        """Show the pause and its reason."""


class LentAccess(NamedTuple):
    """How a running server is asked about a site.

    Attributes:
        headers: that choose the site.
    """

    url: str
    transport: httpx.HTTPTransport
    secret: str
    headers: Mapping[str, str]
    site: Site


class ServerAccess(NamedTuple):
    """A site of a running server."""

    api: GoatCounter
    site: Site


Annotate: TypeAlias = Callable[[str], Awaitable[None]]


class SiteTarget(NamedTuple):
    """A site as the target of an import, with the journal of earlier imports.

    Attributes:
        annotate: adds an annotation to the site that says what was imported; does nothing through an API, to which
            all hits are alike. Its errors are only logged.
    """

    sink: Sink
    journal: ImportJournal
    annotate: Annotate


def is_url(site: str) -> bool:
    """Whether a site is given by the URL of its server."""
    return site.startswith(("http://", "https://"))


def token(permission: str) -> str:
    """The API token in the environment.

    Args:
        permission: that the token needs, for the message.

    Raises:
        InputRefused: TALLYSTICK_TOKEN is not set, or is no token. The message does not show it.
    """
    variable = next((each for each in VARIABLES if os.environ.get(each, "").strip()), None)
    if variable is None:
        msg = f"{VARIABLES[0]} must be set to an API token with the permission {permission}"
        raise InputRefused(msg)
    secret = os.environ[variable].strip()
    if not (secret.isascii() and secret.isprintable()):
        msg = f"{variable} is no API token: it has characters that no token has"
        raise InputRefused(msg)
    return secret


def server_url(url: str) -> str:
    """The URL of a server, without a slash at its end.

    Raises:
        InputRefused: it is none.
    """
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL as error:
        msg = f"{url!r} is no URL of a server: {error}"
        raise InputRefused(msg) from error
    if not is_url(url) or not found.host:
        msg = f"{url!r} is no URL of a server, such as http://127.0.0.1:8080"
        raise InputRefused(msg)
    return url.rstrip("/")


@asynccontextmanager
async def opened_target(
    site: str | None, settings: AnalyticsSettings, waits: Waits, *, host: str | None = None
) -> AsyncIterator[SiteTarget]:
    """Open the target of an import until the block ends.

    Args:
        site: a URL for the API of a running server; otherwise see ``opened_site``.
        host: of the site, if it is not that of the URL.

    Raises:
        InputRefused: the target cannot be used.
    """
    if site and is_url(site):
        async with ApiSink(server_url(site), token("count"), waits=waits, host=host) as sink:
            yield SiteTarget(sink, journal_of(site, settings, host=host), _not_annotated)
        return
    knowledge = Knowledge.load(settings.geodb, settings.spam_referrers)
    async with opened_site(site, settings) as (opened, ledger, warehouse):
        ingest = Ingest(ledger, warehouse, Names(ledger), knowledge)
        await ledger.write(done_by, COMMAND_LINE, note, EventKind.IMPORTED, ledger.clock(), f"site {opened.id}")
        try:
            direct = DirectSink(ingest, warehouse, opened, ledger.passed)
            yield SiteTarget(direct, journal_of(str(opened.id), settings), partial(_annotated, ledger, opened))
        finally:
            await ingest.dropped.keep()


async def _annotated(ledger: Ledger, site: Site, text: str) -> None:
    here = AnnotatedSite(site.id, site.user_defaults.timezone)
    with suppress(StoreUnavailable):  # the hits are stored
        await ledger.write(annotate, [here], "import", text, ledger.clock())


async def _not_annotated(_text: str) -> None:
    pass


@asynccontextmanager
async def opened_site(site: str | None, settings: AnalyticsSettings) -> AsyncIterator[tuple[Site, Ledger, Warehouse]]:
    """Open a site in a data directory that no server uses, and its stores, until the block ends.

    Args:
        site: id, code or host; None for the only site.

    Raises:
        InputRefused: a server uses the directory, another server owns the analytics, or there is no such site.
    """
    if server_runs(settings.data):
        msg = f"a server uses {settings.data}: go through it, with --site http://HOST and a token in {VARIABLES[0]}"
        raise InputRefused(msg)
    if settings.database is not None and not warehouse_storage(settings.data).exists():
        raise no_data(settings.data)
    with open_existing_database(settings) as database, held_data_directory(settings.data):
        bring_up_to_date(database, settings.data)
        ledger = await Ledger.open(database)
        ledger.passed = passed = TimePassed(ledger, ledger.clock)
        try:
            await passed.begin()
            opened = site_among(await ledger.read(active_sites), site)
            warehouse = await opened_warehouse(ledger, settings.data, memory_mb=settings.warehouse_memory)
            ownership = Ownership(ledger, warehouse, settings.data, lambda: None)
            try:
                await ownership.begin()
                if not ownership.owned:
                    msg = (
                        "another server on this database counts pageviews and holds the statistics:"
                        f" go through it, with --site http://HOST and a token in {VARIABLES[0]}"
                    )
                    raise InputRefused(msg)
                async with BackgroundTasks(ownership.tasks()):
                    yield opened, ledger, warehouse
            finally:
                await warehouse.close()
        finally:
            await ledger.close()


def journal_of(site: str, settings: AnalyticsSettings, *, host: str | None = None) -> ImportJournal:
    """The journal of imports into a site: in the data directory or, for a server's URL, in the person's home."""
    if not is_url(site):
        return ImportJournal(ImportRecordFiles(settings.data / JOURNAL), f"site {site}")
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    target = site.rstrip("/") if host is None else f"{site.rstrip('/')} {host}"
    return ImportJournal(ImportRecordFiles(Path(state) / "tallystick" / JOURNAL), target)


@contextmanager
def api_client(url: str, permission: str) -> Iterator[GoatCounter]:
    """A client for the API of a running server, with the token in the environment.

    Raises:
        InputRefused: the URL is none, there is no token, the server cannot be reached, or it refuses.
    """
    base, secret = server_url(url), token(permission)
    with api_errors_refused(url), GoatCounter(base, secret) as api:
        yield api


@contextmanager
def lent_access(site: str | None, settings: AnalyticsSettings, permission: Permission) -> Iterator[LentAccess]:
    """Access to a site through the server that uses the data directory, with a token for as long as the block runs.

    Raises:
        InputRefused: the server listens nowhere yet, or there is no such site.
    """
    told = told_address(settings.data)
    if told is None:
        msg = f"a server uses {settings.data} and does not answer yet; try again in a moment"
        raise InputRefused(msg)
    address = told.address
    path = address.removeprefix("unix:") if address.startswith("unix:") else None
    with opened_ledger(settings) as (_, session):
        with session.transaction():
            found = site_among(active_sites(session), site)
            number, secret = lend_token(session, found, permission, milliseconds())
        try:
            yield LentAccess(
                url=f"http://{address if path is None else 'localhost'}{told.base_path}",
                transport=httpx.HTTPTransport(uds=path),
                secret=secret,
                headers={"host": found.cname} if found.cname else {},
                site=found,
            )
        finally:
            with session.transaction():
                take_back(session, number)


@contextmanager
def running_server(site: str | None, settings: AnalyticsSettings, permission: Permission) -> Iterator[ServerAccess]:
    """The same, with a client.

    Raises:
        InputRefused: see ``lent_access``; or the server refuses.
    """
    with (
        lent_access(site, settings, permission) as lent,
        api_errors_refused(lent.url),
        GoatCounter(lent.url, lent.secret, transport=lent.transport, headers=lent.headers) as api,
    ):
        yield ServerAccess(api, lent.site)


@contextmanager
def api_errors_refused(url: str) -> Iterator[None]:
    """Turn errors of the connection and of the API into ``InputRefused``.

    Raises:
        InputRefused: with the URL and the error.
    """
    try:
        yield
    except (ClientError, httpx.HTTPError, msgspec.DecodeError) as error:
        msg = f"{url}: {error}"
        raise InputRefused(msg) from error
