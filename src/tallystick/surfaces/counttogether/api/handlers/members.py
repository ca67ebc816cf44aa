"""The people of a counter."""

from functools import partial
from typing import Literal

from msgspec import Struct

from tallystick.ledger import Session
from tallystick.model.shared_counter import Member, Role
from tallystick.services.kept_answers import KeptAnswer
from tallystick.services.services import Services
from tallystick.services.sharing import people
from tallystick.services.sharing.access import require
from tallystick.surfaces.counttogether import wire
from tallystick.surfaces.counttogether.api.calling import CounterCall
from tallystick.surfaces.counttogether.api.handlers.carrying import nothing, once, told
from tallystick.surfaces.counttogether.decoding import body_as
from tallystick.surfaces.counttogether.errors import Malformed
from tallystick.web.answers import ApiResponse

ONESELF = "me"
"""In the place of one's own id, which no answer marks as such."""


class RoleBody(Struct, frozen=True, rename="camel"):
    """Either one; ``role`` says more."""

    is_admin: bool | None = None
    role: Literal["admin", "member", "viewer"] | None = None


async def list_(services: Services, call: CounterCall) -> ApiResponse:
    """Everyone, who came first first."""
    found = await services.sharing.read(people.members, call.account.id, call.place["id"])
    return ApiResponse(200, wire.json([wire.member_with_role(member) for member in found]))


async def one(services: Services, call: CounterCall) -> ApiResponse:
    """Somebody of them."""
    found = await services.sharing.read(people.member, call.account.id, call.place["id"], _user_in(call))
    return ApiResponse(200, wire.json(wire.member_with_role(found)))


async def change(services: Services, call: CounterCall) -> ApiResponse:
    """Give a member another role."""
    body = body_as(RoleBody, call.body)
    if (body.is_admin is None) == (body.role is None):
        msg = "send either isAdmin or role"
        raise Malformed(msg)
    function = partial(_set_role, hide_foreign=services.sharing.hide_foreign)
    return await once(
        services, call, function, call.account.id, call.place["id"], _user_in(call), body, call.now, tell=_told
    )


async def remove(services: Services, call: CounterCall) -> ApiResponse:
    """Remove a member; everyone may remove themselves."""
    function = partial(people.remove, hide_foreign=services.sharing.hide_foreign)
    return await once(
        services, call, function, call.account.id, call.place["id"], _user_in(call), call.now, tell=nothing
    )


def _user_in(call: CounterCall) -> str:
    user = call.place["userId"]
    return call.account.uid if user == ONESELF else user


def _set_role(  # noqa: PLR0913, PLR0917  # who makes whom what, and where
    session: Session, account: int, uid: str, member_uid: str, body: RoleBody, now: int, *, hide_foreign: bool
) -> Member:
    counter = require(session, account, uid, "admin", hide_foreign=hide_foreign)
    role = body.role or _role_by_flag(people.members_in(session, counter), member_uid, is_admin=bool(body.is_admin))
    return people.set_role(session, account, uid, member_uid, role, now, hide_foreign=hide_foreign)


def _role_by_flag(everyone: list[Member], member_uid: str, *, is_admin: bool) -> Role:
    """Who is no admin stays what they are."""
    if is_admin:
        return "admin"
    roles = {member.uid: member.role for member in everyone}
    return "viewer" if roles.get(member_uid.lower()) == "viewer" else "member"


def _told(member: Member) -> KeptAnswer:
    return told(200, wire.member_with_role(member))
