"""The request of a page: reads the login session and checks the form before a handler is called."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import quote

from msgspec import Struct, field
from msgspec.structs import replace
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tallystick.errors import StoreAway, StoreUnavailable
from tallystick.ledger import Ledger
from tallystick.model.account import Account
from tallystick.services.accounts.logins import (
    NOTED_EVERY_MS,
    PROVED_FOR_MS,
    Login,
    LoginSession,
    find_login_session,
    new_secret,
    note_seen,
    secret_digest,
)
from tallystick.services.accounts.logouts import Logouts
from tallystick.services.accounts.setup import Setup
from tallystick.services.accounts.superuser_logins import SuperuserLogins
from tallystick.surfaces.dashboard.support import cookies
from tallystick.surfaces.dashboard.support.forms import Form, read_form, refuse_foreign, refuse_other_sites
from tallystick.surfaces.dashboard.support.language import Language, Languages
from tallystick.turns import asking


class PageRequest(Struct, frozen=True, kw_only=True):
    """One request for a page.

    Attributes:
        http: the request as Starlette hands it over.
        now: Unix milliseconds, read once.
        principal: the login session that the cookie belongs to; None for a guest.
        secret: the cookie's value, from which the tokens of this browser's forms are derived.
        language: of the page.
        needs_setup: whether the server has no account yet.
        form: the form's fields; empty unless the request is a POST.
    """

    http: Request
    now: int
    principal: LoginSession | None
    secret: str
    language: Language
    needs_setup: bool = False
    form: Form = field(default_factory=Form)

    @property
    def account(self) -> Account:
        """The logged-in account. Only for handlers that require a login."""
        assert self.principal is not None
        return self.principal.account

    @property
    def login(self) -> Login:
        """The login session in this browser. Only for handlers that require a login."""
        assert self.principal is not None
        return self.principal.login

    @property
    def recent(self) -> bool:
        """Whether the password was given in this login session within the last ten minutes."""
        return self.principal is not None and self.now - self.principal.login.proved < PROVED_FOR_MS


VALID_REMEMBERED = 10_000
"""Digests of login cookies that were valid at their last look-up."""

READ_WITHIN_S = 1.5
"""A database that hangs must not keep them waiting."""

LONGEST_QUERY = 8_192
"""Bytes; decoding a longer one would keep other requests waiting."""

Handler = Callable[[PageRequest], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


class PageGuard:
    """Builds the ``PageRequest`` for a handler: login session, form and form token.

    Cookies that were not valid before are looked up one at a time, so that invented ones never occupy all readers of
    the ledger.
    """

    def __init__(
        self, ledger: Ledger, setup: Setup, superusers: SuperuserLogins, logouts: Logouts, languages: Languages
    ) -> None:
        self._ledger, self._setup, self._superusers, self._languages = ledger, setup, superusers, languages
        self._logouts = logouts
        self._valid: OrderedDict[bytes, None] = OrderedDict()  # digests of cookies, the most recently used last
        self._first_lookup = asyncio.Lock()

    def public(self, handler: Handler) -> Endpoint:
        """An endpoint for guests and logged-in people."""

        async def endpoint(http: Request) -> Response:
            _refuse_long_query(http)
            request = await self.page_request(http)
            if http.method == "POST":
                request = await self._with_form(request)
            return await _handled(handler, request)

        return endpoint

    def login_required(self, handler: Handler) -> Endpoint:
        """An endpoint for logged-in people; redirects guests to ``/login``."""

        async def endpoint(http: Request) -> Response:
            _refuse_long_query(http)
            request = await self._page_request(http)
            if request.principal is None:
                return to_login(http)
            if http.method == "POST":
                request = await self._with_form(request)
            return await _handled(handler, request)

        return endpoint

    def superusers_always(self, handler: Handler) -> Endpoint:
        """Like ``login_required``, for a page without forms that superusers need most while the ledger is unavailable.

        Then login sessions cannot be read, and those of superusers count that were valid when they were last read.
        """

        async def endpoint(http: Request) -> Response:
            _refuse_long_query(http)
            try:
                async with asyncio.timeout(READ_WITHIN_S):
                    request = await self._page_request(http)
            except (StoreUnavailable, TimeoutError) as error:
                request = await self._remembered(http, error)
            return to_login(http) if request.principal is None else await _handled(handler, request)

        return endpoint

    def upload(self, handler: Handler) -> Endpoint:
        """An endpoint for logged-in people whose handler reads the body itself, and refuses foreign forms."""

        async def endpoint(http: Request) -> Response:
            _refuse_long_query(http)
            request = await self._page_request(http)
            return to_login(http) if request.principal is None else await _handled(handler, request)

        return endpoint

    def logging_out(self, handler: Handler) -> Endpoint:
        """An endpoint for the form that ends a login session, whether or not the ledger can be read."""

        async def endpoint(http: Request) -> Response:
            _refuse_long_query(http)
            return await handler(await self._with_form(await self._guest(http, cookies.login_secret(http))))

        return endpoint

    def without_cookies(self, handler: Handler) -> Endpoint:
        """An endpoint that is asked by pages of other websites, and answers everybody like a guest without cookies."""

        async def endpoint(http: Request) -> Response:
            _refuse_long_query(http)
            headers = [(name, value) for name, value in http.scope["headers"] if name != b"cookie"]
            bare = Request({**http.scope, "headers": headers}, http.receive)
            language = await self._language(bare, None)
            now = self._ledger.clock()
            return await handler(PageRequest(http=bare, now=now, principal=None, secret="", language=language))

        return endpoint

    def harmless(self, handler: Handler) -> Endpoint:
        """An endpoint for a form that changes only how pages look, so that it needs no token.

        Pages that set no cookie can have the form as well.
        """

        async def endpoint(http: Request) -> Response:
            _refuse_long_query(http)
            refuse_other_sites(http)
            request = await self._page_request(http)
            return await _handled(handler, replace(request, form=await read_form(http)))

        return endpoint

    async def page_request(self, http: Request) -> PageRequest:
        """The request without its form; that of a guest while the ledger is unavailable."""
        try:
            return await self._page_request(http)
        except StoreUnavailable:
            return await self._guest(http)

    async def error_request(self, http: Request) -> PageRequest:
        """The request of an error page, which comes even if the ledger hangs: then it is that of a guest."""
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                return await self.page_request(http)
        except TimeoutError:
            return await self._guest(http)

    async def _guest(self, http: Request, secret: str = "") -> PageRequest:
        return PageRequest(
            http=http,
            now=self._ledger.clock(),
            principal=None,
            secret=secret or _guest_secret(http),
            language=await self._language(http, None),
        )

    async def _page_request(self, http: Request) -> PageRequest:
        now = self._ledger.clock()
        secret = cookies.login_secret(http)
        principal = await self._login_session(secret, now) if secret else None
        return PageRequest(
            http=http,
            now=now,
            principal=principal,
            secret=secret if principal else _guest_secret(http),
            language=await self._language(http, principal),
            needs_setup=await self._setup.needed(),
        )

    async def _remembered(self, http: Request, error: StoreUnavailable | TimeoutError) -> PageRequest:
        """The request of a superuser whose login session was valid a while ago.

        Raises:
            StoreUnavailable: there is none.
        """
        now, secret = self._ledger.clock(), cookies.login_secret(http)
        digest = secret_digest(secret)
        principal = None if self._logouts.is_pending(digest) else self._superusers.valid(digest, now)
        if principal is None:
            raise error if isinstance(error, StoreUnavailable) else StoreAway from error
        language = await self._language(http, principal)
        return PageRequest(http=http, now=now, principal=principal, secret=secret, language=language)

    async def _login_session(self, secret: str, now: int) -> LoginSession | None:
        digest, change = secret_digest(secret), self._superusers.change
        if self._logouts.is_pending(digest):
            return None
        if digest in self._valid:
            principal = await self._ledger.read(find_login_session, digest, now)
        else:
            async with self._first_lookup:
                principal = await self._ledger.read(find_login_session, digest, now)
        self._valid.pop(digest, None)
        if principal:
            if len(self._valid) >= VALID_REMEMBERED:
                self._valid.popitem(last=False)
            self._valid[digest] = None
        self._superusers.remember(digest, principal, change, now)
        if principal and now - principal.login.seen >= NOTED_EVERY_MS:
            with suppress(StoreUnavailable):  # pages stay readable while the ledger cannot be written
                await self._ledger.write(note_seen, principal.login.digest, now)
        return principal

    async def _language(self, http: Request, principal: LoginSession | None) -> Language:
        account = principal.account if principal else None
        asked = http.cookies.get(cookies.LANGUAGE, ""), http.headers.get("accept-language", "")
        if account is None:
            return self._languages.of(None, *asked)
        return await asyncio.to_thread(self._languages.of, account, *asked)

    async def _with_form(self, request: PageRequest) -> PageRequest:
        form = await read_form(request.http)
        refuse_foreign(request.http, form, request.secret)
        return replace(request, form=form)


def to_login(http: Request) -> Response:
    """Redirect to ``/login``, which leads back to this page."""
    return see_other(f"/login?next={quote(http.url.path)}")


def see_other(address: str) -> Response:
    """Redirect to another page, by GET (303)."""
    return RedirectResponse(address, 303, {"cache-control": "private, no-store"})


def with_guest_cookie(request: PageRequest, response: Response) -> Response:
    """Set the guest cookie that the tokens of this page's forms are derived from, unless the browser has it."""
    if request.principal is None and cookies.guest_secret(request.http) != request.secret:
        cookies.keep_guest(request.http, response, request.secret)
    return response


def _refuse_long_query(http: Request) -> None:
    """Limit the query string. Also removes it: the error page would decode it otherwise.

    Raises:
        HTTPException: the query is too long (414).
    """
    if len(http.scope["query_string"]) > LONGEST_QUERY:
        http.scope["query_string"] = b""
        raise HTTPException(414)


async def _handled(handler: Handler, request: PageRequest) -> Response:
    """The response to a request, whose questions are those of the person; guests are one."""
    with asking(f"account {request.account.id}" if request.principal else None):
        return await handler(request)


def _guest_secret(http: Request) -> str:
    return cookies.guest_secret(http) or new_secret()
