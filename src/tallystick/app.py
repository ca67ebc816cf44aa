"""Introduces everyone to everyone: settings -> stores -> services -> surfaces -> one ASGI application."""

import asyncio
from collections.abc import Awaitable, Collection, Mapping
from functools import partial
from typing import Self

import structlog

from tallystick.errors import InvalidSetting, StartRefused, StoreUnavailable
from tallystick.ledger import Ledger, open_database
from tallystick.services.accounts.seals import KEY_FILE, VARIABLE, Seals
from tallystick.services.accounts.setup import Setup
from tallystick.services.accounts.sites import Sites
from tallystick.services.accounts.tokens import Tokens
from tallystick.services.accounts.two_factor import seal_secrets, unreadable_secrets
from tallystick.services.analytics.names import Names
from tallystick.services.analytics.visitor_counter import VisitorCounter
from tallystick.services.clock import ClockWatch
from tallystick.services.counting.counting import Counting
from tallystick.services.exports.exports import Exports
from tallystick.services.feed.following import Following
from tallystick.services.ingest.ingest import Ingest, Knowledge
from tallystick.services.job_worker import JobWorker
from tallystick.services.kept_answers import InFlight
from tallystick.services.keyed_requests import KeyedRequests
from tallystick.services.ownership import Ownership
from tallystick.services.sharing.service import Sharing
from tallystick.services.sharing.sweeping import sweep as sharing_sweep
from tallystick.services.stores import opened_warehouse
from tallystick.services.time_passed import TimePassed
from tallystick.settings import Settings
from tallystick.surfaces import countapi, counttogether, dashboard, goatcounter, native
from tallystick.tasks import BackgroundTask, BackgroundTasks
from tallystick.warehouse import Warehouse
from tallystick.web.address import FORWARDED_FOR, ClientAddresses
from tallystick.web.asgi import AsgiApp, Receive, Scope, Send, wants_page
from tallystick.web.bodies import Bodies, may_have_body
from tallystick.web.own_address import Located, OwnAddress
from tallystick.web.rate_limit import CreationLimit, KeyedLimit, RateLimits
from tallystick.web.traffic import Traffic

SWEEP_EVERY_S = 30.0
RENEWED_WITHIN_S = 3_600.0
"""Where counters never expire any more, each has to be read once."""

log = structlog.get_logger()


class Application:
    """The whole server as one ASGI application, with its stores open until ``close``.

    Args:
        warehouse: opened in the same data directory.
        knowledge: what hits are judged by; read here when it is not given.
        seals: with the key of this data; without them secrets are good until the application closes.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # what open has made
        self,
        settings: Settings,
        ledger: Ledger,
        warehouse: Warehouse,
        knowledge: Knowledge | None = None,
        seals: Seals | None = None,
        passed: TimePassed | None = None,
    ) -> None:
        self.ledger, self.warehouse = ledger, warehouse
        counting = Counting(ledger, settings.counter_lifetime)
        traffic = Traffic()
        addresses = ClientAddresses(settings.trusted_proxy, settings.client_address_header)
        creations = CreationLimit(settings.creation_limit, addresses) if settings.creation_limit else None
        limits = RateLimits(settings.rate_limit)
        self.setup = Setup(ledger)
        self.clock = ClockWatch(ledger, warehouse.clock)
        knowledge = knowledge or Knowledge.load(settings.geodb, settings.spam_referrers)
        self.services = analytics(settings, ledger, warehouse, knowledge, limits)
        self.sharing = shared_counters(settings, ledger, self.services.tokens, limits, addresses)
        description = native.Description(countapi, goatcounter, counttogether, native)
        public = countapi.CountApi(
            counting,
            traffic,
            creations,
            KeyedLimit(limits, addresses),
            count_prefetch=settings.count_prefetch,
            public_counters=settings.public_counters,
        )
        own = OwnAddress(addresses, settings.public_url)
        live = native.LiveCounters(self.sharing.following, addresses, switched_off=settings.public_counters == "off")
        shared = counttogether.CountTogether(self.sharing, addresses, traffic, own)
        self.sockets = shared.sockets
        self._surfaces = claimed(
            {
                "countapi": (countapi.SEGMENTS, public),
                "goatcounter": (
                    goatcounter.SEGMENTS,
                    goatcounter.GoatCounter(self.services, limits, addresses, traffic),
                ),
                "counttogether": (counttogether.SEGMENTS, shared),
                "native": (native.SEGMENTS, native.native(ledger, traffic, description, warehouse, live, self.clock)),
                "dashboard": (
                    dashboard.SEGMENTS,
                    Located(
                        dashboard.dashboard(
                            ledger,
                            traffic,
                            description,
                            setup=self.setup,
                            seals=seals or Seals.new(),
                            sites=self.services.sites,
                            tokens=self.services.tokens,
                            sharing=self.sharing.sharing,
                            rates=limits,
                            addresses=addresses,
                            public_counters=settings.public_counters,
                        ),
                        own,
                    ),
                ),
            }
        )
        # CountAPI's clients read JSON whatever path they ask for, so it answers for paths that nobody claims;
        # a person who mistyped an address gets a page.
        pages = self._surfaces[""]

        def unclaimed(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            return (pages if wants_page(scope) else public)(scope, receive, send)

        self._nobody = unclaimed
        self._with_body = Bodies(self._surface, addresses)
        self.sharing.following.start()
        self.ownership = Ownership(ledger, warehouse, settings.data, partial(self._forget_names, ()))
        self._jobs = JobWorker(ledger, warehouse, self._forget_names, watch=self.clock, passed=passed)
        self.tasks = BackgroundTasks(
            [
                *sweeps(counting, ledger, self.services.sites, self.clock),
                *self._jobs.tasks(),
                *self.services.exports.tasks(),
                *self.sharing.following.tasks(),
                *self.ownership.tasks(),
            ]
        )

    @classmethod
    async def open(cls, settings: Settings, *, accept_loss: bool = False) -> Self:
        """Open the stores and introduce everyone.

        Args:
            accept_loss: go on where one store lacks what another one proves.

        Raises:
            StartRefused: a database or a file cannot be used, or two settings do not fit.
        """
        if settings.client_address_header != FORWARDED_FOR and not settings.trusted_proxy:
            msg = "--client-address-header is read from trusted proxies only: name them with --trusted-proxy"
            raise InvalidSetting(msg)
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
                application = cls(settings, ledger, warehouse, knowledge, seals, passed)
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
        """The front door: the first path segment names the surface. No coroutine of its own: hot path."""
        if scope["type"] != "http":
            return self._other(scope, receive, send)
        if may_have_body(scope):
            return self._with_body(scope, receive, send)
        return self._surface(scope, receive, send)

    def _surface(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        path = scope["path"]
        segment = path[1:].split("/", 1)[0]
        if not segment and path != "/":  # "//hit/x" and "*" (OPTIONS) name no surface
            return self._nobody(scope, receive, send)
        return self._surfaces.get(segment, self._nobody)(scope, receive, send)

    def _other(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """WebSockets go to whom they belong; nobody else knows them."""
        if scope["type"] == "websocket" and scope["path"][1:].split("/", 1)[0] in counttogether.SEGMENTS:
            return self._surfaces["v1"](scope, receive, send)
        return _refuse(scope, send)

    def _forget_names(self, deleted: Collection[int]) -> None:
        """Something else has changed what names and Hosts mean."""
        self.services.names.forget(deleted)
        self.services.sites.invalidate()

    async def close(self) -> None:
        """Finish what was accepted and close the stores."""
        try:
            self.sharing.following.end_all()
            await self.tasks.close()
            await self.sharing.following.close()
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


def analytics(
    settings: Settings, ledger: Ledger, warehouse: Warehouse, knowledge: Knowledge, limits: RateLimits
) -> goatcounter.Services:
    """Everyone who has to do with sites and their hits."""
    names = Names(ledger)
    return goatcounter.Services(
        ledger=ledger,
        warehouse=warehouse,
        sites=Sites(ledger, default=settings.default_site),
        tokens=Tokens(ledger),
        names=names,
        ingest=Ingest(
            ledger,
            warehouse,
            names,
            knowledge,
            lambda site, address: limits.admit_address("new-names", address, site).admitted,
        ),
        exports=Exports(ledger, warehouse, warehouse.exports),
        keyed_requests=KeyedRequests(warehouse),
        visitor_counter=VisitorCounter(ledger, warehouse),
    )


def shared_counters(
    settings: Settings, ledger: Ledger, tokens: Tokens, limits: RateLimits, addresses: ClientAddresses
) -> counttogether.Services:
    """Everyone who has to do with counters that people share."""
    following = Following(ledger)
    return counttogether.Services(
        ledger=ledger,
        sharing=Sharing(ledger, following.wake),
        following=following,
        tokens=tokens,
        gate=counttogether.Gate(tokens, limits, addresses),
        in_flight=InFlight(),
        hide_foreign=settings.hide_foreign_counters,
    )


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
