"""What an invite is to: a shared counter, the sites of an account, or the server."""

from collections.abc import Mapping
from typing import Any, Protocol

from tallystick.ledger import Session
from tallystick.model.account import ALL_SITES, Account
from tallystick.services.accounts.access_invites import (
    AccessInvite,
    accept_access_invite,
    access_invite,
    has_already,
    join_by_access_invite,
)
from tallystick.services.accounts.accounts import NewAccount
from tallystick.services.accounts.joining import join_by_invite
from tallystick.services.accounts.site_rows import site
from tallystick.services.sharing.invites import accept, preview
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.services import PageServices


class InviteKind(Protocol):
    """One kind of invites. Methods raise what the service raises for an invite that cannot be used."""

    template: str
    """Of the page that shows an invite."""

    async def shown(self, request: PageRequest, code: str) -> Mapping[str, Any]:
        """What the page shows of an invite."""

    async def as_data(self, request: PageRequest, code: str) -> Mapping[str, Any]:
        """The same for JSON."""

    async def accept(self, request: PageRequest, code: str) -> str:
        """Accept it for the logged-in person. Returns where that leads."""

    async def join(self, request: PageRequest, code: str, new: NewAccount) -> tuple[Account, str]:
        """Make an account that has accepted it, or neither. Returns it, and where that leads."""


class CounterInvites:
    """Invites to shared counters."""

    template = "invites/invite.html"

    def __init__(self, services: PageServices) -> None:
        self._sharing = services.sharing

    async def shown(self, request: PageRequest, code: str) -> Mapping[str, Any]:
        """The counter and role that it offers."""
        return {"invite": await self._sharing.read(preview, code, request.now)}

    async def as_data(self, request: PageRequest, code: str) -> Mapping[str, Any]:
        """The same for JSON."""
        shown = await self._sharing.read(preview, code, request.now)
        return {"to": "counter", "name": shown.counter, "role": shown.role, "by": shown.inviter}

    async def accept(self, request: PageRequest, code: str) -> str:
        """Make the person a member of the counter."""
        counter = await self._sharing.write(accept, request.account.id, code, request.now)
        return f"/counters/{counter.uid}?done=joined"

    async def join(self, request: PageRequest, code: str, new: NewAccount) -> tuple[Account, str]:
        """Make an account that is a member of the counter."""
        account, counter = await self._sharing.write(join_by_invite, code, new, request.now)
        return account, f"/counters/{counter.uid}?done=joined"


class AccessInvites:
    """Invites to the sites of an account, and to the server."""

    template = "invites/access.html"

    def __init__(self, services: PageServices) -> None:
        self._services, self._ledger = services, services.ledger

    async def shown(self, request: PageRequest, code: str) -> Mapping[str, Any]:
        """The sites, or that it is to the server, and what it lets its guest do."""
        invite, names = await self._ledger.read(_with_names, code, request.now)
        return {
            "invite": invite,
            "to": _to(invite),
            "names": names,
            "letter": next(iter(invite.access.values()), ""),
            "has_already": request.principal is not None and has_already(request.account, invite),
            "address": _address(invite),
        }

    async def as_data(self, request: PageRequest, code: str) -> Mapping[str, Any]:
        """The same for JSON."""
        invite, names = await self._ledger.read(_with_names, code, request.now)
        return {"to": _to(invite), "sites": names, "access": invite.access, "by": invite.maker_name or None}

    async def accept(self, request: PageRequest, code: str) -> str:
        """Give the person the access."""
        invite, _ = await self._services.write(request, accept_access_invite, request.account.id, code, request.now)
        return _address(invite)

    async def join(self, request: PageRequest, code: str, new: NewAccount) -> tuple[Account, str]:
        """Make an account that has the access."""
        invite, account = await self._ledger.write(join_by_access_invite, code, new, request.now)
        return account, _address(invite)


def _with_names(session: Session, code: str, now: int) -> tuple[AccessInvite, list[str]]:
    """An invite, and the names of the single sites that it is to."""
    invite = access_invite(session, code, now)
    numbers = [int(place) for place in invite.access if place != ALL_SITES and invite.root is not None]
    return invite, [found.name for number in numbers if (found := site(session, number))]


def _to(invite: AccessInvite) -> str:
    return "server" if invite.root is None else "sites"


def _address(invite: AccessInvite) -> str:
    """The page of the only site that an invite is to, else the start page."""
    places = list(invite.access)
    return f"/sites/{places[0]}" if invite.root is not None and places != [ALL_SITES] and len(places) == 1 else "/"
