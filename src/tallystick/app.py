"""Composition root: builds stores, services and surfaces from settings, as one ASGI application."""

import asyncio
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Self

import structlog

from tallystick.errors import InvalidSetting, StartRefused, StoreUnavailable
from tallystick.ledger import Ledger, open_database
from tallystick.services.accounts.seals import KEY_FILE, VARIABLE, Seals
from tallystick.services.accounts.sites import Sites
from tallystick.services.accounts.two_factor import seal_secrets, unreadable_secrets
from tallystick.services.clock import ClockWatch
from tallystick.services.counting.counting import Counting
from tallystick.services.ingest.ingest import Knowledge
from tallystick.services.job_worker import JobWorker
from tallystick.services.ownership import Ownership
from tallystick.services.services import build_services
from tallystick.services.sharing.sweeping import sweep as sharing_sweep
from tallystick.services.stores import opened_warehouse
from tallystick.services.time_passed import TimePassed
from tallystick.settings import Settings
from tallystick.surfaces import countapi, counttogether, dashboard, goatcounter, native
from tallystick.tasks import BackgroundTask
from tallystick.warehouse import Warehouse
from tallystick.web.address import FORWARDED_FOR, ClientAddresses
from tallystick.web.asgi import AsgiApp, Receive, Scope, Send, wants_page
from tallystick.web.bodies import Bodies, may_have_body
from tallystick.web.front_door import claims, front_door, refuse
from tallystick.web.openapi import Description
from tallystick.web.own_address import OwnAddress
from tallystick.web.rate_limit import RateLimits
from tallystick.web.surface import Kit, Surface, default_rates, openapi_files
from tallystick.web.traffic import Traffic

SWEEP_EVERY_S = 30.0
RENEWED_WITHIN_S = 3_600.0
"""Where counters never expire any more, each has to be read once."""

log = structlog.get_logger()


SURFACES = (countapi.SURFACE, goatcounter.SURFACE, counttogether.SURFACE, native.SURFACE, dashboard.SURFACE)
"""Every published contract; the order is that of their descriptions."""


class Application:
    """The whole server as one ASGI application, with its stores open until ``close``.

    Args:
        warehouse: opened in the same data directory.
        knowledge: countries and spam referrers; read here unless they are given.
        seals: with the key of this data; without them the secrets of authenticator apps are valid until the
            application closes.
        surfaces: what it answers.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # what open has made
        self,
        settings: Settings,
        ledger: Ledger,
        warehouse: Warehouse,
        knowledge: Knowledge | None = None,
        seals: Seals | None = None,
        passed: TimePassed | None = None,
        surfaces: Sequence[Surface] = SURFACES,
    ) -> None:
        self.ledger, self.warehouse = ledger, warehouse
        kit = kit_of(settings, surfaces)
        self.services = services = build_services(
            ledger,
            warehouse,
            knowledge=knowledge or Knowledge.load(settings.geodb, settings.spam_referrers),
            seals=seals,
            admits_new_name=lambda site, address: kit.limits.admit_address("new-names", address, site).admitted,
            counter_lifetime=settings.counter_lifetime,
            default_site=settings.default_site,
            hide_foreign=settings.hide_foreign_counters,
        )
        self.apps = {surface.name: surface.build(services, kit) for surface in surfaces}
        self.sockets = [apps.sockets for apps in self.apps.values() if apps.sockets is not None]
        self._http, self._websocket = self._doors(surfaces)
        self._with_body = Bodies(self._http, kit.addresses)
        self.services.following.start()
        self.ownership = Ownership(ledger, warehouse, settings.data, services.forget_names)
        self._jobs = JobWorker(ledger, warehouse, services.forget_names, watch=services.clock, passed=passed)
        self.tasks = services.tasks
        self.tasks.add(
            *sweeps(services.counting, ledger, services.sites, services.clock),
            *self._jobs.tasks(),
            *services.exports.tasks(),
            *services.following.tasks(),
            *self.ownership.tasks(),
        )

    @classmethod
    async def open(
        cls, settings: Settings, *, accept_loss: bool = False, surfaces: Sequence[Surface] = SURFACES
    ) -> Self:
        """Open the stores and introduce everyone.

        Args:
            accept_loss: go on where one store lacks what another one proves.

        Raises:
            StartRefused: a database or a file cannot be used, or two settings do not fit.
        """
        kit_of(settings, surfaces)  # before any store is opened
        knowledge = await asyncio.to_thread(Knowledge.load, settings.geodb, settings.spam_referrers)
        seals = await asyncio.to_thread(Seals.found, settings.data)
        ledger = await Ledger.open(open_database(settings.database, settings.data, settings.durability))
        try:
            passed = TimePassed(ledger, ledger.clock)
            await passed.begin()
            ledger.passed = passed
            if seals:
                await _seal_secrets(ledger, seals)
            warehouse = await opened_warehouse(
                ledger,
                settings.data,
                settings.durability,
                settings.warehouse_memory,
                accept_loss=accept_loss,
            )
            try:
                application = cls(settings, ledger, warehouse, knowledge, seals, passed, surfaces)
            except BaseException:
                await warehouse.close()
                raise
        except BaseException:
            # Also a cancellation and errors of our own: the threads behind the stores would go on.
            await ledger.close()
            raise
        try:
            await application.ownership.begin()
        except BaseException as error:
            await application.close()
            if isinstance(error, (StoreUnavailable, OSError)):
                msg = f"cannot learn which server counts pageviews: {error}"
                raise StartRefused(msg) from error
            raise
        application.tasks.start()
        return application

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a request on to its surface. No coroutine of its own: hot path."""
        if scope["type"] != "http":
            return self._websocket(scope, receive, send)
        if may_have_body(scope):
            return self._with_body(scope, receive, send)
        return self._http(scope, receive, send)

    def _doors(self, surfaces: Sequence[Surface]) -> tuple[AsgiApp, AsgiApp]:
        """What passes HTTP requests and WebSockets on by their path."""
        owners = claims(surfaces)
        # CountAPI's clients read JSON whatever path they ask for, so it answers for paths that no surface claims;
        # a person who mistyped an address gets a page.
        public, pages = self.apps[countapi.SURFACE.name].http, self.apps[dashboard.SURFACE.name].http

        def unclaimed(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            return (pages if wants_page(scope) else public)(scope, receive, send)

        http = {prefix: self.apps[surface.name].http for prefix, surface in owners.items()}
        websockets = {prefix: self.apps[surface.name].websocket or refuse for prefix, surface in owners.items()}
        return front_door(http, unclaimed), front_door(websockets, refuse)

    async def close(self) -> None:
        """Finish what was accepted and close the stores."""
        try:
            self.services.following.end_all()
            await self.tasks.close()
            await self.services.following.close()
            await self._jobs.close()
        finally:
            try:
                await self.warehouse.close()
            finally:
                await self.ledger.close()


async def _seal_secrets(ledger: Ledger, seals: Seals) -> None:
    """Encrypt what an older version has stored as it was, and say which secrets the key does not open."""
    if sealed := await ledger.write(seal_secrets, seals):
        log.info("secrets of authenticator apps were encrypted", count=sealed)
    if unreadable := await ledger.read(unreadable_secrets, seals):
        log.error(
            "the key does not open secrets of authenticator apps; people need recovery codes until it is put back",
            count=unreadable,
            key=f"{KEY_FILE} in the data directory, or {VARIABLE}",
        )


def kit_of(settings: Settings, surfaces: Sequence[Surface] = SURFACES) -> Kit:
    """What surfaces share besides services.

    Raises:
        StartRefused: two settings, or two surfaces, do not fit.
    """
    if settings.client_address_header != FORWARDED_FOR and not settings.trusted_proxy:
        msg = "--client-address-header is read from trusted proxies only: name them with --trusted-proxy"
        raise InvalidSetting(msg)
    claims(surfaces)
    traffic, addresses = Traffic(), ClientAddresses(settings.trusted_proxy, settings.client_address_header)
    for surface in surfaces:
        traffic.expect(surface.name, surface.reasons)
    return Kit(
        addresses=addresses,
        own=OwnAddress(addresses, settings.public_url),
        limits=RateLimits(default_rates(surfaces), settings.rate_limit),
        traffic=traffic,
        description=Description(openapi_files(surfaces)),
        public_counters=settings.public_counters,
        creation_limit=settings.creation_limit,
        count_prefetch=settings.count_prefetch,
    )


def sweeps(counting: Counting, ledger: Ledger, sites: Sites, clock: ClockWatch) -> list[BackgroundTask]:
    """Remove what is expired or over, a few at a time."""

    async def expired_counters() -> None:
        if removed := await remove_expired(counting, clock):
            log.info("expired counters removed", count=removed)

    async def shared_counters() -> None:
        await ledger.write(sharing_sweep, ledger.clock(), ledger.passed())

    # Only later: the clock has to be compared with the newest commit first.
    later = partial(BackgroundTask, period=SWEEP_EVERY_S, begins_after=SWEEP_EVERY_S)
    return [
        BackgroundTask("renewal", counting.renew, SWEEP_EVERY_S, overdue_after=RENEWED_WITHIN_S),
        later("expired-counters", expired_counters),
        later("shared-counters", shared_counters),
        later("unknown-hosts", sites.keep_unknown),
    ]


async def remove_expired(counting: Counting, clock: ClockWatch) -> int:
    """Remove some expired counters, unless the clock is ahead: by it, counters look expired that are not."""
    return await counting.sweep() if clock.ahead <= 0 else 0
