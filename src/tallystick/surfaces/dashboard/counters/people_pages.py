"""Who shares a counter: ``/counters/{counter}/people``, members and invites."""

from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InvalidFields, SharingReason, SharingRefused
from tallystick.ledger import Session
from tallystick.model.shared_counter import Member, Role, SharedCounter
from tallystick.model.sharing import may
from tallystick.services.sharing.access import members_of, readable_with_role
from tallystick.services.sharing.invites import DAY_MS, MOST_USES, Invite, NewInvite, create, open_invites, take_back
from tallystick.services.sharing.people import members, remove, set_role
from tallystick.surfaces.dashboard.account.two_factor import qr_code
from tallystick.surfaces.dashboard.counters.form import whole_number
from tallystick.surfaces.dashboard.counters.pages import found_or_404
from tallystick.surfaces.dashboard.counters.refusals import problems_of_refusal
from tallystick.surfaces.dashboard.support.data import as_json, moment_text
from tallystick.surfaces.dashboard.support.forms import number_in
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices
from tallystick.web.own_address import own_url

ROLES: Sequence[tuple[Role, str]] = (
    ("viewer", N_("viewer: sees it")),
    ("member", N_("member: also counts")),
    ("admin", N_("admin: also manages it")),
)
INVITED_AS = ROLES[:2]
LIFETIMES: Sequence[tuple[int, str]] = (
    (1, N_("a day")),
    (7, N_("a week")),
    (30, N_("30 days")),
    (365, N_("a year")),
)
"""Days that invites are offered for."""


class CounterPeople(Struct, frozen=True, kw_only=True):
    """Who shares a counter, and its open invites, which only admins see."""

    counter: SharedCounter
    role: Role
    members: Sequence[Member]
    invites: Sequence[Invite]


class CounterPeoplePages:
    """Shows and changes who shares a counter."""

    def __init__(self, services: PageServices) -> None:
        self._services, self._sharing, self._ledger = services, services.sharing, services.ledger

    async def page(self, request: PageRequest) -> Response:
        """The members of a counter and, for admins, its invites."""
        return await self._show(request)

    async def as_json(self, request: PageRequest) -> Response:
        """The same as JSON. Codes of invites are shown only when they are made."""
        found = await found_or_404(self._ledger, _people, request.account.id, _uid(request), request.now)
        return as_json(
            {
                "role": found.role,
                "members": [
                    {"id": each.uid, "name": each.name, "role": each.role, "joined": moment_text(each.joined)}
                    for each in found.members
                ],
                "invites": [
                    {
                        "id": each.uid,
                        "prefix": each.prefix,
                        "role": each.role,
                        "expires": moment_text(each.expires),
                        "uses": each.uses,
                        "max_uses": each.max_uses,
                    }
                    for each in found.invites
                ],
            }
        )

    async def invite(self, request: PageRequest) -> Response:
        """Make an invite, and show its link this once."""
        form = request.form
        role, days = form.text("role"), number_in(form.text("days"), 3)
        if role not in dict(INVITED_AS) or days not in dict(LIFETIMES):
            raise HTTPException(400)
        try:
            uses = whole_number("uses", form.text("uses"))
            if uses is not None and not 1 <= uses <= MOST_USES:
                raise InvalidFields({"uses": [f"must be 1 to {MOST_USES:,}"]})  # noqa: TRY301  # a field of this form
            new = NewInvite(role=role, lifetime=days * DAY_MS, max_uses=uses)
            _, code = await self._sharing.write(
                partial(create, hide_foreign=True), request.account.id, _uid(request), new, request.now
            )
        except InvalidFields as error:
            return await self._show(request, problems_of(error))
        except SharingRefused as refused:
            return await self._show(request, problems_of_refusal(refused))
        return await self._show(request, made=f"{own_url(request.http.scope)}/invites/{code}")

    async def withdraw(self, request: PageRequest) -> Response:
        """Take an invite back: its link is not valid any more."""
        invite = request.form.text("id")
        return await self._changed(request, take_back, invite, done="withdrawn")

    async def set_role(self, request: PageRequest) -> Response:
        """Give a member another role."""
        role = next((role for role, _ in ROLES if role == request.form.text("role")), None)
        if role is None:
            raise HTTPException(400)
        return await self._changed(request, set_role, request.form.text("id"), role, request.now, done="role")

    async def remove(self, request: PageRequest) -> Response:
        """Remove a member."""
        return await self._changed(request, remove, request.form.text("id"), request.now, done="removed")

    async def leave(self, request: PageRequest) -> Response:
        """Leave the counter. Its last member deletes it instead, which the page asks about."""
        try:
            await self._sharing.write(_leave, request.account.id, _uid(request), request.account.uid, request.now)
        except SharingRefused as refused:
            return await self._show(request, problems_of_refusal(refused))
        return see_other("/counters?done=left")

    async def _changed(
        self, request: PageRequest, function: Callable[..., object], *arguments: object, done: str
    ) -> Response:
        try:
            await self._sharing.write(
                partial(function, hide_foreign=True), request.account.id, _uid(request), *arguments
            )
        except SharingRefused as refused:
            return await self._show(request, problems_of_refusal(refused))
        return see_other(f"/counters/{_uid(request)}/people?done={done}")

    async def _show(self, request: PageRequest, problems: Problems = NO_PROBLEMS, made: str = "") -> Response:
        found = await found_or_404(self._ledger, _people, request.account.id, _uid(request), request.now)
        values = {
            "counter": found.counter,
            "role": found.role,
            "is_admin": may(found.role, "admin"),
            "members": found.members,
            "own_uid": request.account.uid,
            "last_one": len(found.members) == 1,
            "invites": found.invites,
            "roles": ROLES,
            "invited_as": INVITED_AS,
            "lifetimes": LIFETIMES,
            "typed": {name: request.form.text(name) for name in ("role", "days", "uses")},
            "made": made,
            "picture": qr_code(made) if made else "",
            "problems": problems,
        }
        return await self._services.show(request, "counters/people.html", values)


def _uid(request: PageRequest) -> str:
    uid: str = request.http.path_params["counter"]
    return uid


def _people(session: Session, account: int, uid: str, now: int) -> CounterPeople:
    counter, role = readable_with_role(session, account, uid)
    return CounterPeople(
        counter=counter,
        role=role,
        members=members_of(session, [counter.id])[counter.id],
        invites=open_invites(session, account, uid, now) if may(role, "admin") else (),
    )


def _leave(session: Session, account: int, uid: str, own: str, now: int) -> None:
    """Leave a counter that others share as well.

    Raises:
        SharingRefused: NOT_FOUND; or LAST_ADMIN, also for the last member.
    """
    if len(members(session, account, uid)) == 1:
        raise SharingRefused(SharingReason.LAST_ADMIN, "the last member deletes the counter")
    remove(session, account, uid, own, now, hide_foreign=True)
