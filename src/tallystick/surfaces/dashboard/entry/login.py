"""How a person comes in and goes out: ``/setup``, ``/login``, ``/logout``."""

import asyncio
import re
from collections.abc import Mapping
from math import ceil

import structlog
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.ledger import Session
from tallystick.model.account import Account
from tallystick.model.email import email_problems
from tallystick.model.line import line_problems
from tallystick.model.site_rules import host_problems, normal_host
from tallystick.services.accounts.accounts import NAME_AT_MOST, NewAccount, account_by_email, normal_email
from tallystick.services.accounts.audit import EventKind, done_by, note_refusal
from tallystick.services.accounts.logins import Login, begin_login, end_login, new_secret, secret_digest
from tallystick.services.accounts.setup import first_account
from tallystick.services.accounts.sites import NewSite
from tallystick.services.accounts.two_factor import accept_code, is_recovery_code, password_proof, proven
from tallystick.surfaces.dashboard.entry.login_delays import LONGEST_WAIT_S, Guesses
from tallystick.surfaces.dashboard.support import cookies
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import Parts, refuse_many
from tallystick.web.address import host_of
from tallystick.web.rate_limit import Windows

FIRST_PAGE = "/sites"
CODES, CODES_WITHIN_S = 5, 300.0
"""Second steps that may be tried on one account. Six digits are soon guessed; only who knows the password can try."""

_OUR_PAGE = re.compile(r"/[a-z][A-Za-z0-9/_-]{0,200}")

log = structlog.get_logger()


class Entrance:
    """The handlers of the way in.

    Attempts are limited by address. Many on one account are slowed down, but not from where its person has logged in:
    nobody can lock another person out.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts, self._ledger = parts, parts.ledger
        self._codes = Windows(CODES, CODES_WITHIN_S)
        self._guesses = Guesses()

    async def setup_page(self, asked: PageRequest) -> Response:
        """The form for the first account, or the news that there is one."""
        return await self._show_setup(asked, {"host": _site_host(asked)})

    async def set_up(self, asked: PageRequest) -> Response:
        """Create the first account and site, and log the person in."""
        self._parts.limit_attempts(asked)
        typed = {name: asked.form.text(name) for name in ("code", "email", "name", "host")}
        password = asked.form.exactly("password")
        if problems := await self._setup_problems(typed, password):
            return await self._show_setup(asked, typed, problems)
        digest = await self._parts.passwords.hash(password)
        person = NewAccount(email=typed["email"], name=typed["name"], password=digest)
        try:
            created = await self._ledger.write(first_account, person, NewSite(cname=typed["host"] or None), asked.now)
        except InputRefused as error:
            return await self._show_setup(asked, typed, problems_of(error, cname="host"))
        log.info("the server was set up", account=created.id)
        return await self._let_in(asked, created, "/sites?done=setup")

    async def login_page(self, asked: PageRequest) -> Response:
        """The form for email and password."""
        next_page = _next_page(asked.request.query_params.get("next", ""))
        return see_other(next_page) if asked.known else await self._show_login(asked, next_page)

    async def log_in(self, asked: PageRequest) -> Response:
        """Take the first step: email and password."""
        self._parts.limit_attempts(asked)
        email, next_page = asked.form.text("email"), _next_page(asked.form.text("next"))
        await self._slow_down(asked, email)
        found = await self._parts.proven(email, asked.form.exactly("password"))
        if found is None:
            log.info("a login was refused")
            await self._ledger.write(_note_refused_login, email, asked.now)
            return await self._show_login(asked, next_page, email, "The email or the password is not right.")
        if found.account.totp_enabled:
            return await self._show_code(asked, next_page, password_proof(found, asked.now))
        return await self._let_in(asked, found.account, next_page)

    async def take_code(self, asked: PageRequest) -> Response:
        """Take the second step: a code of the app, or a recovery code."""
        self._parts.limit_attempts(asked)
        proof, next_page = asked.form.text("proof"), _next_page(asked.form.text("next"))
        person = await self._ledger.read(proven, proof, asked.now)
        if person is None:
            return await self._show_login(asked, next_page, problem="That took too long. Please log in again.")
        code = asked.form.text("code")
        if not is_recovery_code(code):
            # Whoever knows the password can use this window up, but not the one of where the person has logged in.
            trusted = self._guesses.trusts(person.email, self._parts.client_of(asked))
            refuse_many(self._codes.admit((person.id, trusted)))
        if not await self._ledger.write(accept_code, person.id, code, asked.now, self._parts.seals):
            log.info("a second step was refused", account=person.id)
            await self._ledger.write(note_refusal, EventKind.CODE_REFUSED, asked.now, person.email)
            return await self._show_code(asked, next_page, proof, {"code": ["is not right, or was used already"]})
        return await self._let_in(asked, person, next_page)

    async def log_out(self, asked: PageRequest) -> Response:
        """End the login session."""
        if asked.known:
            await self._ledger.write(end_login, asked.known.account.id, asked.known.login.digest)
        response = see_other("/login?done=logout")
        cookies.forget(response, cookies.LOGIN)
        return response

    async def _setup_problems(self, typed: Mapping[str, str], password: str) -> Problems:
        """Everything that is wrong with the form, so that one more attempt is enough."""
        host = normal_host(typed["host"])
        found = {
            "code": [] if self._parts.setup.unlocked_by(typed["code"]) else ["is not the one in the terminal"],
            "email": email_problems(normal_email(typed["email"])),
            "name": line_problems(typed["name"], NAME_AT_MOST),
            "host": host_problems(host) if host else [],
            "password": await self._parts.passwords.problems(password),
        }
        return {field: problems for field, problems in found.items() if problems}

    async def _slow_down(self, asked: PageRequest, email: str) -> None:
        """Wait for an attempt's turn on an account that many are made on.

        Raises:
            HTTPException: too many wait (429).
        """
        seconds = self._guesses.wait(email, self._parts.client_of(asked))
        if seconds is None:
            raise HTTPException(429, headers={"retry-after": str(ceil(LONGEST_WAIT_S))})
        if seconds:
            await asyncio.sleep(seconds)

    async def _let_in(self, asked: PageRequest, person: Account, next_page: str) -> Response:
        """Begin a login session with a secret of its own: what the browser showed before is worth nothing."""
        secret = new_secret()
        before = asked.known.login if asked.known else None
        await self._ledger.write(done_by, person, _begin, person.id, secret_digest(secret), before, asked.now)
        self._guesses.trust(person.email, self._parts.client_of(asked))
        log.info("someone logged in", account=person.id)
        response = see_other(next_page)
        cookies.forget(response, cookies.GUEST)
        cookies.keep_login(asked.request, response, secret)
        return response

    async def _show_setup(
        self, asked: PageRequest, typed: Mapping[str, str], problems: Problems = NO_PROBLEMS
    ) -> Response:
        values = {"typed": {"code": "", "email": "", "name": "", **typed}, "problems": problems}
        return await self._parts.show(asked, "entry/setup.html", values)

    async def _show_login(self, asked: PageRequest, next_page: str, email: str = "", problem: str = "") -> Response:
        values = {"email": email, "next": next_page, "problems": {"": [problem]} if problem else {}}
        return await self._parts.show(asked, "entry/login.html", values)

    async def _show_code(
        self, asked: PageRequest, next_page: str, proof: str, problems: Problems = NO_PROBLEMS
    ) -> Response:
        return await self._parts.show(
            asked, "entry/code.html", {"proof": proof, "next": next_page, "problems": problems}
        )


def _note_refused_login(session: Session, email: str, now: int) -> None:
    person = account_by_email(session, email)
    note_refusal(session, EventKind.LOGIN_REFUSED, now, person.email if person else "")


def _begin(session: Session, number: int, digest: bytes, before: Login | None, now: int) -> None:
    if before:
        end_login(session, before.account, before.digest)
    begin_login(session, number, digest, now)


def _site_host(asked: PageRequest) -> str:
    """A proposal: the name under which the server was reached, if it is one that a site can have."""
    host = host_of(asked.request.scope)
    return "" if host_problems(host) or host.rpartition(".")[2].isdigit() else host


def _next_page(wanted: str) -> str:
    """Where to go after logging in: one of our pages, whatever a link says."""
    return wanted if _OUR_PAGE.fullmatch(wanted) else FIRST_PAGE
