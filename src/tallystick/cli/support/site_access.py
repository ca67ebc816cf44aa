"""Where imports go and exports come from: the API of a running server, or a data directory that none holds."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import httpx
import msgspec

from tallystick.cli.site import site_among
from tallystick.cli.support.data_directory import held_data_directory, server_runs
from tallystick.cli.support.opening import bring_up_to_date, found_database, no_data
from tallystick.client import GoatCounter
from tallystick.client.errors import ClientError
from tallystick.errors import InputRefused
from tallystick.ledger import Ledger
from tallystick.model.site import Site
from tallystick.services.accounts.audit import COMMAND_LINE, EventKind, done_by, note
from tallystick.services.accounts.site_rows import active_sites
from tallystick.services.analytics.names import Names
from tallystick.services.imports.directly import DirectSink
from tallystick.services.imports.journal import ImportJournal
from tallystick.services.imports.running import Sink
from tallystick.services.imports.through_api import ApiSink
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
    """Hears that an import waits."""

    def __call__(self, seconds: float, reason: str, /) -> None:
        """Tell the person who watches."""


class SiteTarget(NamedTuple):
    """A site, and what has been imported there."""

    sink: Sink
    journal: ImportJournal


def is_url(site: str) -> bool:
    """Whether a site is named by the address of its server."""
    return site.startswith(("http://", "https://"))


def token(permission: str) -> str:
    """The API token in the environment, which needs a permission.

    Raises:
        InputRefused: there is none.
    """
    found = next(filter(None, map(os.environ.get, VARIABLES)), None)
    if found is None:
        msg = f"{VARIABLES[0]} must be set to an API token with the permission {permission}"
        raise InputRefused(msg)
    return found.strip()


@asynccontextmanager
async def opened_target(site: str | None, settings: AnalyticsSettings, waits: Waits) -> AsyncIterator[SiteTarget]:
    """The place that a person means, until the block ends.

    Args:
        site: a URL for the API of a running server; else see ``opened_site``.

    Raises:
        InputRefused: it cannot be used.
    """
    if site and is_url(site):
        async with ApiSink(site, token("count"), waits=waits) as sink:
            yield SiteTarget(sink, journal_of(site, settings))
        return
    knowledge = Knowledge.load(settings.geodb, settings.spam_referrers)
    async with opened_site(site, settings) as (found, ledger, warehouse):
        ingest = Ingest(ledger, warehouse, Names(ledger), knowledge)
        await ledger.write(done_by, COMMAND_LINE, note, EventKind.IMPORTED, ledger.clock(), f"site {found.id}")
        yield SiteTarget(DirectSink(ingest, warehouse, found, ledger.passed), journal_of(str(found.id), settings))


@asynccontextmanager
async def opened_site(site: str | None, settings: AnalyticsSettings) -> AsyncIterator[tuple[Site, Ledger, Warehouse]]:
    """A site in a data directory that no server holds, and its stores, until the block ends.

    Args:
        site: id, code or Host; None for the only site there is.

    Raises:
        InputRefused: a server holds it, another server on its database owns the analytics, or there is no such site.
    """
    if server_runs(settings.data):
        msg = f"a server holds {settings.data}: go through it, with --site http://HOST and a token in {VARIABLES[0]}"
        raise InputRefused(msg)
    if settings.database is not None and not warehouse_storage(settings.data).exists():
        raise no_data(settings.data)
    with found_database(settings) as database, held_data_directory(settings.data):
        bring_up_to_date(database, settings.data)
        ledger = await Ledger.open(database)
        ledger.passed = passed = TimePassed(ledger, ledger.clock)
        try:
            await passed.begin()
            found = site_among(await ledger.read(active_sites), site)
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
                    yield found, ledger, warehouse
            finally:
                await warehouse.close()
        finally:
            await ledger.close()


def journal_of(site: str, settings: AnalyticsSettings) -> ImportJournal:
    """What has been imported into a site: remembered in the data directory, or in the person's own files."""
    if not is_url(site):
        return ImportJournal(settings.data / JOURNAL, f"site {site}")
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return ImportJournal(Path(state) / "tallystick" / JOURNAL, site.rstrip("/"))


@contextmanager
def asking(url: str, permission: str) -> Iterator[GoatCounter]:
    """The API of a running server, with the token in the environment.

    Raises:
        InputRefused: there is no token, the server cannot be reached, or it refuses.
    """
    secret = token(permission)
    with refusals_told(url), GoatCounter(url.rstrip("/"), secret) as api:
        yield api


@contextmanager
def refusals_told(url: str) -> Iterator[None]:
    """Turn what goes wrong on the way to a server into a refusal.

    Raises:
        InputRefused
    """
    try:
        yield
    except (ClientError, httpx.HTTPError, msgspec.DecodeError) as error:
        msg = f"{url}: {error}"
        raise InputRefused(msg) from error
