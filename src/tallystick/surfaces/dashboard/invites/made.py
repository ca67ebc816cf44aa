"""Invites that an account's admins, and the server's superusers, have made: ``/people/invites``, ``/admin/invites``."""

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InputRefused, InvalidFields
from tallystick.model.account import ALL_SITES, Access
from tallystick.services.accounts.access_invites import (
    DAY_MS,
    INVITED_TO,
    MAY_ADD_SITES,
    AccessInvite,
    NewAccessInvite,
    invite_to_server,
    invite_to_sites,
    open_access_invites,
    withdraw_from_server,
    withdraw_from_sites,
)
from tallystick.services.accounts.people import may_manage, people_and_sites
from tallystick.surfaces.dashboard.account.two_factor import qr_code
from tallystick.surfaces.dashboard.admin.access import require_superuser
from tallystick.surfaces.dashboard.counters.form import whole_number
from tallystick.surfaces.dashboard.counters.people_pages import LIFETIMES
from tallystick.surfaces.dashboard.people.pages import LETTERS, access_in_words
from tallystick.surfaces.dashboard.sites.pages import name_of
from tallystick.surfaces.dashboard.support.data import as_json, moment_text
from tallystick.surfaces.dashboard.support.forms import number_in
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices
from tallystick.web.own_address import own_url


class MadeInvitePages:
    """Lists, makes and withdraws invites to the sites of the person's account, or to the server.

    Args:
        to_server: whether they are to the server; its pages are for superusers, the others for admins of all sites.
    """

    def __init__(self, services: PageServices, *, to_server: bool) -> None:
        self._services, self._to_server = services, to_server
        self._base = "/admin/invites" if to_server else "/people/invites"

    async def page(self, request: PageRequest) -> Response:
        """The open invites, and a form for another one."""
        self._require_rights(request)
        return await self._show(request)

    async def as_json(self, request: PageRequest) -> Response:
        """The open invites as JSON."""
        self._require_rights(request)
        return as_json({"invites": [_plain(invite) for invite in await self._open(request)]})

    async def create(self, request: PageRequest) -> Response:
        """Make an invite, and show its link this once."""
        self._require_rights(request)
        if problems := await self._services.recent_password_problems(request):
            return await self._show(request, problems)
        make = invite_to_server if self._to_server else invite_to_sites
        try:
            new = self._new(request)
            _, code = await self._services.write(request, make, request.account.id, new, request.now)
        except InputRefused as error:
            return await self._show(request, problems_of(error))
        return await self._show(request, made=f"{own_url(request.http.scope)}/invites/{code}")

    async def withdraw(self, request: PageRequest) -> Response:
        """Withdraw an invite: its link is not valid any more."""
        self._require_rights(request)
        withdraw = withdraw_from_server if self._to_server else withdraw_from_sites
        try:
            uid = request.form.text("id")
            await self._services.write(request, withdraw, request.account.id, uid, request.now)
        except InputRefused as error:
            return await self._show(request, problems_of(error))
        return see_other(f"{self._base}?done=withdrawn")

    def _require_rights(self, request: PageRequest) -> None:
        if self._to_server:
            require_superuser(request)
        elif not may_manage(request.account):
            raise HTTPException(404)

    def _new(self, request: PageRequest) -> NewAccessInvite:
        """The invite that the form describes.

        Raises:
            HTTPException: it is none that our form can describe (400).
            InvalidFields: the number of uses is none.
        """
        form = request.form
        days, letter = number_in(form.text("days"), 3), form.text("letter")
        if days not in dict(LIFETIMES):
            raise HTTPException(400)
        uses = whole_number("uses", form.text("uses"))
        if self._to_server:
            access: Mapping[str, Access] = MAY_ADD_SITES if form.checked("sites") else {}
            return NewAccessInvite(access=access, lifetime=days * DAY_MS, max_uses=uses)
        found = next((each for each in INVITED_TO if each == letter), None)
        if found is None:
            raise InvalidFields({"access": ["must be read, settings or admin"]})
        return NewAccessInvite(access={form.text("place"): found}, lifetime=days * DAY_MS, max_uses=uses)

    async def _open(self, request: PageRequest) -> list[AccessInvite]:
        root = None if self._to_server else request.account.site
        found: list[AccessInvite] = await self._services.ledger.read(open_access_invites, root, request.now)
        return found

    async def _show(self, request: PageRequest, problems: Problems = NO_PROBLEMS, made: str = "") -> Response:
        _, sites = await self._services.ledger.read(people_and_sites, request.account)
        letters = [(letter, text) for letter, text in LETTERS if letter in INVITED_TO]
        values: dict[str, Any] = {
            "invites": await self._open(request),
            "to_server": self._to_server,
            "base": self._base,
            "places": [(ALL_SITES, ""), *((str(site.id), name_of(site)) for site in sites)],
            "letters": [(letter, request.language.gettext(text)) for letter, text in letters],
            "lifetimes": [(str(days), request.language.gettext(text)) for days, text in LIFETIMES],
            "in_words": lambda access: access_in_words(request.language, access, sites),
            "typed": {name: request.form.text(name) for name in ("place", "letter", "days", "uses", "sites")},
            "is_new": not request.form.names(),
            "made": made,
            "picture": qr_code(made) if made else "",
            "problems": problems,
        }
        return await self._services.show(request, "invites/made.html", values)


def _plain(invite: AccessInvite) -> dict[str, Any]:
    return {
        "id": invite.uid,
        "prefix": invite.prefix,
        "access": invite.access,
        "expires": moment_text(invite.expires),
        "max_uses": invite.max_uses,
        "uses": invite.uses,
        "by": invite.maker_name or None,
        "created": moment_text(invite.created),
    }
