"""``/language``: the form in the footer that chooses the language of the pages."""

import re

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.ledger import Ledger
from tallystick.services.accounts.accounts import change_preferences
from tallystick.surfaces.dashboard.support import cookies
from tallystick.surfaces.dashboard.support.language import Languages
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other

_own_address = re.compile(r"/(?![/\\])[^\\\s]{0,8000}")


class LanguageChoice:
    """Keeps the chosen language: in a cookie, and for logged-in people also in their settings."""

    def __init__(self, ledger: Ledger, languages: Languages) -> None:
        self._ledger, self._languages = ledger, languages

    async def choose(self, request: PageRequest) -> Response:
        """Keep the language and go back to the page that has the form.

        Raises:
            HTTPException: there is no such language (404).
        """
        code, back = request.form.text("language"), request.form.text("back")
        if code not in self._languages:
            raise HTTPException(404)
        if request.principal:
            await self._ledger.write(change_preferences, request.account.id, {"language": code}, request.now)
        response = see_other(back if _own_address.fullmatch(back) else "/")
        cookies.keep_language(request.http, response, code)
        return response
