"""Turning the second step of logging in on and off: ``/user/two-factor``."""

from collections.abc import Sequence

import segno
from markupsafe import Markup
from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.services.accounts.two_factor import (
    disable,
    enable_and_end_other_logins,
    is_totp_secret,
    new_totp_secret,
    provisioning_uri,
    recovery_codes_left,
    renew_recovery_codes,
)
from tallystick.surfaces.dashboard.support.data import as_json
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, WRONG_PASSWORD, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices
from tallystick.web.address import host_of

PAGE = "/user/two-factor"


class TwoFactorPages:
    """Sets up an authenticator app and recovery codes."""

    def __init__(self, services: PageServices) -> None:
        self._services, self._ledger = services, services.ledger

    async def page(self, request: PageRequest) -> Response:
        """The form that turns the second step on, or off."""
        return await self._show(request)

    async def data(self, request: PageRequest) -> Response:
        """Whether the second step is on, and how many recovery codes are left, as JSON: no secrets."""
        person = request.account
        left = await self._ledger.read(recovery_codes_left, person.id) if person.totp_enabled else 0
        return as_json({"on": person.totp_enabled, "recovery_codes_left": left})

    async def turn_on(self, request: PageRequest) -> Response:
        """Turn the second step on and show the recovery codes."""
        person = request.account
        if person.totp_enabled:
            return see_other(PAGE)
        if problems := await self._services.recent_password_problems(request):
            return await self._show(request, problems)
        secret, code = request.form.text("secret"), request.form.text("code")
        kept, seals = request.login.digest, self._services.seals
        try:
            codes = await self._services.write(
                request, enable_and_end_other_logins, person.id, secret, code, request.now, seals, kept
            )
        except InputRefused as error:
            return await self._show(request, problems_of(error))
        return await self._show_codes(request, codes)

    async def turn_off(self, request: PageRequest) -> Response:
        """Turn the second step off. Needs the password."""
        if not await self._services.knows_password(request):
            return await self._show(request, WRONG_PASSWORD)
        await self._services.write(request, disable, request.account.id, request.now)
        return see_other(f"{PAGE}?done=off")

    async def renew_codes(self, request: PageRequest) -> Response:
        """Replace the recovery codes. Needs the password."""
        if not request.account.totp_enabled:
            return see_other(PAGE)
        if not await self._services.knows_password(request):
            return await self._show(request, WRONG_PASSWORD)
        return await self._show_codes(
            request, await self._services.write(request, renew_recovery_codes, request.account.id)
        )

    async def _show(self, request: PageRequest, problems: Problems = NO_PROBLEMS) -> Response:
        """Render the page. Until a code proves that the app has a new secret, the secret is in the form only."""
        person, typed = request.account, request.form.text("secret")
        secret = typed if is_totp_secret(typed) else new_totp_secret()
        values = {
            "secret": secret,
            "picture": qr_code(provisioning_uri(secret, person.email, _issuer(request))),
            "left": await self._ledger.read(recovery_codes_left, person.id),
            "problems": problems,
        }
        return await self._services.show(request, "account/two_factor.html", values)

    async def _show_codes(self, request: PageRequest, codes: Sequence[str]) -> Response:
        return await self._services.show(
            request, "account/recovery_codes.html", {"codes": codes, "problems": NO_PROBLEMS}
        )


def qr_code(text: str) -> Markup:
    """A QR code as SVG, always dark on light: cameras need it so, whatever the page's colours are."""
    picture = segno.make(text, error="m").svg_inline(scale=1, border=4, dark="#000", light="#fff", omitsize=True)
    return Markup(picture)  # noqa: S704  # rectangles and paths only; the text is in their shape


def _issuer(request: PageRequest) -> str:
    """The name under which the authenticator app lists the code."""
    return f"Tallystick {host_of(request.http.scope)}".strip()
