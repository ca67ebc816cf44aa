"""Invites: codes by which people come to share a counter."""

from functools import partial
from typing import Any

from msgspec import Struct

from tallystick.ledger import Session
from tallystick.services.kept_answers import KeptAnswer
from tallystick.services.services import Services
from tallystick.services.sharing import invites
from tallystick.services.sharing.access import members_of
from tallystick.services.sharing.invites import LIFETIME_MS, Invite, NewInvite
from tallystick.surfaces.counttogether import wire
from tallystick.surfaces.counttogether.api.calling import CounterCall
from tallystick.surfaces.counttogether.api.handlers.carrying import nothing, once, told
from tallystick.surfaces.counttogether.api.handlers.counters import Shared, told_v1
from tallystick.surfaces.counttogether.decoding import body_as
from tallystick.surfaces.counttogether.zones import today_in, zone_of
from tallystick.web.answers import ApiResponse
from tallystick.web.own_address import own_origin


class InviteBody(Struct, frozen=True, rename="camel"):
    """``expires_in``: seconds."""

    role: str = "member"
    expires_in: int = LIFETIME_MS // 1000
    max_uses: int | None = None


async def list_(services: Services, call: CounterCall) -> ApiResponse:
    """The invites that still let people in, without their codes."""
    function = partial(invites.open_invites, hide_foreign=True)
    found = await services.sharing.read(function, call.account.id, call.place["id"], call.now)
    return ApiResponse(200, wire.json([wire.invite_of(invite) for invite in found]))


async def create(services: Services, call: CounterCall) -> ApiResponse:
    """A new invite; its code is told this once."""
    body = body_as(InviteBody, call.body)
    wanted = NewInvite(role=body.role, lifetime=body.expires_in * 1000, max_uses=body.max_uses)
    function = partial(invites.create, hide_foreign=services.sharing.hide_foreign)
    return await once(
        services,
        call,
        function,
        call.account.id,
        call.place["id"],
        wanted,
        call.now,
        tell=partial(_told_new, own_origin(call.scope)),
        kept=partial(_told_new, None),
    )


async def take_back(services: Services, call: CounterCall) -> ApiResponse:
    """Remove an invite."""
    function = partial(invites.take_back, hide_foreign=services.sharing.hide_foreign)
    return await once(services, call, function, call.account.id, call.place["id"], call.place["inviteId"], tell=nothing)


async def accept(services: Services, call: CounterCall) -> ApiResponse:
    """Come to share a counter."""
    today = today_in(await zone_of(call.query, call.account), call.now)
    return await once(
        services, call, _accept, call.account.id, call.place["code"], call.now, tell=partial(told_v1, today)
    )


def _accept(session: Session, account: int, code: str, now: int) -> Shared:
    counter = invites.accept(session, account, code, now)
    return counter, members_of(session, [counter.id])[counter.id]


def _told_new(origin: str | None, made: tuple[Invite, str]) -> KeptAnswer:
    """What is kept knows no code, and so has no origin to make a link with."""
    invite, code = made
    secret: dict[str, Any] = {"code": None, "url": None}
    if origin is not None:
        secret = {"code": code, "url": f"{origin}/invites/{code}"}
    return told(201, secret | wire.invite_of(invite))
