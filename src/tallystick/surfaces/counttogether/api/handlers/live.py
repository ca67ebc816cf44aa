"""Tickets with which browsers open a WebSocket, and requests for a WebSocket that lack the upgrade."""

from msgspec import Struct

from tallystick.services.accounts.tickets import VALID_S, Ticket
from tallystick.services.services import Services
from tallystick.surfaces.counttogether import wire
from tallystick.surfaces.counttogether.api.calling import CounterCall
from tallystick.surfaces.counttogether.decoding import body_as
from tallystick.surfaces.counttogether.errors import UPGRADE, CodedRefusal
from tallystick.surfaces.counttogether.tickets import OWN_HOST, origin_in
from tallystick.web.answers import ApiResponse


class TicketBody(Struct, frozen=True):
    """The origin of the page that will use the ticket; by default that of the request."""

    origin: str | None = None


async def ticket(services: Services, call: CounterCall) -> ApiResponse:
    """A ticket that opens one WebSocket from one origin."""
    text = body_as(TicketBody, call.body).origin or call.header(b"origin")
    origin = OWN_HOST if text is None else origin_in(text)
    token = call.principal.token
    secret = await services.tickets.issue(Ticket(token.id, token.prefix, origin))
    return ApiResponse(201, wire.json({"ticket": secret, "expiresIn": int(VALID_S)}))


async def without_upgrade(_services: Services, _call: CounterCall) -> ApiResponse:
    """Refuse a request for a WebSocket that lacks the upgrade."""
    msg = "this is a WebSocket; ask for it with Upgrade: websocket, or read /v1/events"
    raise CodedRefusal(UPGRADE, msg, ((b"upgrade", b"websocket"), (b"connection", b"upgrade")))
