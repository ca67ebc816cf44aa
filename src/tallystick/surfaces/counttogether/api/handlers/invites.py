"""Invites: codes by which people join a counter."""

from functools import partial

from msgspec import Struct

from tallystick.services.services import Services
from tallystick.services.sharing import invites
from tallystick.services.sharing.access import Shared
from tallystick.services.sharing.invites import LIFETIME_MS, MadeInvite, NewInvite
from tallystick.surfaces.counttogether import wire
from tallystick.surfaces.counttogether.api.calling import CounterCall
from tallystick.surfaces.counttogether.api.handlers.counters import v1_at
from tallystick.surfaces.counttogether.api.handlers.keyed_changes import json_response, no_content, once
from tallystick.surfaces.counttogether.decoding import body_as
from tallystick.surfaces.counttogether.zones import zone_of
from tallystick.web.answers import ApiResponse
from tallystick.web.own_address import own_url


class InviteBody(Struct, frozen=True, rename="camel"):
    """``expires_in``: seconds."""

    role: str = "member"
    expires_in: int = LIFETIME_MS // 1000
    max_uses: int | None = None


async def list_(services: Services, call: CounterCall) -> ApiResponse:
    """The open invites, without their codes."""
    function = partial(invites.open_invites, hide_foreign=True)
    open_invites = await services.sharing.read(function, call.account.id, call.place["id"], call.now)
    return ApiResponse(200, wire.json([wire.invite_of(invite) for invite in open_invites]))


async def create(services: Services, call: CounterCall) -> ApiResponse:
    """Create an invite; only this response has its code."""
    body = body_as(InviteBody, call.body)
    new = NewInvite(role=body.role, lifetime=body.expires_in * 1000, max_uses=body.max_uses)
    function = partial(invites.create, hide_foreign=services.sharing.hide_foreign)
    return await once(
        services,
        call,
        MadeInvite,  # type: ignore[arg-type]  # a tuple
        function,
        call.account.id,
        call.place["id"],
        new,
        call.now,
        encode=partial(_new_invite, own_url(call.scope)),
        recorded=invites.without_code,
    )


async def take_back(services: Services, call: CounterCall) -> ApiResponse:
    """Remove an invite."""
    function = partial(invites.take_back, hide_foreign=services.sharing.hide_foreign)
    arguments = call.account.id, call.place["id"], call.place["inviteId"]
    return await once(services, call, type(None), function, *arguments, encode=no_content)


async def accept(services: Services, call: CounterCall) -> ApiResponse:
    """Join a counter."""
    zone = await zone_of(call.query, call.account)
    arguments = call.account.id, call.place["code"], call.now
    return await once(services, call, Shared, invites.accept_shared, *arguments, encode=v1_at(zone))  # type: ignore[arg-type]  # a tuple


def _new_invite(origin: str, made: MadeInvite, _at: int) -> ApiResponse:
    """A replayed response has no code, and so no link."""
    invite, code = made
    secret = {"code": code, "url": None if code is None else f"{origin}/invites/{code}"}
    return json_response(201, secret | wire.invite_of(invite))
