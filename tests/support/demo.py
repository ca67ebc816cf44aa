"""The demo, served by a thread of this process: its clock is the test's, and what it asks can be replaced."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

from support.in_process import Clock, InProcess, in_process
from tallystick.app import Application
from tallystick.cli.support.demo_content import SITES
from tallystick.cli.support.demo_filling import EMAIL, fill
from tallystick.ledger import Session
from tallystick.server.limits import ConnectionLimits
from tallystick.server.listening import Listen, open_listeners
from tallystick.services.accounts.accounts import account_by_email
from tallystick.services.accounts.logins import begin_login, new_secret, secret_digest
from tallystick.web.rate_limit import Rate

NOW = int(datetime(2026, 3, 10, 15, 20, 5, tzinfo=UTC).timestamp())
"""When it is in the demo of tests. Its pages are the same each day, and so are pictures of them."""
MADE_WITHIN_S = 90.0
STOPS_WITHIN_S = 5.0


class Demo(NamedTuple):
    """The served demo.

    Attributes:
        url: where it listens.
        clock: stands still until it is moved.
        login: what the cookie of its person's browser has.
    """

    url: str
    clock: Clock
    login: str


@contextmanager
def demo_server(data: Path, visits: int) -> Iterator[Demo]:
    """Fill an empty directory with the demo, and serve it until the end.

    Args:
        visits: how many to invent; more take longer.
    """
    thread = _DemoThread(data, visits)
    thread.start()
    try:
        yield thread.served()
    finally:
        thread.stop()


class _DemoThread(Thread):
    """Runs the application on an event loop of its own."""

    def __init__(self, data: Path, visits: int) -> None:
        super().__init__(daemon=True)
        self._data, self._visits = data, visits
        self._loop = asyncio.new_event_loop()
        self._stopping, self._begun = asyncio.Event(), Event()
        self._demo: Demo | None = None

    def run(self) -> None:
        """Serve until ``stop``."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._serve())
            finally:
                self._begun.set()

    def served(self) -> Demo:
        """The demo, once it answers."""
        assert self._begun.wait(MADE_WITHIN_S)
        assert self._demo, "the demo did not start"
        return self._demo

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        if self.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self.join()

    async def _serve(self) -> None:
        unlimited = (Rate("", None, 0),)
        async with in_process(self._data, default_site=SITES[0].domain, rate_limit=unlimited) as running:
            running.clock.now = NOW * 1000
            await fill(running.application.services, self._visits, NOW, lambda _done, _all: None)
            with open_listeners([Listen("127.0.0.1", 0)]) as listeners:
                server = running.application.http_server(ConnectionLimits())
                await server.start(listeners.sockets)
                self._demo = Demo(f"http://{listeners.addresses[0]}", running.clock, await _logged_in(running))
                self._begun.set()
                await self._stopping.wait()
                server.close_listeners()
                await _close_sockets(running.application)
                await server.stop(STOPS_WITHIN_S)


async def _close_sockets(application: Application) -> None:
    for sockets in application.sockets:
        await sockets.close_all(STOPS_WITHIN_S)


async def _logged_in(running: InProcess) -> str:
    secret = new_secret()
    await running.application.ledger.write(_begin_login, secret_digest(secret), running.clock())
    return secret


def _begin_login(session: Session, digest: bytes, now: int) -> None:
    person = account_by_email(session, EMAIL)
    assert person is not None
    begin_login(session, person.id, digest, now)
