"""What a surface is: one published contract, with everything it declares about itself and the way it is built."""

from collections.abc import Callable, Iterable, Mapping
from importlib.resources.abc import Traversable
from typing import Literal, NamedTuple, Protocol

from msgspec import Struct

from tallystick.server.hot_lane import Answer, HotLane
from tallystick.server.limits import ConnectionCounts
from tallystick.server.refusals import Refusal
from tallystick.services.services import Services
from tallystick.web.address import ClientAddresses
from tallystick.web.asgi import AsgiApp, Scope
from tallystick.web.bodies import LARGEST_STREAMED
from tallystick.web.openapi import Description
from tallystick.web.own_address import OwnAddress
from tallystick.web.public_limits import CreationLimit, KeyedLimit
from tallystick.web.rate_limit import Rate, RateLimits
from tallystick.web.traffic import Traffic

PublicCounters = Literal["open", "existing", "off"]
"""Whether any request may create public counters, none may, or there are no public counters at all."""


Joining = Literal["invited", "anyone"]
"""Who may make an account without an invite: nobody, or everyone."""


class Kit(Struct, frozen=True, kw_only=True):
    """What surfaces share besides services: one of each a server.

    Attributes:
        limits: every surface's limits, as the operator has set them.
        description: the API of every surface.
        connections: what the HTTP server counts.
        creations: the limits of new public counters.
        keyed: the limit of changes of public counters with an ``Idempotency-Key``.
        count_prefetch: whether requests that a browser makes ahead of time count.
        max_upload: bytes of a file in a body that is streamed.
    """

    addresses: ClientAddresses
    own: OwnAddress
    limits: RateLimits
    traffic: Traffic
    description: Description
    connections: ConnectionCounts
    keyed: KeyedLimit
    creations: CreationLimit
    public_counters: PublicCounters = "open"
    join: Joining = "invited"
    count_prefetch: bool = False
    max_upload: int = LARGEST_STREAMED


class LiveSockets(Protocol):
    """WebSockets that have to be closed before the server stops."""

    async def close_all(self, within: float) -> None:
        """Close them, and accept no more.

        Args:
            within: seconds after which connections that do not finish are left.
        """


class SurfaceApps(NamedTuple):
    """What a surface's requests are passed to.

    Attributes:
        websocket: None where the surface has no WebSockets.
        sockets: None where the server itself may close them when it stops.
        hot: lanes for its most frequent requests, by prefix of the URL; see ``server/DESIGN.md``.
        refuse: encodes what the server itself refuses (a malformed request, for example) in the surface's own form,
            given the path; None for plain text.
    """

    http: AsgiApp
    websocket: AsgiApp | None = None
    sockets: LiveSockets | None = None
    hot: Mapping[bytes, HotLane] = {}
    refuse: Callable[[str, Refusal], Answer] | None = None


class Surface(Struct, frozen=True, kw_only=True):
    """One published contract.

    Attributes:
        name: what metrics and logs call it.
        prefixes: paths that belong to it with everything below them, for example ``/v1``; the longest prefix of a path
            decides. ``/`` is the root page alone.
        build: makes its ASGI applications. Called once, while an event loop runs.
        rates: its rate limits, with their defaults.
        reasons: why it refuses requests, as the metrics count it.
        openapi: its API description; None where there is nothing to describe.
        within: which paths belong to it although another surface claims their prefix, by that prefix.
        streams: whether a request's body is passed on part by part and may be large; it is held nowhere as a whole.
    """

    name: str
    prefixes: tuple[str, ...]
    build: Callable[[Services, Kit], SurfaceApps]
    rates: tuple[Rate, ...] = ()
    reasons: frozenset[str] = frozenset()
    openapi: Traversable | None = None
    within: Mapping[str, Callable[[str], bool]] = {}
    streams: Callable[[Scope], bool] | None = None


def default_rates(surfaces: Iterable[Surface]) -> tuple[Rate, ...]:
    """Every surface's limits."""
    return tuple(rate for surface in surfaces for rate in surface.rates)


def openapi_files(surfaces: Iterable[Surface]) -> tuple[Traversable, ...]:
    """The API descriptions that there are."""
    return tuple(surface.openapi for surface in surfaces if surface.openapi is not None)


def streamed_bodies(surfaces: Iterable[Surface]) -> Callable[[Scope], bool]:
    """Whether some surface streams the body of a request."""
    checks = [surface.streams for surface in surfaces if surface.streams is not None]
    return lambda scope: any(check(scope) for check in checks)
