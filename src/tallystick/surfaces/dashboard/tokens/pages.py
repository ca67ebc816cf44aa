"""Tokens for programs that act for a person: ``/user/tokens``."""

from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.model.account import EVERY_SITE, Permission
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
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, NOT_CONFIRMED, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import Parts

CHOICES = (
    (Permission.COUNT, "Record pageviews and events"),
    (Permission.STATS, "Read statistics"),
    (Permission.EXPORT, "Export"),
    (Permission.SITE_READ, "Read sites and their settings"),
    (Permission.SITE_CREATE, "Create sites"),
    (Permission.SITE_UPDATE, "Change settings of sites"),
)
"""For sites, as far as the person has the access that each needs."""

OF_COUNTERS = (
    (Permission.COUNTERS_READ, "Read counters that you share"),
    (Permission.COUNTERS_WRITE, "Change them, as far as you may"),
)
"""Everyone's token may."""


class ApiTokens:
    """A person's tokens: made, shown once, listed, revoked."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._ledger = parts, parts.ledger

    async def page(self, asked: PageRequest) -> Response:
        """The tokens, and the form for a new one."""
        return await self._show(asked)

    async def create(self, asked: PageRequest) -> Response:
        """Make a token and show its secret, this once."""
        form = asked.form
        if problems := await self._parts.is_recent(asked):
            return await self._show(asked, problems)
        wanted = NewToken(
            name=form.text("name"),
            permissions=sum(set(form.numbers("permission"))),
            sites=form.numbers("site") or (EVERY_SITE,),
        )
        try:
            made, secret = await self._parts.write(asked, create_token, asked.login.account, wanted, asked.now)
        except InputRefused as error:
            return await self._show(asked, problems_of(error))
        try_at = "/api/v0/me" if made.sites else "/v1/counters"
        values = {"token": made, "secret": secret, "try_at": try_at, "problems": NO_PROBLEMS}
        return await self._parts.show(asked, "tokens/token_created.html", values)

    async def delete(self, asked: PageRequest) -> Response:
        """Revoke a token; it stops working at once."""
        for number in asked.form.numbers("id"):
            found = await self._ledger.read(token, number)
            if found is None or found.account != asked.login.account.id:
                continue
            if not confirmed(asked, found.name):
                return await self._show(asked, NOT_CONFIRMED)
            await self._parts.write(asked, delete_token, number, asked.login.account.id)
        return see_other("/user/tokens?done=revoked")

    async def _show(self, asked: PageRequest, problems: Problems = NO_PROBLEMS) -> Response:
        person, form = asked.login.account, asked.form
        own = [] if person.site is None else await self._ledger.read(family, person.site)
        sites = [site for site in own if person.may("r", site.id)]
        values = {
            "tokens": await self._ledger.read(tokens_of, person.id),
            "along": await self._ledger.read(revoked_along, person.id),
            "sites": sites,
            "choices": CHOICES,
            "offered": [] if person.site is None else [pair for pair in CHOICES if pair[0] & permissions_of(person)],
            "of_counters": OF_COUNTERS,
            "name": form.text("name"),
            "chosen": form.numbers("permission"),
            "chosen_sites": form.numbers("site"),
            "doomed": form.numbers("id"),
            "problems": problems,
        }
        return await self._parts.show(asked, "tokens/tokens.html", values)
