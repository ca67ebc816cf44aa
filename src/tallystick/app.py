"""Composition root: builds stores, services and surfaces from settings, as one ASGI application."""

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from functools import partial
from typing import Self

from tallystick.errors import InvalidSetting, StartRefused, StoreUnavailable
from tallystick.server.http_server import HttpServer
from tallystick.server.limits import ConnectionCounts, ConnectionLimits
from tallystick.server.listening import UnixListen
from tallystick.services.common_limits import CommonLimits
from tallystick.services.ingest.ingest import Knowledge
from tallystick.services.job_worker import JobWorker
from tallystick.services.opening import Stores, open_stores
from tallystick.services.ownership import Ownership
from tallystick.services.services import build_services
from tallystick.services.stores import backup_notes, file_place
from tallystick.services.sweeping import sweeps
from tallystick.settings import Settings
from tallystick.surfaces import countapi, counters, counttogether, dashboard, goatcounter, native, plausible
from tallystick.web.address import FORWARDED_FOR, ClientAddresses
from tallystick.web.asgi import AsgiApp, Receive, Scope, Send, wants_page
from tallystick.web.base_path import UnderBasePath, lanes_under, refusals_under
from tallystick.web.bodies import SMALL_BODY, Bodies, may_have_body
from tallystick.web.dispatch import claims, dispatchers, refusal_answer
from tallystick.web.openapi import Description
from tallystick.web.own_address import OwnAddress
from tallystick.web.public_limits import VISITORS, CreationLimit, KeyedLimit
from tallystick.web.rate_limit import RateLimits
from tallystick.web.surface import Kit, Surface, default_rates, openapi_files, streamed_bodies
from tallystick.web.traffic import Traffic

SURFACES = (
    countapi.SURFACE,
    counters.SURFACE,
    goatcounter.SURFACE,
    counttogether.SURFACE,
    plausible.SURFACE,
    native.SURFACE,
    dashboard.SURFACE,
)
"""Every published contract; the order is that of their descriptions."""

MB = 1_000_000


class Application:
    """The whole server as one ASGI application, with its stores open until ``close``.

    Args:
        knowledge: countries and spam referrers; by default they are read from files.
        surfaces: must include CountAPI and the dashboard, which answer unclaimed paths.

    Attributes:
        apps: ASGI applications by name of the surface.
        sockets: WebSockets that have to be closed before the server stops.
        hot_lanes: of frequent requests, by prefix of the URL.
        refusal_answer: encodes what the HTTP server itself refuses.
        connection_counts: what the HTTP server counts, for the metrics.
    """

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        knowledge: Knowledge | None = None,
        surfaces: Sequence[Surface] = SURFACES,
    ) -> None:
        self._stores, self.ledger, self.warehouse = stores, stores.ledger, stores.warehouse
        kit = kit_of(settings, surfaces)
        self.common_limits = CommonLimits.of(stores.ledger)
        kit.limits.hold_over_all(self.common_limits)
        kit.keyed.share()
        kit.creations.share()
        self.services = services = build_services(
            stores.ledger,
            stores.warehouse,
            data=settings.data,
            place=partial(file_place, settings.lake, settings.data),
            noted=backup_notes(stores.ledger.database, settings.lake, settings.data),
            knowledge=knowledge or Knowledge.load(settings.geodb, settings.spam_referrers),
            seals=stores.seals,
            admits_new_name=lambda site, address: (
                kit.limits.admit_address(goatcounter.NEW_NAMES.name, address, site).admitted
            ),
            admits_visitor=lambda address: kit.limits.admit_address(VISITORS.name, address).admitted,
            counter_lifetime=settings.counter_lifetime,
            default_site=settings.default_site,
            hide_foreign=settings.hide_foreign_counters,
        )
        self.apps = {surface.name: surface.build(services, kit) for surface in surfaces}
        self.sockets = [apps.sockets for apps in self.apps.values() if apps.sockets is not None]
        self._http, self._websocket = dispatchers(surfaces, self.apps, self._unclaimed)
        lanes = {prefix: lane for apps in self.apps.values() for prefix, lane in apps.hot.items()}
        self.hot_lanes = lanes if not settings.base_path else lanes_under(settings.base_path, lanes)
        self.refusal_answer = refusal_answer(surfaces, self.apps, countapi.SURFACE.name)
        self._entrance: AsgiApp = self._pass_on
        if settings.base_path:
            self.refusal_answer = refusals_under(settings.base_path, self.refusal_answer)
            self._entrance = UnderBasePath(self._pass_on, settings.base_path)
        self.connection_counts = kit.connections
        self._with_body = Bodies(
            self._http,
            kit.addresses,
            within_s=settings.body_timeout,
            largest=settings.max_body,
            streamed=streamed_bodies(surfaces),
            largest_streamed=kit.max_upload + SMALL_BODY,
        )
        self.services.following.start()
        ledger, warehouse, forget = stores.ledger, stores.warehouse, services.forget_names
        self.ownership = Ownership(ledger, warehouse, settings.data, forget)
        self._jobs = JobWorker(
            ledger, warehouse, forget, watch=services.clock, passed=stores.passed, exports=services.exports.folder
        )
        self.tasks = services.tasks
        self.tasks.add(
            *sweeps(services),
            *self._jobs.tasks(),
            *services.superuser_logins.tasks(),
            *services.logouts.tasks(),
            *services.counter_uploads.tasks(),
            *services.exports.tasks(),
            *services.uploads.tasks(),
            *services.following.tasks(),
            *services.operating.tasks(),
            *self.ownership.tasks(),
            *(self.common_limits.tasks() if self.common_limits else ()),
        )

    @classmethod
    async def open(
        cls, settings: Settings, *, accept_loss: bool = False, surfaces: Sequence[Surface] = SURFACES
    ) -> Self:
        """Open the stores, build the application and start its background tasks.

        Args:
            accept_loss: start although one store lacks data that another one has noted.

        Raises:
            StartRefused: a database or a file cannot be used, or two settings do not fit.
        """
        kit_of(settings, surfaces)  # before any store is opened
        knowledge = await asyncio.to_thread(Knowledge.load, settings.geodb, settings.spam_referrers)
        stores = await open_stores(
            settings.data,
            settings.database,
            settings.durability,
            settings.warehouse_memory,
            lake=settings.lake,
            most_keys=settings.namespace_keys or None,
            accept_loss=accept_loss,
        )
        try:
            application = cls(settings, stores, knowledge, surfaces)
        except BaseException:
            await stores.close()
            raise
        try:
            await application.services.setup.begin()
            if application.common_limits:
                await application.common_limits.begin()
            await application.ownership.begin()
        except BaseException as error:
            await application.close()
            if isinstance(error, (StoreUnavailable, OSError)):
                msg = f"cannot learn what other servers on this database do: {error}"
                raise StartRefused(msg) from error
            raise
        application.tasks.start()
        return application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to its surface."""
        await self._entrance(scope, receive, send)

    def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """No coroutine of its own: each request that is not hot runs through it."""
        if scope["type"] == "websocket":
            return self._websocket(scope, receive, send)
        if scope["type"] != "http":
            msg = f"this application does not answer the scope {scope['type']}"
            raise NotImplementedError(msg)
        return (self._with_body if may_have_body(scope) else self._http)(scope, receive, send)

    def http_server(self, limits: ConnectionLimits) -> HttpServer:
        """Make the HTTP server of this application, with the hot lanes of its surfaces."""
        return HttpServer(
            self,
            lanes=self.hot_lanes,
            refusal_answer=self.refusal_answer,
            limits=limits,
            counts=self.connection_counts,
        )

    def _unclaimed(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer unclaimed paths: JSON of CountAPI for its clients, a page for a browser's navigation."""
        surface = dashboard.SURFACE if wants_page(scope) else countapi.SURFACE
        return self.apps[surface.name].http(scope, receive, send)

    async def close(self) -> None:
        """Finish accepted work and close the stores."""
        try:
            self.services.following.end_all()
            await self.tasks.close()
            with suppress(StoreUnavailable):  # logged by the store; the numbers of the last seconds are lost
                await self.services.ingest.dropped.keep()
            await self.services.following.close()
            await self._jobs.close()
        finally:
            await self._stores.close()


def kit_of(settings: Settings, surfaces: Sequence[Surface] = SURFACES) -> Kit:
    """The kit: what surfaces share besides services.

    Raises:
        StartRefused: two settings, or two surfaces, do not fit.
    """
    by_unix_socket = any(isinstance(address, UnixListen) for address in settings.listen)
    if settings.client_address_header != FORWARDED_FOR and not (settings.trusted_proxy or by_unix_socket):
        msg = "--client-address-header is read from trusted proxies only: name them with --trusted-proxy"
        raise InvalidSetting(msg)
    claims(surfaces)
    traffic, addresses = Traffic(), ClientAddresses(settings.trusted_proxy, settings.client_address_header)
    for surface in surfaces:
        traffic.expect(surface.name, surface.reasons)
    limits = RateLimits(default_rates(surfaces), settings.rate_limit)
    return Kit(
        addresses=addresses,
        own=OwnAddress(addresses, settings.public_url, settings.base_path),
        limits=limits,
        keyed=KeyedLimit(limits, addresses),
        traffic=traffic,
        description=Description(openapi_files(surfaces), settings.base_path),
        public_counters=settings.public_counters,
        join=settings.join,
        connections=ConnectionCounts(),
        creations=CreationLimit(settings.creation_limit, limits),
        count_prefetch=settings.count_prefetch,
        max_upload=settings.max_upload * MB,
    )
