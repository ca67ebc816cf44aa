"""``/setup``: creates the first account and site of a new server."""

from collections.abc import Mapping

import structlog
from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.model.email import email_problems
from tallystick.model.line import line_problems
from tallystick.model.site_rules import host_problems, normal_host
from tallystick.services.accounts.accounts import NAME_AT_MOST, NewAccount, normal_email
from tallystick.services.accounts.setup import first_account
from tallystick.services.accounts.sites import NewSite
from tallystick.surfaces.dashboard.entry.login import LoginPages
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices
from tallystick.web.address import host_of

log = structlog.get_logger()


class SetupPages:
    """The form for the first account, protected by the code that the server prints at its start."""

    def __init__(self, services: PageServices, login: LoginPages) -> None:
        self._services, self._login, self._ledger = services, login, services.ledger

    async def page(self, request: PageRequest) -> Response:
        """The setup form, or a note that the server has an account already."""
        return await self._show(request, {"host": _suggested_host(request)})

    async def set_up(self, request: PageRequest) -> Response:
        """Create the first account and site, and log the person in."""
        await self._services.limit_attempts(request)
        typed = {name: request.form.text(name) for name in ("code", "email", "name", "host")}
        password = request.form.exactly("password")
        if problems := await self._problems(typed, password):
            return await self._show(request, typed, problems)
        digest = await self._services.passwords.hash(password)
        person = NewAccount(email=typed["email"], name=typed["name"], password=digest)
        new_site = NewSite(cname=typed["host"] or None)
        try:
            account = await self._ledger.write(first_account, person, new_site, request.now)
        except InputRefused as error:
            return await self._show(request, typed, problems_of(error, cname="host"))
        log.info("the server was set up", account=account.id)
        return await self._login.start_session(request, account, "/sites?done=setup")

    async def _problems(self, typed: Mapping[str, str], password: str) -> Problems:
        """All problems of the form at once, so that one more attempt is enough."""
        host = normal_host(typed["host"])
        problems = {
            "code": [] if self._services.setup.unlocked_by(typed["code"]) else [N_("is not the one in the terminal")],
            "email": email_problems(normal_email(typed["email"])),
            "name": line_problems(typed["name"], NAME_AT_MOST),
            "host": host_problems(host) if host else [],
            "password": await self._services.passwords.problems(password),
        }
        return {field: messages for field, messages in problems.items() if messages}

    async def _show(self, request: PageRequest, typed: Mapping[str, str], problems: Problems = NO_PROBLEMS) -> Response:
        values = {"typed": {"code": "", "email": "", "name": "", **typed}, "problems": problems}
        return await self._services.show(request, "entry/setup.html", values)


def _suggested_host(request: PageRequest) -> str:
    """The host under which the server was reached, if a site can have it; else empty."""
    host = host_of(request.http.scope)
    return "" if host_problems(host) or host.rpartition(".")[2].isdigit() else host
