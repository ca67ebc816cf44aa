"""The application, served by a thread of this process: its clock is the test's, and what it asks can be replaced."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any, Generic, TypeVar

from msgspec import Struct

from support.in_process import InProcess, in_process
from tallystick.app import Application
from tallystick.ledger import Session
from tallystick.server.limits import ConnectionLimits
from tallystick.server.listening import Listen, open_listeners
from tallystick.services.accounts.accounts import account_by_email
from tallystick.services.accounts.logins import begin_login, new_secret, secret_digest
from tallystick.web.rate_limit import Rate

MADE_WITHIN_S = 90.0
STOPS_WITHIN_S = 5.0

Made = TypeVar("Made")
Result = TypeVar("Result")


class Served(Struct, Generic[Made], frozen=True):
    """An application that is served.

    Attributes:
        url: where it listens.
        made: what ``make`` has made.
    """

    url: str
    running: InProcess
    made: Made
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do something where the application runs, and wait for the result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(MADE_WITHIN_S)


@contextmanager
def served(data: Path, make: Callable[[InProcess], Awaitable[Made]], **settings: Any) -> Iterator[Served[Made]]:
    """Serve a data directory until the end, without limits.

    Args:
        make: makes what is there from the beginning.
    """
    thread = _ServingThread(data, make, settings)
    thread.start()
    try:
        yield thread.served()
    finally:
        thread.stop()


async def logged_in(running: InProcess, email: str) -> str:
    """Log a person in. Returns what the cookie of their browser has."""
    secret = new_secret()
    await running.application.ledger.write(_begin_login, email, secret_digest(secret), running.clock())
    return secret


class _ServingThread(Thread, Generic[Made]):
    """Runs the application on an event loop of its own."""

    def __init__(self, data: Path, make: Callable[[InProcess], Awaitable[Made]], settings: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self._data, self._make, self._settings = data, make, settings
        self._loop = asyncio.new_event_loop()
        self._stopping, self._begun = asyncio.Event(), Event()
        self._served: Served[Made] | None = None

    def run(self) -> None:
        """Serve until ``stop``."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._serve())
            finally:
                self._begun.set()

    def served(self) -> Served[Made]:
        """What is served, once it answers."""
        assert self._begun.wait(MADE_WITHIN_S)
        assert self._served, "the server did not start"
        return self._served

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        if self.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self.join()

    async def _serve(self) -> None:
        async with in_process(self._data, rate_limit=(Rate("", None, 0),), **self._settings) as running:
            made = await self._make(running)
            with open_listeners([Listen("127.0.0.1", 0)]) as listeners:
                server = running.application.http_server(ConnectionLimits())
                await server.start(listeners.sockets)
                self._served = Served(f"http://{listeners.addresses[0]}", running, made, self._loop)
                self._begun.set()
                await self._stopping.wait()
                server.close_listeners()
                await _close_sockets(running.application)
                await server.stop(STOPS_WITHIN_S)


async def _close_sockets(application: Application) -> None:
    for sockets in application.sockets:
        await sockets.close_all(STOPS_WITHIN_S)


def _begin_login(session: Session, email: str, digest: bytes, now: int) -> None:
    person = account_by_email(session, email)
    assert person is not None
    begin_login(session, person.id, digest, now)
