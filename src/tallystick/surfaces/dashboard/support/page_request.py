"""Who asks for a page: nobody we know, or a person who is logged in."""

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

from tallystick.errors import StoreUnavailable
from tallystick.ledger import Ledger
from tallystick.model.account import Account
from tallystick.services.accounts.logins import (
    NOTED_EVERY_MS,
    PROVED_FOR_MS,
    LoggedIn,
    logged_in,
    new_secret,
    note_seen,
    secret_digest,
)
from tallystick.services.accounts.setup import Setup
from tallystick.surfaces.dashboard.support import cookies
from tallystick.surfaces.dashboard.support.forms import Form, read_form, refuse_foreign


class PageRequest(Struct, frozen=True, kw_only=True):
    """One request for a page.

    Attributes:
        now: Unix milliseconds, read once.
        known: who is logged in, and where; None for a guest.
        secret: what the tokens of this browser's forms are made from.
        needs_setup: whether the server has no account yet.
        form: what was filled in; empty unless the request is a POST.
    """

    request: Request
    now: int
    known: LoggedIn | None
    secret: str
    needs_setup: bool = False
    form: Form = field(default_factory=Form)

    @property
    def person(self) -> Account | None:
        """Who is logged in."""
        return self.known.account if self.known else None

    @property
    def recent(self) -> bool:
        """Whether the password was given in this login session not long ago."""
        return self.known is not None and self.now - self.known.login.proved < PROVED_FOR_MS

    @property
    def login(self) -> LoggedIn:
        """Who is logged in, on pages that only people see."""
        assert self.known is not None
        return self.known


GOOD_REMEMBERED = 10_000
"""Digests of login cookies that were good when they were last looked up."""

LONGEST_QUERY = 8_192
"""Bytes; decoding what is longer would keep other requests waiting."""

Handler = Callable[[PageRequest], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


class Door:
    """Finds out who asks, and whether a form is ours, before a handler is called.

    Cookies that were not good before are looked up one at a time, so that invented ones never hold all readers of the
    ledger.
    """

    def __init__(self, ledger: Ledger, setup: Setup) -> None:
        self._ledger, self._setup = ledger, setup
        self._good: OrderedDict[bytes, None] = OrderedDict()  # digests of cookies; the one used last stands last
        self._first_look = asyncio.Lock()

    def for_anyone(self, handler: Handler) -> Endpoint:
        """A page for guests too. Who asks is not worth an error: it shows only in the bar."""

        async def endpoint(request: Request) -> Response:
            _refuse_long_query(request)
            asked = await self.asked(request)
            if request.method == "POST":
                asked = await self._with_form(asked)
            return await handler(asked)

        return endpoint

    def for_people(self, handler: Handler) -> Endpoint:
        """A page for who is logged in; others are asked to."""

        async def endpoint(request: Request) -> Response:
            _refuse_long_query(request)
            asked = await self._asked(request)
            if asked.known is None:
                return to_login(request)
            if request.method == "POST":
                asked = await self._with_form(asked)
            return await handler(asked)

        return endpoint

    async def asked(self, request: Request) -> PageRequest:
        """Who asks; a guest when the ledger cannot tell."""
        try:
            return await self._asked(request)
        except StoreUnavailable:
            return PageRequest(request=request, now=self._ledger.clock(), known=None, secret=_guest_secret(request))

    async def _asked(self, request: Request) -> PageRequest:
        now = self._ledger.clock()
        secret = cookies.login_secret(request)
        known = await self._known(secret, now) if secret else None
        return PageRequest(
            request=request,
            now=now,
            known=known,
            secret=secret if known else _guest_secret(request),
            needs_setup=await self._setup.needed(),
        )

    async def _known(self, secret: str, now: int) -> LoggedIn | None:
        digest = secret_digest(secret)
        if digest in self._good:
            known = await self._ledger.read(logged_in, digest, now)
        else:
            async with self._first_look:
                known = await self._ledger.read(logged_in, digest, now)
        self._good.pop(digest, None)
        if known:
            if len(self._good) >= GOOD_REMEMBERED:
                self._good.popitem(last=False)
            self._good[digest] = None
        if known and now - known.login.seen >= NOTED_EVERY_MS:
            with suppress(StoreUnavailable):  # pages can be read while nothing can be written
                await self._ledger.write(note_seen, known.login.digest, now)
        return known

    async def _with_form(self, asked: PageRequest) -> PageRequest:
        form = await read_form(asked.request)
        refuse_foreign(asked.request, form, asked.secret)
        return replace(asked, form=form)


def to_login(request: Request) -> Response:
    """Ask a guest to log in, and come back here."""
    return see_other(f"/login?next={quote(request.url.path)}")


def see_other(address: str) -> Response:
    """Go on to another page, by GET."""
    return RedirectResponse(address, 303, {"cache-control": "private, no-store"})


def with_guest_cookie(asked: PageRequest, response: Response) -> Response:
    """A page with a form for guests: the browser must hold what the form's token is made from."""
    if asked.known is None and cookies.guest_secret(asked.request) != asked.secret:
        cookies.keep_guest(asked.request, response, asked.secret)
    return response


def _refuse_long_query(request: Request) -> None:
    """Also takes the query away, which the page that tells of the error would decode.

    Raises:
        HTTPException: 414.
    """
    if len(request.scope["query_string"]) > LONGEST_QUERY:
        request.scope["query_string"] = b""
        raise HTTPException(414)


def _guest_secret(request: Request) -> str:
    return cookies.guest_secret(request) or new_secret()
