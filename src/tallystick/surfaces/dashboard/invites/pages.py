"""Invites to shared counters, sites and the server: ``/invites/CODE``. Joining without one: ``/join``."""

from collections.abc import Mapping

import structlog
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InputRefused, InviteReason, InviteRefused, SharingReason, SharingRefused
from tallystick.model.email import email_problems
from tallystick.model.line import line_problems
from tallystick.services.accounts.access_invites import has_access_invite
from tallystick.services.accounts.accounts import NAME_AT_MOST, NewAccount, normal_email
from tallystick.services.accounts.joining import join_without_invite
from tallystick.surfaces.dashboard.entry.login import LoginPages
from tallystick.surfaces.dashboard.invites.kinds import AccessInvites, CounterInvites, InviteKind
from tallystick.surfaces.dashboard.support.data import as_json
from tallystick.surfaces.dashboard.support.forms import Form
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other, to_login, with_guest_cookie
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices, refuse_over_limit

log = structlog.get_logger()

_UNKNOWN = (
    404,
    N_("There is no such invite"),
    N_("The link may be mistyped, or the invite was withdrawn. Ask whoever sent it to you for a new one."),
)
ERRORS: Mapping[SharingReason | InviteReason, tuple[int, str, str]] = {
    SharingReason.NOT_FOUND: _UNKNOWN,
    InviteReason.UNKNOWN: _UNKNOWN,
    InviteReason.SPENT: (
        410,
        N_("This invite was used or has expired"),
        N_("Ask whoever sent it to you for a new one. If you have accepted it before, you have what it was for."),
    ),
    InviteReason.OTHER_ACCOUNT: (
        409,
        N_("This invite cannot be accepted with your account"),
        N_(
            "You share the sites of another account already, and one login has the sites of one account only. Log out,"
            " open the invite again and come in with another email."
        ),
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
    """The handlers for invites. Guests may log in, or come in with a new account."""

    def __init__(self, services: PageServices, login: LoginPages) -> None:
        self._services, self._login = services, login
        self._counters, self._access = CounterInvites(services), AccessInvites(services)

    async def page(self, request: PageRequest) -> Response:
        """What the invite is to; a button to accept it, for guests a form for an account."""
        return await self._show(request)

    async def as_json(self, request: PageRequest) -> Response:
        """What the invite is to, as JSON."""
        kind = await self._kind(request)
        try:
            return as_json(await kind.as_data(request, _code(request)))
        except (SharingRefused, InviteRefused) as error:
            status, title, _ = ERRORS[error.reason]
            return as_json({"error": title}, status)

    async def accept(self, request: PageRequest) -> Response:
        """Give the person what the invite is to."""
        if request.principal is None:
            return to_login(request.http)
        kind = await self._kind(request)
        try:
            return see_other(await kind.accept(request, _code(request)))
        except (SharingRefused, InviteRefused) as error:
            return await self._error_page(request, error)

    async def join(self, request: PageRequest) -> Response:
        """Create an account for a guest, log in and accept the invite."""
        if request.principal is not None:
            return see_other(f"/invites/{_code(request)}")
        await self._services.limit_attempts(request)
        kind, (new, problems) = await self._kind(request), await self._new_account(request)
        if new is None:
            return await self._show(request, problems)
        try:
            account, address = await kind.join(request, _code(request), new)
        except (SharingRefused, InviteRefused) as error:
            return await self._error_page(request, error)
        except InputRefused as error:
            return await self._show(request, problems_of(error))
        log.info("someone joined by an invite", account=account.id)
        return await self._login.start_session(request, account, address)

    async def free_page(self, request: PageRequest) -> Response:
        """A form for an account without an invite, where the server's operator allows that (``--join anyone``)."""
        if request.needs_setup:
            return see_other("/setup")
        return see_other("/") if request.principal else await self._show_free(request)

    async def free_json(self, _request: PageRequest) -> Response:
        """Whether there are accounts without an invite, as JSON."""
        return as_json({"open": self._services.join == "anyone"})

    async def join_freely(self, request: PageRequest) -> Response:
        """Create an account for a guest without an invite, and log in."""
        if request.principal is not None:
            return see_other("/")
        if self._services.join != "anyone":
            raise HTTPException(403)
        await self._services.limit_attempts(request)
        new, problems = await self._new_account(request)
        if new is None:
            return await self._show_free(request, problems)
        address = self._services.addresses.of(request.http.scope)
        refuse_over_limit(await self._services.rates.admit_address_over_all("join", address))
        try:
            account = await self._services.ledger.write(join_without_invite, new, request.now)
        except InputRefused as error:
            return await self._show_free(request, problems_of(error))
        log.info("someone joined without an invite", account=account.id)
        return await self._login.start_session(request, account, "/")

    async def _kind(self, request: PageRequest) -> InviteKind:
        is_to_access = await self._services.ledger.read(has_access_invite, _code(request))
        return self._access if is_to_access else self._counters

    async def _new_account(self, request: PageRequest) -> tuple[NewAccount | None, Problems]:
        """The account that the form describes, with counters only; or all problems of the form."""
        form, password = request.form, request.form.exactly("password")
        if problems := await self._problems(form, password):
            return None, problems
        digest = await self._services.passwords.hash(password)
        return NewAccount(email=form.text("email"), name=form.text("name"), password=digest, access={}), NO_PROBLEMS

    async def _problems(self, form: Form, password: str) -> Problems:
        """All problems of the form at once."""
        problems = {
            "email": email_problems(normal_email(form.text("email"))),
            "name": line_problems(form.text("name"), NAME_AT_MOST),
            "password": await self._services.passwords.problems(password),
        }
        return {field: messages for field, messages in problems.items() if messages}

    async def _show(self, request: PageRequest, problems: Problems = NO_PROBLEMS) -> Response:
        kind = await self._kind(request)
        try:
            shown = await kind.shown(request, _code(request))
        except (SharingRefused, InviteRefused) as error:
            return await self._error_page(request, error)
        values = {**shown, "problems": problems, "code": _code(request), "typed": _typed(request)}
        return with_guest_cookie(request, await self._services.show(request, kind.template, values))

    async def _show_free(self, request: PageRequest, problems: Problems = NO_PROBLEMS) -> Response:
        values = {"problems": problems, "typed": _typed(request), "open": self._services.join == "anyone"}
        return with_guest_cookie(request, await self._services.show(request, "invites/join.html", values))

    async def _error_page(self, request: PageRequest, error: SharingRefused | InviteRefused) -> Response:
        status, title, text = ERRORS[error.reason]
        values = {"title": title, "text": text}
        return await self._services.renderer.private_page(request, "support/error.html", values, status)


def _typed(request: PageRequest) -> dict[str, str]:
    return {name: request.form.text(name) for name in ("email", "name")}


def _code(request: PageRequest) -> str:
    code: str = request.http.path_params["code"]
    return code
