"""Shared links: ``/share/{secret}``. Finds a link by its secret, and asks for its password where it has one."""

import asyncio
from contextlib import suppress
from math import ceil
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from tallystick.errors import StoreUnavailable
from tallystick.services.accounts.login_delays import LONGEST_WAIT_S, LoginDelays
from tallystick.services.analytics.kept.shared_links import (
    OpenedLink,
    is_proven,
    is_use_unknown,
    link_proof,
    note_link_used,
    note_refused_password,
    open_shared_link,
)
from tallystick.surfaces.dashboard.analytics.viewer import OtherFirst, Viewer
from tallystick.surfaces.dashboard.sharing.form import SHARED_LISTS
from tallystick.surfaces.dashboard.support import cookies
from tallystick.surfaces.dashboard.support.framing import NO_FRAMES, frame_ancestors
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems
from tallystick.surfaces.dashboard.support.services import PageServices

GONE, PASSWORD_WANTED = 410, 403
WRONG: Problems = {"password": [N_("is not right")]}

_ENDED = N_("This link has expired or was withdrawn")
_ASK = N_("Ask whoever sent it to you for a new one.")

HEADERS = {
    "cache-control": "private, no-store",
    "referrer-policy": "same-origin",  # the address has the secret
    "x-robots-tag": "noindex, nofollow",
}


class LinkDoor:
    """Lets people with a shared link in.

    Wrong passwords count to the limit of logins, and many on one link are slowed down, from whatever addresses.
    """

    def __init__(self, services: PageServices) -> None:
        self._services, self._ledger = services, services.ledger
        self._delays = LoginDelays(services.ledger, "shared link", services.rates.common)

    async def of(self, request: PageRequest, names: str) -> Viewer:
        """The viewer with a link.

        Args:
            names: the secret of the link.

        Raises:
            OtherFirst: the link has ended, or its password has to be given first.
        """
        link, site = await self.open(request, names)
        return Viewer(
            sites=(site,),
            base=f"/share/{names}",
            locked=tuple(link.filters),
            lists=frozenset(link.panels or SHARED_LISTS),
            # Browsers send no cookies with a frame of another website, so a password could not be given there. Those
            # who are logged in have their name and forms on the page.
            frames=frame_ancestors([site]) if link.password is None and request.principal is None else NO_FRAMES,
            headers=HEADERS,
        )

    async def open(self, request: PageRequest, secret: str) -> OpenedLink:
        """The link with a secret, and its site.

        Raises:
            OtherFirst: the link has ended, or its password has to be given first.
        """
        opened = await self._find(request, secret)
        if opened is None:
            raise OtherFirst(await self._ended(request))
        if not self._is_proven(request, opened):
            raise OtherFirst(await self._ask(request))
        if is_use_unknown(opened.link, request.now):
            with suppress(StoreUnavailable):  # pages stay readable while the ledger cannot be written
                await self._ledger.write(note_link_used, opened.link, request.now)
        return opened

    async def enter(self, request: PageRequest) -> Response:
        """Check the password in the form, and go on to the page."""
        opened = await self._find(request, request.http.path_params["site"])
        if opened is None:
            return await self._ended(request)
        if self._is_proven(request, opened):
            return see_other(_first_page(request))
        await self._services.limit_attempts(request)
        await self._slow_down(request, opened)
        digest, password = opened.link.password, request.form.exactly("password")
        if not await self._services.passwords.match(digest, password):
            await self._ledger.write(note_refused_password, opened, request.now)
            return await self._ask(request, WRONG)
        self._delays.trust(_name(opened), self._services.client_of(request))
        response = see_other(_first_page(request))
        cookies.keep_given(request.http, response, _name(opened), link_proof(opened.link, request.now))
        return response

    async def _find(self, request: PageRequest, secret: str) -> OpenedLink | None:
        found: OpenedLink | None = await self._ledger.read(open_shared_link, secret, request.now)
        return found

    def _is_proven(self, request: PageRequest, opened: OpenedLink) -> bool:
        return is_proven(opened.link, cookies.given_proof(request.http, _name(opened)), request.now)

    async def _slow_down(self, request: PageRequest, opened: OpenedLink) -> None:
        """Delay attempts on a link that has had many.

        Raises:
            HTTPException: too many attempts are waiting (429).
        """
        seconds = await self._delays.wait(_name(opened), self._services.client_of(request))
        if seconds is None:
            raise HTTPException(429, headers={"retry-after": str(ceil(LONGEST_WAIT_S))})
        if seconds:
            await asyncio.sleep(seconds)

    async def _ask(self, request: PageRequest, problems: Problems = NO_PROBLEMS) -> Response:
        """The form for the password; for programs a refusal."""
        if not _wants_page(request):
            message = "this link needs a password: open it in a browser"
            return JSONResponse({"error": message}, PASSWORD_WANTED, HEADERS)
        values = {"address": _first_page(request), "problems": problems}
        response = await self._services.show(request, "sharing/password.html", values)
        response.headers.update(HEADERS)
        return response

    async def _ended(self, request: PageRequest) -> Response:
        """410, alike for links that never existed."""
        if not _wants_page(request):
            return JSONResponse({"error": "this link has expired or was withdrawn"}, GONE, HEADERS)
        values = {"title": request.language.gettext(_ENDED), "text": request.language.gettext(_ASK)}
        response = await asyncio.to_thread(self._services.renderer.page, request, "support/error.html", values, GONE)
        response.headers.update(HEADERS)
        return response


def _name(opened: OpenedLink) -> str:
    return f"link-{opened.link.id}"


def _first_page(request: PageRequest) -> str:
    """The link's own page, the only one that takes the password, with the query of the page that was asked for."""
    path, query = f"/share/{quote(request.http.path_params['site'])}", request.http.url.query
    return f"{path}?{query}" if query else path


def _wants_page(request: PageRequest) -> bool:
    """Whether a browser asks for a page; a picture or data would not show a form."""
    last = request.http.url.path.rpartition("/")[2]
    return "text/html" in request.http.headers.get("accept", "") and not last.endswith((".json", ".csv", ".svg"))
