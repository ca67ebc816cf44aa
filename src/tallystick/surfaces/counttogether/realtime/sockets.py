"""WebSockets: authenticate, subscribe, accept, resume, then publish changes until either side closes.

Subscribe before accepting: the client may see its 101 before we do, and must get every change after it.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import structlog
from msgspec import UNSET

from tallystick.errors import StoreUnavailable
from tallystick.hub.hub import Ending, Subscription, SubscriptionEnded
from tallystick.model.account import Principal
from tallystick.services.services import Services
from tallystick.surfaces.counttogether.authorization import Gate
from tallystick.surfaces.counttogether.errors import (
    LIMITED,
    REASON_BY_STATUS,
    SURFACE,
    UNAVAILABLE,
    CodedRefusal,
    response_to,
)
from tallystick.surfaces.counttogether.realtime.channel import Channel, Closing, PeerTooSlow
from tallystick.surfaces.counttogether.realtime.client_messages import (
    BadMessage,
    Credentials,
    Pace,
    credentials_in,
    response_to_message,
)
from tallystick.surfaces.counttogether.realtime.frames import ChangeEncoder, connected_frame, error_frame, result_frame
from tallystick.surfaces.counttogether.realtime.opening import (
    Opening,
    OverLimit,
    admitted,
    missed,
    opening_of,
    permit,
    subscribed,
)
from tallystick.web.address import ClientAddresses, rate_limit_name
from tallystick.web.answers import ApiResponse
from tallystick.web.api import count_response
from tallystick.web.asgi import Receive
from tallystick.web.places import NoPlace, Places
from tallystick.web.refusals import ApiRefused
from tallystick.web.routing import NoRoute
from tallystick.web.side_by_side import first_to_end
from tallystick.web.traffic import Traffic

VERSIONS = {"/v1/ws": 1, "/v2/ws": 2}
FIRST_MESSAGE_WITHIN_S = 5.0
UNAUTHENTICATED_AT_MOST = 1_000
"""Sockets that wait for their credentials."""
UNAUTHENTICATED_OF_ONE_ADDRESS = 100
REFUSED = -32000
"""JSON-RPC leaves this number to servers."""

ENDINGS = {
    Ending.REVOKED: Closing.UNAUTHORIZED,
    Ending.SLOW: Closing.TOO_SLOW,
    Ending.RESTARTING: Closing.RESTART,
}

log = structlog.get_logger()


class Sockets:
    """All WebSockets of this server."""

    def __init__(self, services: Services, gate: Gate, addresses: ClientAddresses, traffic: Traffic) -> None:
        self.services, self._gate = services, gate
        self._addresses, self._traffic = addresses, traffic
        self._unauthenticated = Places(UNAUTHENTICATED_AT_MOST, UNAUTHENTICATED_OF_ONE_ADDRESS)
        self._stopping = asyncio.Event()
        self._open: set[Socket] = set()
        self._all_closed = asyncio.Event()

    async def open(self, scope: Mapping[str, Any], gone: Receive | None = None) -> "Socket":
        """Authenticate a request for a WebSocket and subscribe it; call ``end`` with the result in any case.

        Args:
            gone: returns a ``.disconnect`` message when the client disconnects.

        Raises:
            ApiRefused, StoreUnavailable: see ``denial``.
        """
        version = VERSIONS.get(scope["path"].removesuffix("/"))
        if version is None:
            raise NoRoute
        principal = await admitted(self.services, self._gate, scope, gone)
        socket = Socket(self.services, self._gate, await opening_of(scope, version), scope)
        if principal is not None:
            await socket.subscribe(principal)
        if self._stopping.is_set():
            socket.close()
            msg = "the server restarts"
            raise CodedRefusal(UNAVAILABLE, msg, ((b"retry-after", b"1"),))
        self._open.add(socket)
        return socket

    def denial(self, error: Exception) -> ApiResponse:
        """The response to a refused upgrade; counts it."""
        response = response_to(error)
        count_response(self._traffic, SURFACE, response, REASON_BY_STATUS)
        return response

    async def run(self, socket: "Socket", channel: Channel) -> None:
        """Serve an accepted WebSocket until it is closed."""
        self._traffic.answered(SURFACE, 101)
        try:
            code = await self._run(socket, channel)
        except Exception:
            log.exception("a live connection failed")
            code = Closing.TRY_LATER
        if code is not None:
            await channel.close(code)

    async def _run(self, socket: "Socket", channel: Channel) -> Closing | None:
        if socket.subscription is None:
            place = rate_limit_name(self._addresses.of(socket.scope))
            try:
                self._unauthenticated.take(place)
            except NoPlace:
                return Closing.TRY_LATER
            try:
                code = await first_to_end(socket.authenticate(channel), self._stop())
            finally:
                self._unauthenticated.give_back(place)
            if socket.subscription is None:
                return code
        return await socket.serve(channel)

    def end(self, socket: "Socket") -> None:
        """Remove a socket whose connection is closed or was never opened."""
        socket.close()
        self._open.discard(socket)
        if not self._open:
            self._all_closed.set()

    async def _stop(self) -> Closing:
        await self._stopping.wait()
        return Closing.RESTART

    async def close_all(self, within: float) -> None:
        """Close all WebSockets with 1012 and refuse new ones. Returns when all are closed.

        Args:
            within: seconds after which it stops waiting.
        """
        self._stopping.set()
        self.services.following.end_all()
        self._all_closed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(within if self._open else 0):
                await self._all_closed.wait()


class Socket:
    """One WebSocket.

    Attributes:
        scope: of its opening request; empty when the principal is identified.
        subscription: None until the principal is identified.
    """

    __slots__ = ("_gate", "_opening", "_services", "scope", "subscription")

    def __init__(self, services: Services, gate: Gate, opening: Opening, scope: Mapping[str, Any]) -> None:
        self._services, self._gate, self._opening, self.scope = services, gate, opening, scope
        self.subscription: Subscription | None = None

    async def subscribe(self, principal: Principal) -> None:
        """Subscribe to the changes of the person's counters.

        Raises:
            ApiRefused, StoreUnavailable
        """
        zone = await self._opening.zone(principal.account)
        self.subscription = await subscribed(self._services.following, principal, zone)

    def close(self) -> None:
        """End the subscription."""
        if self.subscription is not None:
            self.subscription.close()

    async def authenticate(self, channel: Channel) -> Closing | None:
        """Take credentials from the first message. Returns the close code where they are missing or not valid."""
        try:
            async with asyncio.timeout(FIRST_MESSAGE_WITHIN_S):
                message = await channel.receive()
        except TimeoutError:
            return Closing.UNAUTHORIZED
        if message is None:
            return None
        try:
            credentials = credentials_in(message)
        except BadMessage:
            return Closing.BAD_MESSAGE
        return await self._subscribe_with(credentials, channel)

    async def _subscribe_with(self, credentials: Credentials, channel: Channel) -> Closing | None:
        refusal: ApiRefused | StoreUnavailable | None = None
        try:
            principal = await self._gate.principal(credentials.token, self.scope)
            await permit(self._gate, principal)
            await self.subscribe(principal)
        except (ApiRefused, StoreUnavailable) as error:
            refusal = error
        with suppress(PeerTooSlow):
            await _answer(channel, credentials.number, refusal)
        return None if refusal is None else _closing(refusal)

    async def serve(self, channel: Channel) -> Closing | None:
        """Send and receive until either side ends it. Returns our close code; None when the client closed."""
        assert self.subscription is not None
        return await first_to_end(self._publish(channel, self.subscription), _receive(channel))

    async def _publish(self, channel: Channel, subscription: Subscription) -> Closing | None:
        following = self._services.following
        encoder = ChangeEncoder(self._opening.version, subscription.zone, following.epoch, self._services.ledger.clock)
        try:
            if self._opening.resume is not None:
                place, changes = await missed(following, subscription, self._opening.resume)
                await channel.send(connected_frame(place))
                for change in changes:
                    await channel.send(encoder.frame(change))
            while True:
                await channel.send(encoder.frame(await subscription.next()))
        except SubscriptionEnded as ended:
            return ENDINGS[ended.ending]
        except PeerTooSlow:
            return Closing.TOO_SLOW
        except StoreUnavailable:
            return Closing.TRY_LATER


async def _answer(channel: Channel, number: object, refusal: Exception | None) -> None:
    """Answer the first message, where it has an id."""
    if number is UNSET:
        return
    if refusal is None:
        await channel.send(result_frame(number, result=True))
    else:
        await channel.send(error_frame(number, REFUSED, str(refusal)))


async def _receive(channel: Channel) -> Closing | None:
    pace = Pace()
    try:
        while (message := await channel.receive()) is not None:
            pace.step()
            answer = response_to_message(message)
            if answer is not None:
                await channel.send(answer)
    except BadMessage:
        return Closing.BAD_MESSAGE
    except PeerTooSlow:
        return Closing.TOO_SLOW
    return None


def _closing(error: Exception) -> Closing:
    """The close code of a connection whose first message was refused."""
    if not isinstance(error, ApiRefused) or error.status == UNAVAILABLE.status or isinstance(error, OverLimit):
        return Closing.TRY_LATER
    return Closing.TOO_MANY if error.status == LIMITED.status else Closing.UNAUTHORIZED
