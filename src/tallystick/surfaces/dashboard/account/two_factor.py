"""The second step of logging in, from the side of who turns it on: ``/user/two-factor``."""

from collections.abc import Sequence

import segno
from markupsafe import Markup
from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.ledger import Session
from tallystick.services.accounts.logins import end_other_logins
from tallystick.services.accounts.seals import Seals
from tallystick.services.accounts.two_factor import (
    disable,
    enable,
    is_totp_secret,
    new_totp_secret,
    provisioning_uri,
    recovery_codes_left,
    renew_recovery_codes,
)
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, WRONG_PASSWORD, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import Parts
from tallystick.web.address import host_of

PAGE = "/user/two-factor"


class SecondStep:
    """The authenticator app and the recovery codes."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._ledger = parts, parts.ledger

    async def page(self, asked: PageRequest) -> Response:
        """How to turn it on, or off."""
        return await self._show(asked)

    async def turn_on(self, asked: PageRequest) -> Response:
        """Turn it on, and show the recovery codes."""
        person = asked.login.account
        if person.totp_enabled:
            return see_other(PAGE)
        if problems := await self._parts.is_recent(asked):
            return await self._show(asked, problems)
        secret, code = asked.form.text("secret"), asked.form.text("code")
        kept, seals = asked.login.login.digest, self._parts.seals
        try:
            codes = await self._parts.write(asked, _turn_on, person.id, secret, code, asked.now, seals, kept)
        except InputRefused as error:
            return await self._show(asked, problems_of(error))
        return await self._show_codes(asked, codes)

    async def turn_off(self, asked: PageRequest) -> Response:
        """Turn it off; takes the password."""
        if not await self._parts.knows_password(asked):
            return await self._show(asked, WRONG_PASSWORD)
        await self._parts.write(asked, disable, asked.login.account.id, asked.now)
        return see_other(f"{PAGE}?done=off")

    async def renew_codes(self, asked: PageRequest) -> Response:
        """Replace the recovery codes; takes the password."""
        if not asked.login.account.totp_enabled:
            return see_other(PAGE)
        if not await self._parts.knows_password(asked):
            return await self._show(asked, WRONG_PASSWORD)
        return await self._show_codes(
            asked, await self._parts.write(asked, renew_recovery_codes, asked.login.account.id)
        )

    async def _show(self, asked: PageRequest, problems: Problems = NO_PROBLEMS) -> Response:
        """The secret stays in the page until a code shows that the app has it; only then is it kept."""
        person, typed = asked.login.account, asked.form.text("secret")
        secret = typed if is_totp_secret(typed) else new_totp_secret()
        values = {
            "secret": secret,
            "picture": qr_code(provisioning_uri(secret, person.email, _issuer(asked))),
            "left": await self._ledger.read(recovery_codes_left, person.id),
            "problems": problems,
        }
        return await self._parts.show(asked, "account/two_factor.html", values)

    async def _show_codes(self, asked: PageRequest, codes: Sequence[str]) -> Response:
        return await self._parts.show(asked, "account/recovery_codes.html", {"codes": codes, "problems": NO_PROBLEMS})


def _turn_on(  # noqa: PLR0913, PLR0917  # see enable
    session: Session, number: int, secret: str, code: str, now: int, seals: Seals, kept: bytes
) -> list[str]:
    """Turn it on, and end login sessions that did without, but for the one where it is done."""
    codes = enable(session, number, secret, code, now, seals)
    end_other_logins(session, number, kept)
    return codes


def qr_code(text: str) -> Markup:
    """A text as an SVG picture: dark on light, whatever the page's colours are, for cameras want it so."""
    picture = segno.make(text, error="m").svg_inline(scale=1, border=4, dark="#000", light="#fff", omitsize=True)
    return Markup(picture)  # noqa: S704  # rectangles and paths only; the text is in their shape


def _issuer(asked: PageRequest) -> str:
    """What the app lists the code under."""
    return f"Tallystick {host_of(asked.request.scope)}".strip()
