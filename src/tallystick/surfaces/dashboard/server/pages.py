"""Everything on this server, for its superusers: ``/server``."""

import re
from collections import defaultdict

from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.ledger import Session
from tallystick.model.account import Account
from tallystick.model.site import Site
from tallystick.services.accounts.accounts import access_text, all_accounts
from tallystick.services.accounts.audit import PAGE, Event, events, is_superuser
from tallystick.services.accounts.people import grant_sites
from tallystick.services.accounts.site_rows import active_sites
from tallystick.services.accounts.sites import may_create_sites
from tallystick.surfaces.dashboard.sites.pages import name_of
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import Parts

_number = re.compile(r"[1-9][0-9]{0,14}")


class Everything(Struct, frozen=True):
    """What a superuser sees."""

    accounts: list[Account]
    sites: list[Site]
    events: list[Event]


class ServerPages:
    """Accounts, sites and the log of events. Everyone else gets 404."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._ledger = parts, parts.ledger

    async def page(self, asked: PageRequest) -> Response:
        """All of it; the log from the newest event, or from the one that the address names."""
        return await self._show(asked)

    async def grant(self, asked: PageRequest) -> Response:
        """Let a person without a site add sites."""
        if not is_superuser(asked.login.account):
            raise HTTPException(404)
        for number in asked.form.numbers("id"):
            try:
                await self._parts.write(asked, grant_sites, asked.login.account.id, number, asked.now)
            except InputRefused as error:
                return await self._show(asked, problems_of(error))
        return see_other("/server?done=granted")

    async def _show(self, asked: PageRequest, problems: Problems = NO_PROBLEMS) -> Response:
        if not is_superuser(asked.login.account):
            raise HTTPException(404)
        wanted = asked.request.query_params.get("before", "")
        everything = await self._ledger.read(_everything, int(wanted) if _number.fullmatch(wanted) else 2**53)
        owners: dict[int, list[str]] = defaultdict(list)
        for account in everything.accounts:
            if account.site is not None:
                owners[account.site].append(account.email)
        shown = everything.events
        values = {
            "accounts": everything.accounts,
            "sites": everything.sites,
            "owners": owners,
            "events": shown,
            "older": shown[-1].id if len(shown) == PAGE else None,
            "name_of": name_of,
            "access_text": access_text,
            "may_create": may_create_sites,
            "problems": problems,
        }
        return await self._parts.show(asked, "server/server.html", values)


def _everything(session: Session, before: int) -> Everything:
    return Everything(all_accounts(session), active_sites(session), events(session, before))
