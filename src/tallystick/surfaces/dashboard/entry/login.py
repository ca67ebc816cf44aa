"""``/login``, ``/login/code`` and ``/logout``."""

import asyncio
import re
from math import ceil

import structlog
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.model.account import Account
from tallystick.services.accounts.audit import EventKind, done_by, note_refusal
from tallystick.services.accounts.login_delays import LONGEST_WAIT_S, LoginDelays
from tallystick.services.accounts.logins import new_secret, note_refused_login, replace_login, secret_digest
from tallystick.services.accounts.logouts import Logouts
from tallystick.services.accounts.two_factor import accept_code, is_recovery_code, password_proof, proven
from tallystick.surfaces.dashboard.support import cookies
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems
from tallystick.surfaces.dashboard.support.services import PageServices, refuse_over_limit
from tallystick.web.rate_limit import Windows

FIRST_PAGE = "/"
CODES, CODES_WITHIN_S = 5, 300.0
"""Attempts at the second step per account. Six digits are guessed quickly by someone who knows the password."""

_OUR_PAGE = re.compile(r"/[a-z][A-Za-z0-9/_-]{0,200}")

log = structlog.get_logger()


class LoginPages:
    """Login by password and second step.

    Attempts are limited by address. Many attempts on one account are slowed down, but not from an address where its
    person has logged in before: an attacker cannot lock that person out.
    """

    def __init__(self, services: PageServices, logouts: Logouts) -> None:
        self._services, self._ledger, self._logouts = services, services.ledger, logouts
        self._codes = services.rates.windows_over_all("second-step", Windows(CODES, CODES_WITHIN_S))
        self._delays = LoginDelays(services.ledger, "login", services.rates.common)

    async def page(self, request: PageRequest) -> Response:
        """The form for email and password."""
        next_page = _next_page(request.http.query_params.get("next", ""))
        return see_other(next_page) if request.principal else await self._show(request, next_page)

    async def log_in(self, request: PageRequest) -> Response:
        """Check email and password; then ask for the second step or start the login session."""
        await self._services.limit_attempts(request)
        email, next_page = request.form.text("email"), _next_page(request.form.text("next"))
        await self._slow_down(request, email)
        record = await self._services.check_password(email, request.form.exactly("password"))
        if record is None:
            log.info("a login was refused")
            await self._ledger.write(note_refused_login, email, request.now)
            return await self._show(request, next_page, email, N_("The email or the password is not right."))
        if record.account.totp_enabled:
            return await self._show_code(request, next_page, password_proof(record, request.now))
        return await self.start_session(request, record.account, next_page)

    async def take_code(self, request: PageRequest) -> Response:
        """Check the second step: a code of the authenticator app, or a recovery code."""
        await self._services.limit_attempts(request)
        proof, next_page = request.form.text("proof"), _next_page(request.form.text("next"))
        account = await self._ledger.read(proven, proof, request.now)
        if account is None:
            return await self._show(request, next_page, problem=N_("That took too long. Please log in again."))
        code = request.form.text("code")
        if not is_recovery_code(code):
            # An attacker who knows the password can use up this window, but not the one of trusted addresses.
            trusted = self._delays.trusts(account.email, self._services.client_of(request))
            refuse_over_limit(await self._codes.admit((account.id, trusted)))
        if not await self._ledger.write(accept_code, account.id, code, request.now, self._services.seals):
            log.info("a second step was refused", account=account.id)
            await self._ledger.write(note_refusal, EventKind.CODE_REFUSED, request.now, account.email)
            return await self._show_code(request, next_page, proof, {"code": [N_("is not right, or was used already")]})
        return await self.start_session(request, account, next_page)

    async def log_out(self, request: PageRequest) -> Response:
        """End the login session. Its cookie is deleted at once, whatever the ledger can do."""
        secret = cookies.login_secret(request.http)
        ended = not secret or await self._logouts.end(secret_digest(secret), request.now)
        response = see_other(f"/login?done={'logout' if ended else 'logout-pending'}")
        cookies.forget(request.http, response, cookies.LOGIN)
        return response

    async def start_session(self, request: PageRequest, account: Account, next_page: str) -> Response:
        """Start a login session and go on to ``next_page``. Its secret is new: an earlier cookie is worth nothing."""
        secret = new_secret()
        previous = request.principal.login if request.principal else None
        await self._ledger.write(
            done_by, account, replace_login, account.id, secret_digest(secret), previous, request.now
        )
        self._delays.trust(account.email, self._services.client_of(request))
        log.info("someone logged in", account=account.id)
        response = see_other(next_page)
        cookies.forget(request.http, response, cookies.GUEST)
        cookies.keep_login(request.http, response, secret)
        return response

    async def _slow_down(self, request: PageRequest, email: str) -> None:
        """Delay attempts on an account that has had many.

        Raises:
            HTTPException: too many attempts are waiting (429).
        """
        seconds = await self._delays.wait(email, self._services.client_of(request))
        if seconds is None:
            raise HTTPException(429, headers={"retry-after": str(ceil(LONGEST_WAIT_S))})
        if seconds:
            await asyncio.sleep(seconds)

    async def _show(self, request: PageRequest, next_page: str, email: str = "", problem: str = "") -> Response:
        values = {
            "email": email,
            "next": next_page,
            "join": self._services.join,
            "problems": {"": [problem]} if problem else {},
        }
        return await self._services.show(request, "entry/login.html", values)

    async def _show_code(
        self, request: PageRequest, next_page: str, proof: str, problems: Problems = NO_PROBLEMS
    ) -> Response:
        values = {"proof": proof, "next": next_page, "problems": problems}
        return await self._services.show(request, "entry/code.html", values)


def _next_page(path: str) -> str:
    """The page to show after the login: ``path`` if it is one of our pages, whatever a link says."""
    return path if _OUR_PAGE.fullmatch(path) else FIRST_PAGE
