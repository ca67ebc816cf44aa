"""Invites to shared counters, and what became of them: ``/invites/CODE``, ``/counters/ID``."""

from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import SharingReason, SharingRefused
from tallystick.ledger import Session
from tallystick.model.shared_counter import Role, SharedCounter
from tallystick.services.sharing.access import role_of
from tallystick.services.sharing.invites import accept, preview
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS
from tallystick.surfaces.dashboard.support.services import Parts

REFUSED = {
    SharingReason.NOT_FOUND: (
        404,
        "There is no such invite",
        "The link may be mistyped, or the invite was taken back. Ask whoever sent it to you for a new one.",
    ),
    SharingReason.GONE: (
        410,
        "This invite is used up or over",
        "Ask whoever sent it to you for a new one. If you have accepted it before, you share the counter already.",
    ),
    SharingReason.FORBIDDEN: (
        403,
        "This invite is not for you any more",
        "An admin has removed you from the counter, or changed your role, since it was made. Ask for a new one.",
    ),
    SharingReason.TOO_MANY: (
        409,
        "This invite cannot be accepted",
        "Either the counter has as many members as one can have, or you share as many counters as one person can.",
    ),
}


class Shared(Struct, frozen=True):
    """A counter, and what someone is there."""

    counter: SharedCounter
    role: Role


class InvitePages:
    """How a person comes to share a counter."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def page(self, asked: PageRequest) -> Response:
        """What the invite is to, and a button that accepts it."""
        try:
            found = await self._parts.sharing.read(preview, _code(asked), asked.now)
        except SharingRefused as refused:
            return await self._refused(asked, refused)
        return await self._parts.show(asked, "invites/invite.html", {"invite": found, "problems": NO_PROBLEMS})

    async def accept(self, asked: PageRequest) -> Response:
        """Share the counter."""
        person = asked.login.account.id
        try:
            counter = await self._parts.sharing.write(accept, person, _code(asked), asked.now)
        except SharingRefused as refused:
            return await self._refused(asked, refused)
        return see_other(f"/counters/{counter.uid}?done=joined")

    async def counter(self, asked: PageRequest) -> Response:
        """A counter that the person shares, and how to use it."""
        shared = await self._parts.ledger.read(_shared, asked.login.account.id, asked.request.path_params["counter"])
        if shared is None:
            raise HTTPException(404)
        return await self._parts.show(asked, "invites/counter.html", {"shared": shared, "problems": NO_PROBLEMS})

    async def _refused(self, asked: PageRequest, refused: SharingRefused) -> Response:
        status, title, text = REFUSED[refused.reason]
        values = {"title": title, "text": text}
        return await self._parts.renderer.private_page(asked, "support/error.html", values, status)


def _code(asked: PageRequest) -> str:
    code: str = asked.request.path_params["code"]
    return code


def _shared(session: Session, account: int, uid: str) -> Shared | None:
    """The counter, for who shares it; nobody else learns that it exists."""
    counter, role = role_of(session, account, uid) or (None, None)
    return None if counter is None or role is None else Shared(counter, role)
