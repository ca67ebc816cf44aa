"""All accounts, sites and administrative events of the server, for superusers: ``/server``."""

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.services.accounts.audit import PAGE, EventKind, is_superuser
from tallystick.services.accounts.overview import server_overview
from tallystick.services.accounts.people import grant_sites
from tallystick.services.accounts.sites import may_create_sites
from tallystick.surfaces.dashboard.people.pages import access_in_words
from tallystick.surfaces.dashboard.sites.pages import name_of
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices

_number = re.compile(r"[1-9][0-9]{0,14}")


KINDS: Mapping[str, str] = MappingProxyType(
    {
        EventKind.ACCOUNT_CREATED: N_("Account created"),
        EventKind.ACCOUNT_DELETED: N_("Account deleted"),
        EventKind.ACCESS_CHANGED: N_("Access changed"),
        EventKind.PASSWORD_CHANGED: N_("Password changed"),
        EventKind.LOGGED_IN: N_("Logged in"),
        EventKind.LOGIN_REFUSED: N_("Login refused"),
        EventKind.CODE_REFUSED: N_("Second step refused"),
        EventKind.SECOND_STEP_ON: N_("Second step on"),
        EventKind.SECOND_STEP_OFF: N_("Second step off"),
        EventKind.RECOVERY_CODES_RENEWED: N_("Recovery codes renewed"),
        EventKind.LOGINS_ENDED: N_("Logins ended"),
        EventKind.TOKEN_CREATED: N_("Token created"),
        EventKind.TOKEN_ROTATED: N_("Token rotated"),
        EventKind.TOKEN_REVOKED: N_("Token revoked"),
        EventKind.SITE_CREATED: N_("Site created"),
        EventKind.SITE_DELETED: N_("Site deleted"),
        EventKind.GOAL_CREATED: N_("Goal created"),
        EventKind.GOAL_CHANGED: N_("Goal changed"),
        EventKind.GOAL_DELETED: N_("Goal deleted"),
        EventKind.FUNNEL_CREATED: N_("Funnel created"),
        EventKind.FUNNEL_CHANGED: N_("Funnel changed"),
        EventKind.FUNNEL_DELETED: N_("Funnel deleted"),
        EventKind.SEGMENT_CREATED: N_("Segment created"),
        EventKind.SEGMENT_CHANGED: N_("Segment changed"),
        EventKind.SEGMENT_DELETED: N_("Segment deleted"),
        EventKind.VIEW_CREATED: N_("Saved view created"),
        EventKind.VIEW_CHANGED: N_("Saved view changed"),
        EventKind.VIEW_DELETED: N_("Saved view deleted"),
        EventKind.LINK_CREATED: N_("Shared link created"),
        EventKind.LINK_CHANGED: N_("Shared link changed"),
        EventKind.LINK_WITHDRAWN: N_("Shared link withdrawn"),
        EventKind.LINK_REFUSED: N_("Password of a shared link refused"),
        EventKind.IMPORTED: N_("Imported"),
        EventKind.EXPORTED: N_("Exported"),
        EventKind.RESTORED: N_("Restored"),
    }
)
"""What the log shows for each kind of event; actors and details stay as they were recorded."""


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
            "in_words": partial(access_in_words, request.language),
            "kinds": KINDS,
            "may_create": may_create_sites,
            "problems": problems,
        }
        return await self._services.show(request, "server/server.html", values)
