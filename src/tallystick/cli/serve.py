"""``tallystick serve``: runs the server until it is stopped."""

import asyncio
import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Annotated

import structlog
import uvloop
from cyclopts import App, Parameter
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from tallystick import __version__
from tallystick.app import SURFACES, Application, kit_of
from tallystick.cli.support.configuration import WHERE_SETTINGS_STAND
from tallystick.cli.support.data_directory import held_data_directory, nothing_left_behind
from tallystick.cli.support.listening import bound_socket, free_address, limit_connections, limit_connections_of
from tallystick.cli.support.opening import refuse_unfinished_restore
from tallystick.hub.hub import SUBSCRIPTIONS_AT_MOST
from tallystick.logs import configure_logs
from tallystick.services.clock import confirm
from tallystick.settings import Listen, Settings
from tallystick.web.asgi import AsgiApp
from tallystick.web.surface import LiveListener, default_rates

BACKLOG = 4_096
REQUESTS_AT_ONCE = 16_384 + SUBSCRIPTIONS_AT_MOST
"""Each live connection counts as a request for as long as it is open."""
HEADER_BUFFER = 65_536
HEADERS_WITHIN_MS = 30_000
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
    settings: Settings = Settings(),
) -> None:
    """Run the server.

    On SIGTERM or SIGINT it finishes accepted requests and stops. A second signal stops it at once; nothing that was
    acknowledged is lost.

    Args:
        accept_loss: Start although a file of the data directory was lost, truncated or restored from an older copy.
            New ids continue above all ids ever given. For one start, after a start was refused.
        confirm_clock: Trust the clock although it is far ahead of the newest commit, and remove old hits by it. For
            one start, after a warning.
    """
    settings = replace(settings, data=settings.data.absolute())
    configure_logs(settings.log_format)
    kit_of(settings)  # before the data directory is created, which invalid settings must not leave behind
    _allow_many_connections()
    with nothing_left_behind(settings.data), held_data_directory(settings.data):
        refuse_unfinished_restore(settings.data)
        uvloop.run(_serve(settings, accept_loss=accept_loss, confirm_clock=confirm_clock))
    # Everything is closed. A normal exit would make DuckDB's bindings print objects that Python has not released.
    sys.stdout.flush()
    os._exit(0)


async def _serve(settings: Settings, *, accept_loss: bool, confirm_clock: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        # Nothing is accepted yet, and each migration is one transaction: the process may end at once.
        loop.add_signal_handler(number, os._exit, 0)
    listen = free_address(settings.listen)
    live = bound_socket(settings.live_listen, "--live-listen") if settings.live_listen else None
    application = await Application.open(settings, accept_loss=accept_loss)
    try:
        if confirm_clock:
            await application.ledger.write(confirm, application.warehouse.clock())
        server = http_server(application, listen)
        listener = await _live_listener(application, live) if live else None
        stopping = _stop_on_signals()
        calm_garbage_collector()
        setup = application.services.setup
        setup_code = setup.code if await setup.needed() else None
        server.on_startup(partial(_greet, settings, listen, listener, application, setup_code))
        await _serve_until(stopping, server, listen, partial(_take_leave, application, listener))
    finally:
        await _close(application)
    log.info("stopped")


async def _live_listener(application: Application, bound: socket.socket) -> LiveListener:
    limit_connections(bound)
    return await application.listen_live(bound)


async def _take_leave(application: Application, listener: LiveListener | None) -> None:
    """Close the live connections, so that only requests keep the server running."""
    await asyncio.gather(*(sockets.close_all(TAKES_LEAVE_WITHIN_S) for sockets in application.sockets))
    if listener is not None:
        await listener.close()


async def _close(application: Application) -> None:
    try:
        async with asyncio.timeout(CLOSES_WITHIN_S):
            await application.close()
    except TimeoutError:
        # Threads that wait for the database would keep the process alive; their requests were not acknowledged.
        log.error("the database does not answer; stopping without it")  # noqa: TRY400  # the traceback does not help
        os._exit(1)


async def _serve_until(
    stopping: asyncio.Event, server: Server, listen: Listen, take_leave: Callable[[], Awaitable[None]]
) -> None:
    """Serve until ``stopping`` is set; then do not wait long for clients that have sent half a request."""
    serving = asyncio.create_task(server.serve())
    stop_requested = asyncio.create_task(stopping.wait())
    await limit_connections_of(listen)
    await asyncio.wait({serving, stop_requested}, return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        await take_leave()
        server.stop()  # type: ignore[no-untyped-call]  # granian has no annotation here
        await asyncio.wait({serving}, timeout=STOPS_WITHIN_S)
    stop_requested.cancel()
    if serving.done():
        await serving


def http_server(application: AsgiApp, listen: Listen) -> Server:
    """The HTTP server around an application."""
    return Server(
        application,
        address=listen.host,
        port=listen.port,
        interface=Interfaces.ASGINL,
        # Browsers use HTTP/2 only with TLS, and proxies use HTTP/1.1 for their backends.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(max_buffer_size=HEADER_BUFFER, header_read_timeout=HEADERS_WITHIN_MS),
        websockets=True,
        backlog=BACKLOG,
        backpressure=REQUESTS_AT_ONCE,
        log_enabled=False,
    )


def _stop_on_signals() -> asyncio.Event:
    """An event that is set by the first signal. The second signal ends the process."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop(number: int) -> None:
        # Checked here: two signals in one turn of the loop both call the handler of the first.
        if stopping.is_set():
            # Nothing acknowledged is lost: responses are sent only after their commit.
            os._exit(128 + number)
        stopping.set()
        log.info("stopping; accepted requests are finished", signal=signal.Signals(number).name)

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop, number)
    return stopping


def calm_garbage_collector() -> None:
    """Collect rarely: existing objects live as long as the process, and requests create few cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _allow_many_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _greet(
    settings: Settings, listen: Listen, listener: LiveListener | None, application: Application, setup_code: str | None
) -> None:
    url, owned = f"http://{listen.reachable}", application.ownership.owned
    place = f"{application.ledger.database.describe()} (durability: {settings.durability})"
    live = f"ws://{Listen(*listener.address).reachable}/v1/ws" if listener else None
    if settings.log_format == "json":
        facts = {"url": url, "everywhere": listen.everywhere, "data": place, "live": live, "analytics": owned}
        setup = {"setup": f"{url}/setup", "setup_code": setup_code} if setup_code else {}
        event = f"Tallystick {__version__} at {url} is ready"
        log.info(event, **facts, **setup)
        return
    everywhere = " and at every other address of this machine" if listen.everywhere else ""
    lines = [f"Tallystick {__version__} at {url}{everywhere}"]
    if settings.public_counters == "open":
        lines.append(f"  count     curl {url}/hit/example.com/visits")
    lines.append(f"  data      {place}")
    if not owned:
        lines.append(
            "  analytics are owned by another server on this database; until it stops, this one answers pageviews and"
            " statistics with 503"
        )
    if live:
        lines.append(f"  live      WebSockets also at {live}")
    if setup_code:
        lines.append(
            f"  accounts  none yet; create the first at {settings.public_url or url}/setup with the code {setup_code}"
        )
    with suppress(OSError):  # standard output may be closed
        print(*lines, sep="\n", flush=True)
