"""``tallystick demo``: serves sites filled with invented visits."""

import asyncio
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, NoReturn

import uvloop
from cyclopts import Parameter

from tallystick import __version__
from tallystick.app import Application
from tallystick.cli.serve import allow_many_connections, answer_requests, close, stop_on_signals, url_of
from tallystick.cli.support.configuration import sources
from tallystick.cli.support.data_directory import held_data_directory
from tallystick.cli.support.demo_content import SITES
from tallystick.cli.support.demo_filling import DOWNLOADS, EMAIL, NO_PASSWORD, fill, keep_alive
from tallystick.cli.support.progress import progress
from tallystick.errors import DataDirectoryUnusable
from tallystick.ledger import Session
from tallystick.logs import configure_logs
from tallystick.model.site import Site
from tallystick.server.listening import Listen, ListenAddress, Listeners, open_listeners
from tallystick.services.accounts.accounts import account_by_email, set_password
from tallystick.services.accounts.passwords import hash_password
from tallystick.settings import BASE_PATH, DEFAULT_LISTEN, LISTEN, Settings, whole_number

VISITS = 75_000
"""With pages and events about 200,000 hits."""
FEWEST, MOST = 1_000, 1_000_000
MARK = "demo"
"""A file that tells the demo's data directory from others."""
PASSWORD_BYTES = 9


def demo(
    *,
    listen: Annotated[tuple[ListenAddress, ...], LISTEN] = DEFAULT_LISTEN,
    base_path: Annotated[str, BASE_PATH] = "",
    visits: Annotated[int, whole_number(FEWEST, MOST)] = VISITS,
    data: Annotated[Path | None, Parameter(metavar="DIR", show_default=False)] = None,
) -> None:
    """Serve a site filled with invented visits, to look around. Ctrl-C ends it and removes what it has made.

    Everything is invented, and the same each time: 13 months of visits up to now, with a few hits more every few
    seconds. The site's pages can be read without an account. Where only this machine can reach the demo, a login for
    its settings is printed. Variables and the settings file are not used.

    Args:
        listen: Address and port, or the path of a Unix socket. May be repeated or separated by commas.
        base_path: The path under which the demo is reached on its host, for example /stats. A proxy passes it on as it
            is.
        visits: How many visits to invent, with two to three hits each.
        data: Keep the demo in this directory, which must be new, empty or an earlier demo's. Such a one is served as
            it is.
    """
    if sources.of("listen") != "flag":
        listen = DEFAULT_LISTEN
    if sources.of("base_path") != "flag":
        base_path = ""
    if sources.of("data") != "flag":
        data = None
    configure_logs("text")
    allow_many_connections()
    with _directory(data) as folder:
        settings = Settings(
            data=folder,
            listen=listen,
            base_path=base_path,
            durability="relaxed",
            default_site=SITES[0].domain,
        )
        with held_data_directory(folder), open_listeners(listen, (), socket_mode=settings.socket_mode) as listeners:
            uvloop.run(_Demo(settings, listeners, visits, kept=data is not None).run())
    # As after serve: a normal exit would make DuckDB's bindings print objects that Python has not released.
    sys.stdout.flush()
    os._exit(0)


@contextmanager
def _directory(data: Path | None) -> Iterator[Path]:
    """The demo's data directory; one that is not kept, or was not filled, is cleared at the end.

    Raises:
        DataDirectoryUnusable: it is neither empty nor a demo's.
    """
    if data is None:
        folder = Path(tempfile.mkdtemp(prefix="tallystick-demo-"))
    else:
        folder = data.absolute()
        if folder.exists() and not (folder / MARK).exists() and any(folder.iterdir()):
            msg = f"{data} is neither empty nor an earlier demo's; nothing was changed. Give --data a new directory"
            raise DataDirectoryUnusable(msg)
    try:
        yield folder
    finally:
        if data is None or not (folder / MARK).exists():
            shutil.rmtree(folder, ignore_errors=True)


class _Demo:
    """One run of the demo.

    Args:
        kept: whether the directory stays when the demo ends.
    """

    def __init__(self, settings: Settings, listeners: Listeners, visits: int, *, kept: bool) -> None:
        self._settings, self._listeners, self._visits, self._kept = settings, listeners, visits, kept
        self._mark = settings.data / MARK

    async def run(self) -> None:
        """Fill the directory if it is empty, and answer requests until a signal comes."""
        stopping = stop_on_signals(self._leave)
        application = await Application.open(self._settings)
        try:
            sites = await self._sites(application, stopping)
            if sites:
                await self._serve(application, sites, stopping)
        finally:
            await close(application)

    def _leave(self, status: int) -> NoReturn:
        if not (self._kept and self._mark.exists()):
            shutil.rmtree(self._settings.data, ignore_errors=True)
        os._exit(status)

    async def _sites(self, application: Application, stopping: asyncio.Event) -> Sequence[Site]:
        """The demo's sites; none if a signal came before they were filled."""
        services = application.services
        if self._mark.exists():
            return await services.sites.all()
        print(f"Inventing {self._visits:,} visits …", flush=True)
        with progress("Filling the demo") as show:
            filling = asyncio.create_task(fill(services, self._visits, services.ledger.clock() // 1000, show))
            stopped = asyncio.create_task(stopping.wait())
            await asyncio.wait((filling, stopped), return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if stopping.is_set():
                filling.cancel()
                with suppress(asyncio.CancelledError):
                    await filling
                return []
            await filling
        self._mark.touch()
        return await services.sites.all()

    async def _serve(self, application: Application, sites: Sequence[Site], stopping: asyncio.Event) -> None:
        services = application.services
        # Whoever reaches other addresses must not find a login that was printed on this machine's terminal.
        password = secrets.token_urlsafe(PASSWORD_BYTES) if all(map(_is_loopback, self._settings.listen)) else None
        digest = await asyncio.to_thread(hash_password, password) if password else NO_PASSWORD
        await services.ledger.write(_give_password, digest, services.ledger.clock())
        alive = asyncio.create_task(keep_alive(services, sites[0], lambda: services.ledger.clock() // 1000))
        try:
            await answer_requests(
                self._settings, self._listeners, application, stopping, lambda: self._greet(sites, password)
            )
        finally:
            alive.cancel()
            with suppress(asyncio.CancelledError):
                await alive

    def _greet(self, sites: Sequence[Site], password: str | None) -> None:
        first = min(self._listeners.addresses, key=lambda address: not isinstance(address, Listen))
        url = url_of(first)
        base = (url or "") + self._settings.base_path
        lines = [f"Tallystick {__version__} shows its demo at {base if url else first}"]
        lines += [f"  open      {base}/sites/{site.address_name}" for site in sites]
        if password:
            lines.append(f"  log in    {base}/login as {EMAIL} with the password {password}")
        else:
            lines.append("  log in    not possible: others than this machine can reach the demo")
        lines.append(f"  count     {base}/hit/{DOWNLOADS}")
        lines.append(f"  data      {self._settings.data}{'' if self._kept else ', removed at the end'}")
        lines.append("Everything here is invented. Ctrl-C ends it.")
        with suppress(OSError):  # standard output may be closed
            print(*lines, sep="\n", flush=True)


def _is_loopback(address: ListenAddress) -> bool:
    return isinstance(address, Listen) and ip_address(address.host).is_loopback


def _give_password(session: Session, digest: str, now: int) -> None:
    if person := account_by_email(session, EMAIL):
        set_password(session, person.id, digest, now)
