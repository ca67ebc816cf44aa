"""The people of a counter."""

from collections.abc import Callable
from functools import partial
from typing import Literal

from msgspec import Struct

from tallystick.model.shared_counter import Member
from tallystick.services.services import Services
from tallystick.services.sharing import people
from tallystick.surfaces.counttogether import wire
from tallystick.surfaces.counttogether.api.calling import CounterCall
from tallystick.surfaces.counttogether.api.handlers.keyed_changes import json_response, no_content, once
from tallystick.surfaces.counttogether.decoding import body_as
from tallystick.surfaces.counttogether.errors import Malformed
from tallystick.web.answers import ApiResponse

ONESELF = "me"
"""Stands for one's own id in a path: no response marks which id that is."""


class RoleBody(Struct, frozen=True, rename="camel"):
    """Exactly one of the two."""

    is_admin: bool | None = None
    role: Literal["admin", "member", "viewer"] | None = None


async def list_(services: Services, call: CounterCall) -> ApiResponse:
    """All members, in the order in which they joined."""
    members = await services.sharing.read(people.members, call.account.id, call.place["id"])
    return ApiResponse(200, wire.json([wire.member_with_role(member) for member in members]))


async def one(services: Services, call: CounterCall) -> ApiResponse:
    """One member."""
    member = await services.sharing.read(people.member, call.account.id, call.place["id"], _user_in(call))
    return ApiResponse(200, wire.json(wire.member_with_role(member)))


async def change(services: Services, call: CounterCall) -> ApiResponse:
    """Give a member another role."""
    body = body_as(RoleBody, call.body)
    if (body.is_admin is None) == (body.role is None):
        msg = "send either isAdmin or role"
        raise Malformed(msg)
    function: Callable[..., Member] = people.set_admin if body.role is None else people.set_role
    value = body.is_admin if body.role is None else body.role
    arguments = call.account.id, call.place["id"], _user_in(call), value, call.now
    function = partial(function, hide_foreign=services.sharing.hide_foreign)
    return await once(services, call, Member, function, *arguments, encode=_member)


async def remove(services: Services, call: CounterCall) -> ApiResponse:
    """Remove a member; members may always remove themselves."""
    function = partial(people.remove, hide_foreign=services.sharing.hide_foreign)
    return await once(
        services,
        call,
        type(None),
        function,
        call.account.id,
        call.place["id"],
        _user_in(call),
        call.now,
        encode=no_content,
    )


def _user_in(call: CounterCall) -> str:
    user = call.place["userId"]
    return call.account.uid if user == ONESELF else user


def _member(member: Member, _at: int) -> ApiResponse:
    return json_response(200, wire.member_with_role(member))
