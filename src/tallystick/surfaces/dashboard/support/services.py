"""The services that page handlers call, and checks that several handlers share."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import NotPermitted, NotThere
from tallystick.ledger import Ledger
from tallystick.services.accounts.accounts import PasswordRecord, credentials, renew_password
from tallystick.services.accounts.audit import done_by
from tallystick.services.accounts.logins import note_proved
from tallystick.services.accounts.passwords import Passwords
from tallystick.services.accounts.seals import Seals
from tallystick.services.accounts.setup import Setup
from tallystick.services.accounts.sites import Sites
from tallystick.services.accounts.tokens import Tokens
from tallystick.services.analytics.funnel_questions import FunnelQuestions
from tallystick.services.analytics.kept.annotations import Annotations
from tallystick.services.analytics.kept.funnels import Funnels
from tallystick.services.analytics.kept.goals import Goals
from tallystick.services.analytics.kept.saved_views import SavedViews
from tallystick.services.analytics.kept.segments import Segments
from tallystick.services.analytics.questions import Questions
from tallystick.services.analytics.titles import Titles
from tallystick.services.sharing.service import Sharing
from tallystick.surfaces.dashboard.support.page_request import Handler, PageRequest
from tallystick.surfaces.dashboard.support.problems import (
    NO_PROBLEMS,
    PASSWORD_NEEDED,
    UNPROCESSABLE,
    WRONG_PASSWORD,
    Problems,
)
from tallystick.surfaces.dashboard.support.rendering import Renderer
from tallystick.web.address import ClientAddresses, rate_limit_name, wider_network
from tallystick.web.rate_limit import Admission, RateLimits
from tallystick.web.surface import Joining

Result = TypeVar("Result")


class Statistics(Struct, frozen=True, kw_only=True):
    """The services that pages of statistics ask."""

    questions: Questions
    funnel_questions: FunnelQuestions
    goals: Goals
    funnels: Funnels
    segments: Segments
    saved_views: SavedViews
    annotations: Annotations
    titles: Titles


class PageServices(Struct, frozen=True, kw_only=True):
    """Services shared by all page handlers."""

    ledger: Ledger
    renderer: Renderer
    setup: Setup
    passwords: Passwords
    seals: Seals
    sites: Sites
    tokens: Tokens
    sharing: Sharing
    statistics: Statistics
    rates: RateLimits
    addresses: ClientAddresses
    join: Joining

    async def show(self, request: PageRequest, template: str, values: Mapping[str, object]) -> Response:
        """Render a page with a form: 422 if ``values["problems"]`` has messages, else 200."""
        status = UNPROCESSABLE if values["problems"] else 200
        return await self.renderer.private_page(request, template, values, status)

    async def write(self, request: PageRequest, function: Callable[..., Result], *arguments: Any) -> Result:  # noqa: ANN401
        """Run ``function(session, *arguments)`` in a ledger transaction; the audit log names the logged-in account."""
        return await self.ledger.write(done_by, request.account, function, *arguments)

    async def write_or_404(self, request: PageRequest, function: Callable[..., Result], *arguments: Any) -> Result:  # noqa: ANN401
        """As ``write``, of something that another person may have deleted or taken meanwhile.

        Raises:
            HTTPException: it is not there for this person any more (404).
        """
        try:
            return await self.write(request, function, *arguments)
        except (NotThere, NotPermitted) as error:
            raise HTTPException(404) from error

    async def recent_password_problems(self, request: PageRequest) -> Problems:
        """Check that the password was given within the last ten minutes or is in the form's field ``current``.

        Returns:
            Messages for the form; none when the check passes.

        Raises:
            HTTPException: too many attempts (429).
        """
        if request.recent:
            return NO_PROBLEMS
        if not request.form.exactly("current"):
            return PASSWORD_NEEDED
        if not await self.knows_password(request):
            return WRONG_PASSWORD
        await self.ledger.write(note_proved, request.login.digest, request.now)
        return NO_PROBLEMS

    async def knows_password(self, request: PageRequest) -> bool:
        """Whether the form's field ``current`` is the password of the logged-in account.

        Raises:
            HTTPException: too many attempts (429).
        """
        await self.limit_form(request)
        email, password = request.account.email, request.form.exactly("current")
        return await self.check_password(email, password, logged_in=True) is not None

    async def check_password(self, email: str, password: str, *, logged_in: bool = False) -> PasswordRecord | None:
        """The account with this email if the password is right, else None.

        Replaces a digest that was made with outdated parameters: only here the password is at hand.

        Args:
            logged_in: see ``Passwords.match``.
        """
        record = await self.ledger.read(credentials, email)
        matches = await self.passwords.match(record.password if record else None, password, logged_in=logged_in)
        if not record or not matches:
            return None
        if digest := await self.passwords.renewed(record.password, password):
            await self.ledger.write(renew_password, record.account.id, record.password, digest)
            return PasswordRecord(record.account, digest)
        return record

    def client_of(self, request: PageRequest) -> str:
        """The key under which rate limits count this request's address."""
        return rate_limit_name(self.addresses.of(request.http.scope))

    def network_of(self, request: PageRequest) -> Hashable | None:
        """The IPv6 network of 48 bits of this request's address, in which one customer may have many keys of limits."""
        return wider_network(self.addresses.of(request.http.scope))

    async def limit_form(self, request: PageRequest) -> None:
        """Limit forms that cost as much as a login, by address and by account.

        Raises:
            HTTPException: too many (429).
        """
        await self.limit_attempts(request)
        refuse_over_limit(await self.rates.admit_over_all("login", ("account", request.account.id)))

    async def limit_attempts(self, request: PageRequest) -> None:
        """Limit guesses at passwords and codes by address.

        Raises:
            HTTPException: too many attempts from this address (429).
        """
        refuse_over_limit(await self.rates.admit_address_over_all("login", self.addresses.of(request.http.scope)))

    def limited_for_guests(self, handler: Handler) -> Handler:
        """A handler of a page that asks the warehouse, for so many requests of one address without a login.

        Who is logged in is not limited: pages without an account must not keep them waiting.
        """

        async def limited(request: PageRequest) -> Response:
            if request.principal is None:
                admission = self.rates.admit_address("guest-pages", self.addresses.of(request.http.scope))
                if not admission.admitted:
                    raise TooManyPages(admission.wait)
            return await handler(request)

        return limited


class TooManyPages(HTTPException):
    """An address without a login has had as many pages of statistics as it may.

    Args:
        wait: seconds until there are more.
    """

    def __init__(self, wait: int) -> None:
        super().__init__(429, headers={"retry-after": str(wait)})


class NoCounterYet(HTTPException):
    """404 for a public counter that may be created by counting."""

    def __init__(self) -> None:
        super().__init__(404)


def refuse_over_limit(admission: Admission) -> None:
    """Turn a rate limit's refusal into an error.

    Raises:
        HTTPException: the limit is reached (429).
    """
    if not admission.admitted:
        raise HTTPException(429, headers={"retry-after": str(admission.wait)})
