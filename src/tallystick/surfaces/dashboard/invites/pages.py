"""Invites to shared counters: ``/invites/CODE``."""

import structlog
from starlette.responses import Response

from tallystick.errors import InputRefused, SharingReason, SharingRefused
from tallystick.model.email import email_problems
from tallystick.model.line import line_problems
from tallystick.services.accounts.accounts import NAME_AT_MOST, NewAccount, normal_email
from tallystick.services.accounts.joining import join_by_invite
from tallystick.services.sharing.invites import accept, preview
from tallystick.surfaces.dashboard.entry.login import LoginPages
from tallystick.surfaces.dashboard.support.forms import Form
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other, to_login, with_guest_cookie
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices

log = structlog.get_logger()

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
    """The handlers for invites to shared counters. Guests may log in, or come in with a new account."""

    def __init__(self, services: PageServices, login: LoginPages) -> None:
        self._services, self._login = services, login

    async def page(self, request: PageRequest) -> Response:
        """The counter and role that the invite offers; a button to accept it, for guests a form for an account."""
        return await self._show(request)

    async def accept(self, request: PageRequest) -> Response:
        """Make the person a member of the counter."""
        if request.principal is None:
            return to_login(request.http)
        try:
            counter = await self._services.sharing.write(accept, request.account.id, _code(request), request.now)
        except SharingRefused as error:
            return await self._error_page(request, error)
        return see_other(f"/counters/{counter.uid}?done=joined")

    async def join(self, request: PageRequest) -> Response:
        """Create an account for a guest, log in and accept the invite."""
        if request.principal is not None:
            return see_other(f"/invites/{_code(request)}")
        self._services.limit_attempts(request)
        form, password = request.form, request.form.exactly("password")
        if problems := await self._problems(form, password):
            return await self._show(request, problems)
        digest = await self._services.passwords.hash(password)
        new = NewAccount(email=form.text("email"), name=form.text("name"), password=digest, access={})
        try:
            account, counter = await self._services.sharing.write(join_by_invite, _code(request), new, request.now)
        except SharingRefused as error:
            return await self._error_page(request, error)
        except InputRefused as error:
            return await self._show(request, problems_of(error))
        log.info("someone joined by an invite", account=account.id)
        return await self._login.start_session(request, account, f"/counters/{counter.uid}?done=joined")

    async def _problems(self, form: Form, password: str) -> Problems:
        """All problems of the form at once."""
        problems = {
            "email": email_problems(normal_email(form.text("email"))),
            "name": line_problems(form.text("name"), NAME_AT_MOST),
            "password": await self._services.passwords.problems(password),
        }
        return {field: messages for field, messages in problems.items() if messages}

    async def _show(self, request: PageRequest, problems: Problems = NO_PROBLEMS) -> Response:
        try:
            invite = await self._services.sharing.read(preview, _code(request), request.now)
        except SharingRefused as error:
            return await self._error_page(request, error)
        values = {
            "invite": invite,
            "problems": problems,
            "code": _code(request),
            "typed": {name: request.form.text(name) for name in ("email", "name")},
        }
        return with_guest_cookie(request, await self._services.show(request, "invites/invite.html", values))

    async def _error_page(self, request: PageRequest, error: SharingRefused) -> Response:
        status, title, text = ERRORS[error.reason]
        values = {"title": title, "text": text}
        return await self._services.renderer.private_page(request, "support/error.html", values, status)


def _code(request: PageRequest) -> str:
    code: str = request.http.path_params["code"]
    return code
