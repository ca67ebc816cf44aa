"""Invites to shared counters: ``/invites/CODE``."""

from starlette.responses import Response

from tallystick.errors import SharingReason, SharingRefused
from tallystick.services.sharing.invites import accept, preview
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS
from tallystick.surfaces.dashboard.support.services import PageServices

ERRORS = {
    SharingReason.NOT_FOUND: (
        404,
        N_("There is no such invite"),
        N_("The link may be mistyped, or the invite was taken back. Ask whoever sent it to you for a new one."),
    ),
    SharingReason.GONE: (
        410,
        N_("This invite was used or has expired"),
        N_("Ask whoever sent it to you for a new one. If you have accepted it before, you share the counter already."),
    ),
    SharingReason.FORBIDDEN: (
        403,
        N_("This invite is not for you any more"),
        N_("An admin has removed you from the counter, or changed your role, since it was made. Ask for a new one."),
    ),
    SharingReason.TOO_MANY: (
        409,
        N_("This invite cannot be accepted"),
        N_("Either the counter has as many members as one can have, or you share as many counters as one person can."),
    ),
}


class InvitePages:
    """The handlers for invites to shared counters."""

    def __init__(self, services: PageServices) -> None:
        self._services = services

    async def page(self, request: PageRequest) -> Response:
        """The counter and role that the invite offers, and a button to accept it."""
        try:
            invite = await self._services.sharing.read(preview, _code(request), request.now)
        except SharingRefused as error:
            return await self._error_page(request, error)
        return await self._services.show(request, "invites/invite.html", {"invite": invite, "problems": NO_PROBLEMS})

    async def accept(self, request: PageRequest) -> Response:
        """Make the person a member of the counter."""
        try:
            counter = await self._services.sharing.write(accept, request.account.id, _code(request), request.now)
        except SharingRefused as error:
            return await self._error_page(request, error)
        return see_other(f"/counters/{counter.uid}?done=joined")

    async def _error_page(self, request: PageRequest, error: SharingRefused) -> Response:
        status, title, text = ERRORS[error.reason]
        values = {"title": title, "text": text}
        return await self._services.renderer.private_page(request, "support/error.html", values, status)


def _code(request: PageRequest) -> str:
    code: str = request.http.path_params["code"]
    return code
