"""Opening a live connection: its principal, the limit, and the change that it resumes from."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from tallystick.hub.hub import Subscription, TooManySubscriptions
from tallystick.model.account import Account, Permission, Principal
from tallystick.services.accounts.tokens import principal_by_token
from tallystick.services.feed.following import Following
from tallystick.services.services import Services
from tallystick.surfaces.counttogether.authorization import IN_URL, MISSING, Gate
from tallystick.surfaces.counttogether.decoding import integer, query_values
from tallystick.surfaces.counttogether.errors import FORBIDDEN, LIMITED, UNAVAILABLE, CodedRefusal, Malformed
from tallystick.surfaces.counttogether.realtime.frames import Place
from tallystick.surfaces.counttogether.responses import limit_headers
from tallystick.surfaces.counttogether.tickets import is_from
from tallystick.surfaces.counttogether.zones import requested_zone, zone_of
from tallystick.web.asgi import Receive
from tallystick.web.bearer import require_permission
from tallystick.web.refusals import RateLimited, Unauthorized, retry_after

LARGEST_OFFSET = 2**53
LONGEST_EPOCH = 64
NO_OFFSET = -1
"""An offset that no change has: nothing can be recovered from it."""

TRY_AGAIN_AFTER_S = 30
OTHER_ORIGIN = "this ticket is for pages of another origin"
BAD_TICKET = "this ticket is spent, over or unknown"


class OverLimit(RateLimited):
    """The person has used up the limit; a later attempt may succeed."""

    def __init__(self, refusal: RateLimited, policy: bytes) -> None:
        super().__init__(refusal.admission)
        self.headers = limit_headers(refusal.admission, policy)


class ResumePoint(Struct, frozen=True):
    """The last change that a client received."""

    epoch: str
    offset: int


class Opening(Struct, frozen=True):
    """The parameters of a WebSocket's opening request.

    Attributes:
        version: of the API: 1 or 2.
        resume: the position to resume from; None for new changes only.
    """

    version: int
    query: Mapping[str, str]
    resume: ResumePoint | None

    async def zone(self, person: Account) -> ZoneInfo:
        """The time zone of the connection's days."""
        return await zone_of(self.query, person)


async def opening_of(scope: Mapping[str, Any], version: int) -> Opening:
    """Parse a WebSocket's opening request.

    Raises:
        Malformed
    """
    query = query_values(scope["query_string"])
    await requested_zone(query)
    return Opening(version, query, resume_in(query))


def resume_in(query: Mapping[str, str]) -> ResumePoint | None:
    """The position to resume from in a query; None without one.

    Raises:
        Malformed: the offset is not a number, or the epoch is too long.
    """
    if "epoch" not in query and "offset" not in query:
        return None
    epoch = query.get("epoch", "")
    if len(epoch) > LONGEST_EPOCH:
        msg = "no epoch is as long as that"
        raise Malformed(msg)
    return ResumePoint(epoch, integer(query, "offset", NO_OFFSET, least=0, most=LARGEST_OFFSET))


async def admitted(
    services: Services, gate: Gate, scope: Mapping[str, Any], gone: Receive | None = None
) -> Principal | None:
    """The principal of an upgrade; None for a browser that may send credentials in its first message.

    Args:
        gone: returns a ``.disconnect`` message when the client disconnects.

    Raises:
        CodedRefusal, StoreUnavailable
    """
    query = query_values(scope["query_string"])
    if "token" in query or "access_token" in query:
        raise Unauthorized(IN_URL, b"invalid_request")
    headers = {name for name, _ in scope["headers"]}
    if b"authorization" in headers:
        principal = await gate.identify(scope)
    elif "ticket" in query:
        principal = await _ticket_principal(services, gate, query["ticket"], scope)
    elif b"origin" in headers:
        return None
    else:
        raise Unauthorized(MISSING)
    await permit(gate, principal, gone)
    return principal


async def permit(gate: Gate, principal: Principal, gone: Receive | None = None) -> None:
    """Take an opening from the person's limit, and refuse a token that may not read.

    Raises:
        ApiRefused
    """
    try:
        await gate.permit(principal, gone)
    except RateLimited as refusal:
        raise OverLimit(refusal, gate.policy) from refusal
    require_permission(principal, Permission.COUNTERS_READ)


async def subscribed(following: Following, principal: Principal, zone: ZoneInfo) -> Subscription:
    """Open a subscription to the person's counters.

    Raises:
        ApiRefused: too many are open.
        StoreUnavailable
    """
    account, token = principal.account, principal.token
    try:
        return await following.subscribe(account.id, token.id, zone, token.prefix)
    except TooManySubscriptions as error:
        again = retry_after(TRY_AGAIN_AFTER_S)
        raise CodedRefusal(LIMITED if error.own else UNAVAILABLE, str(error), again) from error


async def missed(following: Following, subscription: Subscription, resume: ResumePoint) -> tuple[Place, Any]:
    """The connection's position, and the changes that were missed before the subscription takes over.

    Raises:
        StoreUnavailable
    """
    resumed = await following.resume(subscription.account, resume.epoch, resume.offset)
    subscription.skip(resumed.position)
    offset = resume.offset if resumed.recovered else resumed.position
    return Place(following.epoch, offset, resumed.recovered), resumed.changes


async def _ticket_principal(services: Services, gate: Gate, secret: str, scope: Mapping[str, Any]) -> Principal:
    ticket = await services.tickets.spend(secret)
    # Read again: the token may have been revoked or rotated since the ticket was issued.
    principal = None if ticket is None else await services.ledger.read(principal_by_token, ticket.token)
    if ticket is None or principal is None or principal.token.prefix != ticket.prefix:
        raise gate.refusal(scope, BAD_TICKET)
    if not is_from(ticket.origin, scope):
        raise CodedRefusal(FORBIDDEN, OTHER_ORIGIN)
    return principal
