"""What the handlers of this surface work with."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.ledger import Ledger
from tallystick.services.accounts.accounts import PasswordRecord, credentials, renew_password
from tallystick.services.accounts.audit import done_by
from tallystick.services.accounts.logins import note_proved
from tallystick.services.accounts.passwords import Passwords
from tallystick.services.accounts.seals import Seals
from tallystick.services.accounts.setup import Setup
from tallystick.services.accounts.sites import Sites
from tallystick.services.accounts.tokens import Tokens
from tallystick.services.sharing.service import Sharing
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.problems import (
    NO_PROBLEMS,
    PASSWORD_NEEDED,
    UNPROCESSABLE,
    WRONG_PASSWORD,
    Problems,
)
from tallystick.surfaces.dashboard.support.rendering import Renderer
from tallystick.web.address import ClientAddresses, rate_limit_name
from tallystick.web.rate_limit import Admission, RateLimits

Result = TypeVar("Result")


class Parts(Struct, frozen=True, kw_only=True):
    """Everything that handlers call."""

    ledger: Ledger
    renderer: Renderer
    setup: Setup
    passwords: Passwords
    seals: Seals
    sites: Sites
    tokens: Tokens
    sharing: Sharing
    rates: RateLimits
    addresses: ClientAddresses

    async def show(self, asked: PageRequest, template: str, values: Mapping[str, object]) -> Response:
        """A page with a form; ``values["problems"]`` is what is wrong with what was filled in."""
        status = UNPROCESSABLE if values["problems"] else 200
        return await self.renderer.private_page(asked, template, values, status)

    async def write(self, asked: PageRequest, function: Callable[..., Result], *arguments: Any) -> Result:  # noqa: ANN401
        """``function(session, *arguments)`` in the ledger, in the name of who is logged in."""
        return await self.ledger.write(done_by, asked.login.account, function, *arguments)

    async def is_recent(self, asked: PageRequest) -> Problems:
        """Whether the password was given in this login session not long ago, or is in the form; problems if not.

        Raises:
            HTTPException: too many attempts (429).
        """
        if asked.recent:
            return NO_PROBLEMS
        if not asked.form.exactly("current"):
            return PASSWORD_NEEDED
        if not await self.knows_password(asked):
            return WRONG_PASSWORD
        await self.ledger.write(note_proved, asked.login.login.digest, asked.now)
        return NO_PROBLEMS

    async def knows_password(self, asked: PageRequest) -> bool:
        """Whether the form's field ``current`` is the password of who is logged in.

        Raises:
            HTTPException: too many attempts (429).
        """
        self.limit_form(asked)
        email, password = asked.login.account.email, asked.form.exactly("current")
        return await self.proven(email, password, logged_in=True) is not None

    async def proven(self, email: str, password: str, *, logged_in: bool = False) -> PasswordRecord | None:
        """The account of an email and its password; None when they do not belong together.

        A digest made with parameters of the past is replaced here: only now the password is known.

        Args:
            logged_in: see ``Passwords.match``.
        """
        found = await self.ledger.read(credentials, email)
        right = await self.passwords.match(found.password if found else None, password, logged_in=logged_in)
        if not found or not right:
            return None
        if digest := await self.passwords.renewed(found.password, password):
            await self.ledger.write(renew_password, found.account.id, found.password, digest)
            return PasswordRecord(found.account, digest)
        return found

    def client_of(self, asked: PageRequest) -> str:
        """What limits per address count the request by."""
        return rate_limit_name(self.addresses.of(asked.request.scope))

    def limit_form(self, asked: PageRequest) -> None:
        """Limit forms that cost as much as a login: by address, and by the person who sends them.

        Raises:
            HTTPException: too many (429).
        """
        self.limit_attempts(asked)
        refuse_many(self.rates.admit("login", ("account", asked.login.account.id)))

    def limit_attempts(self, asked: PageRequest) -> None:
        """Let nobody guess for long.

        Raises:
            HTTPException: too many attempts from this address (429).
        """
        refuse_many(self.rates.admit_address("login", self.addresses.of(asked.request.scope)))


def refuse_many(admission: Admission) -> None:
    """Pass on what a limit says.

    Raises:
        HTTPException: it says no (429).
    """
    if not admission.admitted:
        raise HTTPException(429, headers={"retry-after": str(admission.wait)})
