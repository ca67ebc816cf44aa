"""Where an import goes: through the API of a running server, or straight into a data directory."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from tallystick.cli.data_directory import held_data_directory, server_runs
from tallystick.cli.opening import bring_up_to_date, found_database
from tallystick.errors import InputRefused
from tallystick.ledger import Database, Ledger
from tallystick.model.site import Site
from tallystick.model.site_rules import normal_host
from tallystick.services.imports.directly import DirectSink
from tallystick.services.imports.journal import Journal
from tallystick.services.imports.running import Sink
from tallystick.services.imports.through_api import ApiSink
from tallystick.services.ingest import Ingest, Knowledge
from tallystick.services.names import Names
from tallystick.services.site_rows import active_sites
from tallystick.settings import AnalyticsSettings
from tallystick.warehouse import WAREHOUSE_FILE, Warehouse

TOKEN_VARIABLES = ("TALLYSTICK_TOKEN", "GOATCOUNTER_API_KEY")
JOURNAL = "imports"


class Waits(Protocol):
    """Hears that an import waits."""

    def __call__(self, seconds: float, reason: str, /) -> None:
        """Tell the person who watches."""


class Target(NamedTuple):
    """A site, and what has been imported there."""

    sink: Sink
    journal: Journal


def is_url(site: str) -> bool:
    """Whether a site is named by the address of its server."""
    return site.startswith(("http://", "https://"))


def token() -> str:
    """The API token in the environment.

    Raises:
        InputRefused: there is none.
    """
    found = next(filter(None, map(os.environ.get, TOKEN_VARIABLES)), None)
    if found is None:
        msg = f"{TOKEN_VARIABLES[0]} must be set to an API token with the permission count"
        raise InputRefused(msg)
    return found.strip()


@asynccontextmanager
async def opened_target(site: str | None, settings: AnalyticsSettings, waits: Waits) -> AsyncIterator[Target]:
    """The place that a person means, until the block ends.

    Args:
        site: a URL for the API of a running server; an id or Host for the data directory; None for the only
            site of the data directory.

    Raises:
        InputRefused: it cannot be used.
    """
    if site and is_url(site):
        async with ApiSink(site, token(), waits=waits) as sink:
            yield Target(sink, journal_of(site, settings))
        return
    if server_runs(settings.data):
        msg = (
            f"a server holds {settings.data}: import through it, with --site http://HOST "
            f"and an API token in {TOKEN_VARIABLES[0]}"
        )
        raise InputRefused(msg)
    with _database(settings) as database:
        async with _opened(database, settings) as (ledger, warehouse, knowledge):
            found = site_among(await ledger.read(active_sites), site)
            ingest = Ingest(ledger, warehouse, Names(ledger), knowledge)
            yield Target(DirectSink(ingest, warehouse, found), journal_of(str(found.id), settings))


def journal_of(site: str, settings: AnalyticsSettings) -> Journal:
    """What has been imported into a site: remembered in the data directory, or in the person's own files."""
    if not is_url(site):
        return Journal(settings.data / JOURNAL, f"site {site}")
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Journal(Path(state) / "tallystick" / JOURNAL, site.rstrip("/"))


def site_among(sites: list[Site], wanted: str | None) -> Site:
    """The site that a person means, by id or Host.

    Raises:
        InputRefused: there is none, or it is not clear which.
    """
    found = sites if wanted is None else [site for site in sites if wanted in (str(site.id), site.code)]
    if wanted is not None and not found:
        found = [site for site in sites if site.cname == normal_host(wanted)]
    if len(found) == 1:
        return found[0]
    if wanted is None and sites:
        msg = f"--site is needed, an id or Host of one of {len(sites)} sites: tallystick site list shows them"
    else:
        msg = f"there is no site {wanted}" if sites else "there is no site yet: tallystick site create makes one"
    raise InputRefused(msg)


@contextmanager
def _database(settings: AnalyticsSettings) -> Iterator[Database]:
    """The ledger's database, while no server can take the data directory."""
    with found_database(settings) as database, held_data_directory(settings.data):
        bring_up_to_date(database, settings.data)
        yield database


@asynccontextmanager
async def _opened(
    database: Database, settings: AnalyticsSettings
) -> AsyncIterator[tuple[Ledger, Warehouse, Knowledge]]:
    knowledge = Knowledge.load(settings.geodb, settings.spam_referrers)
    ledger = await Ledger.open(database)
    try:
        warehouse = await Warehouse.open(settings.data / WAREHOUSE_FILE, memory_mb=settings.warehouse_memory)
        try:
            yield ledger, warehouse, knowledge
        finally:
            await warehouse.close()
    finally:
        await ledger.close()
