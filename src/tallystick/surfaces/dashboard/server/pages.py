"""All accounts, sites and administrative events of the server, for superusers: ``/server``."""

import re
from collections import defaultdict

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.services.accounts.accounts import access_text
from tallystick.services.accounts.audit import PAGE, is_superuser
from tallystick.services.accounts.overview import server_overview
from tallystick.services.accounts.people import grant_sites
from tallystick.services.accounts.sites import may_create_sites
from tallystick.surfaces.dashboard.sites.pages import name_of
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices

_number = re.compile(r"[1-9][0-9]{0,14}")


class ServerPages:
    """The handlers of the page. Answers 404 to anyone but superusers."""

    def __init__(self, services: PageServices) -> None:
        self._services, self._ledger = services, services.ledger

    async def page(self, request: PageRequest) -> Response:
        """Accounts, sites and one page of events: the newest, or those before ``?before=ID``."""
        return await self._show(request)

    async def grant(self, request: PageRequest) -> Response:
        """Allow a person without a site to add sites."""
        if not is_superuser(request.account):
            raise HTTPException(404)
        for number in request.form.numbers("id"):
            try:
                await self._services.write(request, grant_sites, request.account.id, number, request.now)
            except InputRefused as error:
                return await self._show(request, problems_of(error))
        return see_other("/server?done=granted")

    async def _show(self, request: PageRequest, problems: Problems = NO_PROBLEMS) -> Response:
        if not is_superuser(request.account):
            raise HTTPException(404)
        before = request.http.query_params.get("before", "")
        overview = await self._ledger.read(server_overview, int(before) if _number.fullmatch(before) else 2**53)
        owners: dict[int, list[str]] = defaultdict(list)
        for account in overview.accounts:
            if account.site is not None:
                owners[account.site].append(account.email)
        page = overview.events
        values = {
            "accounts": overview.accounts,
            "sites": overview.sites,
            "owners": owners,
            "events": page,
            "older": page[-1].id if len(page) == PAGE else None,
            "name_of": name_of,
            "access_text": access_text,
            "may_create": may_create_sites,
            "problems": problems,
        }
        return await self._services.show(request, "server/server.html", values)
