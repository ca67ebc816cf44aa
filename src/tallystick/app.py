"""Introduces everyone to everyone: settings -> ledger -> services -> surfaces -> one ASGI application."""

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from typing import Self

import structlog

from tallystick.errors import StartRefused, StoreUnavailable
from tallystick.ledger import Ledger, open_database
from tallystick.services.counting import Counting
from tallystick.settings import Settings
from tallystick.surfaces import countapi, dashboard, native
from tallystick.web.address import ClientAddresses
from tallystick.web.asgi import AsgiApp, Receive, Scope, Send
from tallystick.web.rate_limit import CreationLimit
from tallystick.web.traffic import Traffic

SWEEP_EVERY_S = 30.0

log = structlog.get_logger()


class Application:
    """The whole server as one ASGI application, with its stores open until ``close``."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self.ledger = ledger
        counting = Counting(ledger)
        traffic = Traffic()
        addresses = ClientAddresses(settings.trusted_proxy)
        creations = CreationLimit(settings.creation_limit, addresses) if settings.creation_limit else None
        description = native.Description(countapi, native)
        public = countapi.CountApi(counting, traffic, creations, count_prefetch=settings.count_prefetch)
        self._surfaces = claimed(
            {
                "countapi": (countapi.SEGMENTS, public),
                "native": (native.SEGMENTS, native.native(ledger, traffic, description)),
                "dashboard": (dashboard.SEGMENTS, dashboard.dashboard(ledger, traffic, description)),
            }
        )
        # CountAPI's clients read JSON whatever path they ask for, so it answers for paths of nobody.
        self._nobody = public
        self._sweeping = asyncio.create_task(_sweep(counting))

    @classmethod
    async def open(cls, settings: Settings) -> Self:
        """Open the stores and introduce everyone.

        Raises:
            StartRefused: the database cannot be used.
        """
        database = open_database(settings.database, settings.data, settings.durability)
        return cls(settings, await Ledger.open(database))

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """The front door: the first path segment names the surface. No coroutine of its own: hot path."""
        if scope["type"] != "http":
            return _refuse(scope, send)
        path = scope["path"]
        segment = path[1:].split("/", 1)[0]
        if not segment and path != "/":  # "//hit/x" and "*" (OPTIONS) name no surface
            return self._nobody(scope, receive, send)
        return self._surfaces.get(segment, self._nobody)(scope, receive, send)

    async def close(self) -> None:
        """Finish what was accepted and close the stores."""
        self._sweeping.cancel()
        try:
            with suppress(asyncio.CancelledError):
                await self._sweeping
        finally:
            await self.ledger.close()


def claimed(surfaces: Mapping[str, tuple[frozenset[str], AsgiApp]]) -> dict[str, AsgiApp]:
    """Which surface answers each first path segment.

    Raises:
        StartRefused: two surfaces claim one segment.
    """
    owners: dict[str, str] = {}
    for name, (segments, _) in surfaces.items():
        for segment in segments:
            if segment in owners:
                msg = f"the surfaces {owners[segment]} and {name} both claim /{segment}"
                raise StartRefused(msg)
            owners[segment] = name
    return {segment: surfaces[name][1] for segment, name in owners.items()}


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})


async def _sweep(counting: Counting) -> None:
    """Remove expired counters, a few at a time, for as long as the server runs."""
    while True:
        await asyncio.sleep(SWEEP_EVERY_S)
        try:
            if removed := await counting.sweep():
                log.info("expired counters removed", count=removed)
        except StoreUnavailable as error:
            log.warning("the sweep was put off", reason=str(error))
        except Exception:
            log.exception("the sweep failed; it goes on later")
