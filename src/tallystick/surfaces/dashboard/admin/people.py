"""All accounts and sites of the server, for superusers: ``/admin/people``, also as JSON."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any

from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.model.account import Account
from tallystick.services.accounts.overview import ServerOverview, server_overview
from tallystick.services.accounts.people import grant_sites
from tallystick.services.accounts.sites import may_create_sites
from tallystick.surfaces.dashboard.admin.access import require_superuser
from tallystick.surfaces.dashboard.people.pages import access_in_words
from tallystick.surfaces.dashboard.sites.pages import name_of
from tallystick.surfaces.dashboard.support.data import as_json, moment_text
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices


class ServerPeoplePages:
    """The handlers. They answer 404 to anyone but superusers."""

    def __init__(self, services: PageServices) -> None:
        self._services, self._ledger = services, services.ledger

    async def page(self, request: PageRequest) -> Response:
        """Accounts and sites."""
        return await self._show(request)

    async def as_json(self, request: PageRequest) -> Response:
        """The same as data."""
        overview = await self._overview(request)
        owners = owners_of(overview.accounts)
        sites = [
            {
                "id": site.id,
                "host": site.cname,
                "created": moment_text(site.created),
                "counting_since": moment_text(site.counting_since),
                "accounts": owners[site.root],
            }
            for site in overview.sites
        ]
        return as_json({"accounts": [_plain(account) for account in overview.accounts], "sites": sites})

    async def grant(self, request: PageRequest) -> Response:
        """Allow a person without a site to add sites."""
        require_superuser(request)
        for number in request.form.numbers("id"):
            try:
                await self._services.write(request, grant_sites, request.account.id, number, request.now)
            except InputRefused as error:
                return await self._show(request, problems_of(error))
        return see_other("/admin/people?done=granted")

    async def _overview(self, request: PageRequest) -> ServerOverview:
        require_superuser(request)
        return await self._ledger.read(server_overview)

    async def _show(self, request: PageRequest, problems: Problems = NO_PROBLEMS) -> Response:
        overview = await self._overview(request)
        values = {
            "accounts": overview.accounts,
            "sites": overview.sites,
            "owners": owners_of(overview.accounts),
            "name_of": name_of,
            "in_words": partial(access_in_words, request.language),
            "may_create": may_create_sites,
            "problems": problems,
        }
        return await self._services.show(request, "admin/people.html", values)


def owners_of(accounts: Sequence[Account]) -> dict[int, list[str]]:
    """The emails of each account's people, by its first site; empty for other sites."""
    owners: dict[int, list[str]] = defaultdict(list)
    for account in accounts:
        if account.site is not None:
            owners[account.site].append(account.email)
    return owners


def _plain(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "email": account.email,
        "name": account.name,
        "site": account.site,
        "access": account.access,
        "second_step": account.totp_enabled,
        "created": moment_text(account.created),
        "last_login": moment_text(account.login),
    }
