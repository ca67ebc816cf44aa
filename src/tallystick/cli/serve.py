"""``tallystick serve``: runs the server until it is stopped."""

import asyncio
import os
import resource
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Annotated

import structlog
import uvloop
from cyclopts import App, Parameter

from tallystick import __version__
from tallystick.app import SURFACES, Application, kit_of
from tallystick.cli.support.configuration import WHERE_SETTINGS_STAND, sources
from tallystick.cli.support.data_directory import held_data_directory, nothing_left_behind, tell_addresses
from tallystick.cli.support.garbage_collector import calm_garbage_collector
from tallystick.cli.support.opening import refuse_unfinished_restore
from tallystick.ledger import open_database
from tallystick.logs import configure_logs
from tallystick.server.limits import ConnectionLimits, room_for_connections
from tallystick.server.listening import (
    Listen,
    ListenAddress,
    Listeners,
    OpenSocket,
    UnixListen,
    open_listeners,
    sockets_of_systemd,
)
from tallystick.server.notifying import notify_service_manager
from tallystick.services.clock import confirm
from tallystick.services.stores import stored_hits
from tallystick.settings import Settings, listen_text
from tallystick.web.surface import default_rates

TAKES_LEAVE_WITHIN_S = 5.0
"""Time for closing live connections."""
STOPS_WITHIN_S = 5.0
"""Time for clients to receive their responses while the server stops."""

CLOSES_WITHIN_S = 60.0
"""Time for the database to finish accepted writes."""
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger()


def _limits() -> str:
    """The names of ``--rate-limit``."""
    rates = ", ".join(f"{rate.name} {rate.amount}/{rate.seconds} ({rate.counts})" for rate in default_rates(SURFACES))
    return f"Names and defaults of --rate-limit: {rates}."


app = App(name="serve", help_epilogue=f"{_limits()}\n\n{WHERE_SETTINGS_STAND}")


@app.default
def serve(
    *,
    accept_loss: Annotated[bool, Parameter(negative=())] = False,
    confirm_clock: Annotated[bool, Parameter(negative=())] = False,
    recompute_visits: Annotated[bool, Parameter(negative=())] = False,
    settings: Settings = Settings(),
) -> None:
    """Run the server.

    On SIGTERM or SIGINT it finishes accepted requests and stops, after --stop-delay. A second signal stops it at once;
    nothing that was acknowledged is lost.

    Args:
        accept_loss: Start although a file of the data directory was lost, truncated or restored from an older copy.
            New ids continue above all ids ever given. For one start, after a start was refused.
        confirm_clock: Trust the clock although it is far ahead of the newest commit, and remove old hits by it. For
            one start, after a warning.
        recompute_visits: Compute all visits anew from the hits. For one start, after `tallystick doctor` has found
            visits that differ from their hits. With --lake, stop all servers on it before.
    """
    settings = replace(settings, data=settings.data.absolute())
    configure_logs(settings.log_format)
    handed_over = sockets_of_systemd()
    settings = replace(settings, listen=_addresses(settings, handed_over))
    kit_of(settings)  # before the data directory is created, which invalid settings must not leave behind
    allow_many_connections()
    with nothing_left_behind(settings.data), held_data_directory(settings.data):
        refuse_unfinished_restore(settings.data)
        if recompute_visits:
            forget_visits(settings)
        with open_listeners(settings.listen, handed_over, socket_mode=settings.socket_mode) as listeners:
            uvloop.run(_serve(settings, listeners, accept_loss=accept_loss, confirm_clock=confirm_clock))
    # Everything is closed. A normal exit would make DuckDB's bindings print objects that Python has not released.
    sys.stdout.flush()
    os._exit(0)


def forget_visits(settings: Settings) -> None:
    """Make the server that starts next with these hits compute all visits from them.

    Raises:
        DatabaseUnreachable: a server uses the lake.
        StoreUnavailable: its database does not answer.
    """
    stored_hits(open_database(settings.database, settings.data), settings.lake, settings.data).forget_visits()


def _addresses(settings: Settings, handed_over: Sequence[OpenSocket]) -> tuple[ListenAddress, ...]:
    """Where to listen: sockets of systemd take the place of the default address, not of the operator's own."""
    own = () if handed_over and sources.of("listen") == "default" else settings.listen
    return tuple(dict.fromkeys((*(each.address for each in handed_over), *own)))


async def _serve(settings: Settings, listeners: Listeners, *, accept_loss: bool, confirm_clock: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        # Nothing is accepted yet, and each migration is one transaction: the process may end at once.
        loop.add_signal_handler(number, _leave_at_once, listeners)
    notify_service_manager(status="opening the data; a new version migrates it first")
    application = await Application.open(settings, accept_loss=accept_loss)
    try:
        if confirm_clock:
            await application.ledger.write(confirm, application.warehouse.clock())
        setup = application.services.setup
        setup_code = setup.code if await setup.needed() else None
        greet = partial(_greet, settings, listeners.addresses, application, setup_code)
        await answer_requests(settings, listeners, application, stop_on_signals(), greet)
    finally:
        await close(application)
    log.info("stopped")


async def answer_requests(
    settings: Settings,
    listeners: Listeners,
    application: Application,
    stopping: asyncio.Event,
    greet: Callable[[], None],
) -> None:
    """Answer requests until ``stopping`` is set, then finish those that were accepted.

    Args:
        greet: called once the server listens.
    """
    server = application.http_server(_connection_limits(settings))
    calm_garbage_collector()
    await server.start(listeners.sockets)
    tell_addresses(settings.data, map(_own_address, listeners.addresses), settings.base_path)
    greet()
    notify_service_manager(state="READY", status=f"listening at {listen_text(listeners.addresses)}")
    await stopping.wait()
    notify_service_manager(state="STOPPING", status="completing accepted requests")
    if settings.stop_delay:
        application.services.readiness.stopping = True
        server.end_connections()
        await asyncio.sleep(settings.stop_delay)
    listeners.remove_files()
    server.close_listeners()
    await _take_leave(application)
    await server.stop(STOPS_WITHIN_S)


def _leave_at_once(listeners: Listeners) -> None:
    listeners.remove_files()
    os._exit(0)


def _connection_limits(settings: Settings) -> ConnectionLimits:
    return ConnectionLimits(
        connections=settings.max_connections or room_for_connections(),
        head_bytes=settings.max_head,
        head_count=settings.max_headers,
        head_within_s=settings.head_timeout,
        idle_s=settings.idle_timeout,
    )


async def _take_leave(application: Application) -> None:
    """Close the live connections, so that only requests keep the server running."""
    await asyncio.gather(*(sockets.close_all(TAKES_LEAVE_WITHIN_S) for sockets in application.sockets))


async def close(application: Application) -> None:
    """Close the application. The process ends at once if the database does not answer."""
    try:
        async with asyncio.timeout(CLOSES_WITHIN_S):
            await application.close()
    except TimeoutError:
        # Threads that wait for the database would keep the process alive; their requests were not acknowledged.
        log.error("the database does not answer; stopping without it")  # noqa: TRY400  # the traceback does not help
        os._exit(1)


def stop_on_signals(leave: Callable[[int], None] = os._exit) -> asyncio.Event:
    """An event that is set by the first signal. The second signal ends the process.

    Args:
        leave: ends it, with an exit status.
    """
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop(number: int) -> None:
        # Checked here: two signals in one turn of the loop both call the handler of the first.
        if stopping.is_set():
            # Nothing acknowledged is lost: responses are sent only after their commit.
            leave(128 + number)
        stopping.set()
        log.info("stopping; accepted requests are finished", signal=signal.Signals(number).name)

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop, number)
    return stopping


def allow_many_connections() -> None:
    """Raise the limit of open files as far as the system lets this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _greet(
    settings: Settings,
    addresses: Sequence[ListenAddress],
    application: Application,
    setup_code: str | None,
) -> None:
    # A browser can open the first address of TCP.
    first, *others = sorted(addresses, key=lambda address: isinstance(address, UnixListen))
    everywhere = isinstance(first, Listen) and first.everywhere
    url = url_of(first)
    if url is not None:
        url += settings.base_path
    base = url or settings.base_path
    owned = application.ownership.owned
    place = f"{application.ledger.database.describe()} (durability: {settings.durability})"
    if settings.log_format == "json":
        setup = {"setup": f"{base}/setup", "setup_code": setup_code} if setup_code else {}
        log.info(
            "the server is ready",
            version=__version__,
            url=url,
            everywhere=everywhere,
            data=place,
            analytics=owned,
            listen=[str(address) for address in addresses],
            **setup,
        )
        return
    lines = [f"Tallystick {__version__} at {url or first}{' and at every other address of this machine' * everywhere}"]
    if url is None and settings.base_path:
        lines.append(f"  under     {settings.base_path}")
    if others:
        lines.append(f"  also at   {listen_text(others)}")
    if settings.public_counters == "open":
        lines.append(f"  count     {_command(first)}{settings.base_path}/hit/example.com/visits")
    lines.append(f"  data      {place}")
    if settings.lake is not None:
        lines.append(f"  hits      {settings.lake}, shared by all servers on this database")
    if not owned:
        lines.append(
            "  analytics are owned by another server on this database; until it stops, this one answers pageviews and"
            " statistics with 503"
        )
    if setup_code:
        people_at = f"{settings.public_url}{settings.base_path}" if settings.public_url else base
        lines.append(f"  accounts  none yet; create the first at {people_at}/setup with the code {setup_code}")
    with suppress(OSError):  # standard output may be closed
        print(*lines, sep="\n", flush=True)


def url_of(address: ListenAddress) -> str | None:
    """The URL that a browser on this machine can open; None for a Unix socket."""
    return None if isinstance(address, UnixListen) else f"http://{address.reachable}"


def _own_address(address: ListenAddress) -> str:
    return str(address) if isinstance(address, UnixListen) else str(address.reachable)


def _command(address: ListenAddress) -> str:
    """The beginning of a command that requests a path."""
    if isinstance(address, UnixListen):
        return f"curl --unix-socket {shlex.quote(str(address.path))} http://localhost"
    return f"curl {url_of(address)}"
