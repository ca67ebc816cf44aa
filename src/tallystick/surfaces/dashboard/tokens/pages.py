"""API tokens, with which programs act for a person: ``/user/tokens``."""

from typing import Any

from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.model.account import EVERY_SITE, Permission, Token
from tallystick.services.accounts.site_rows import family
from tallystick.services.accounts.tokens import (
    NewToken,
    create_token,
    delete_token,
    permissions_of,
    revoked_along,
    token,
    tokens_of,
)
from tallystick.surfaces.dashboard.support.confirmation import confirmed
from tallystick.surfaces.dashboard.support.data import as_json
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, NOT_CONFIRMED, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices

SITE_PERMISSIONS = (
    (Permission.COUNT, N_("Record pageviews and events")),
    (Permission.STATS, N_("Read statistics")),
    (Permission.EXPORT, N_("Export")),
    (Permission.SITE_READ, N_("Read sites and their settings")),
    (Permission.SITE_CREATE, N_("Create sites")),
    (Permission.SITE_UPDATE, N_("Change settings of sites")),
)
"""Permissions on sites; each is offered to people who have the access that it needs."""

COUNTER_PERMISSIONS = (
    (Permission.COUNTERS_READ, N_("Read counters that you share or own")),
    (Permission.COUNTERS_WRITE, N_("Change them, as far as you may")),
)
"""Permissions on shared counters, offered to everyone."""


class TokenPages:
    """Lists, creates and revokes a person's tokens. A new token's secret is shown once."""

    def __init__(self, services: PageServices) -> None:
        self._services, self._ledger = services, services.ledger

    async def page(self, request: PageRequest) -> Response:
        """The person's tokens, and the form for a new one."""
        return await self._show(request)

    async def data(self, request: PageRequest) -> Response:
        """The same as JSON. Secrets are not stored, so there are none."""
        tokens = await self._ledger.read(tokens_of, request.account.id)
        return as_json({"tokens": [_told(each) for each in tokens]})

    async def create(self, request: PageRequest) -> Response:
        """Create a token and show its secret."""
        form = request.form
        if problems := await self._services.recent_password_problems(request):
            return await self._show(request, problems)
        new_token = NewToken(
            name=form.text("name"),
            permissions=sum(set(form.numbers("permission"))),
            sites=form.numbers("site") or (EVERY_SITE,),
        )
        try:
            created, secret = await self._services.write(request, create_token, request.account, new_token, request.now)
        except InputRefused as error:
            return await self._show(request, problems_of(error))
        example_path = "/api/v0/me" if created.sites else "/v1/counters"
        values = {"token": created, "secret": secret, "example_path": example_path, "problems": NO_PROBLEMS}
        return await self._services.show(request, "tokens/token_created.html", values)

    async def delete(self, request: PageRequest) -> Response:
        """Revoke a token; it stops working at once."""
        for number in request.form.numbers("id"):
            revoked = await self._ledger.read(token, number)
            if revoked is None or revoked.account != request.account.id:
                continue
            if not confirmed(request, revoked.name):
                return await self._show(request, NOT_CONFIRMED)
            await self._services.write(request, delete_token, number, request.account.id)
        return see_other("/user/tokens?done=revoked")

    async def _show(self, request: PageRequest, problems: Problems = NO_PROBLEMS) -> Response:
        person, form = request.account, request.form
        account_sites = [] if person.site is None else await self._ledger.read(family, person.site)
        held = 0 if person.site is None else permissions_of(person)
        values = {
            "tokens": await self._ledger.read(tokens_of, person.id),
            "revoked_along": await self._ledger.read(revoked_along, person.id),
            "sites": [site for site in account_sites if person.may("r", site.id)],
            "site_permissions": SITE_PERMISSIONS,
            "offered": [pair for pair in SITE_PERMISSIONS if pair[0] & held],
            "counter_permissions": COUNTER_PERMISSIONS,
            "name": form.text("name"),
            "chosen": form.numbers("permission"),
            "chosen_sites": form.numbers("site"),
            "to_revoke": form.numbers("id"),
            "problems": problems,
        }
        return await self._services.show(request, "tokens/tokens.html", values)


def _told(token: Token) -> dict[str, Any]:
    """A token as data has it."""
    held = [each.label for each in Permission if each is not Permission.NOTHING and token.permissions & each]
    return {
        "id": token.id,
        "name": token.name,
        "prefix": token.prefix,
        "permissions": held,
        "sites": "all" if EVERY_SITE in token.sites else token.sites,
        "created": token.created,
        "used": token.used,
    }
