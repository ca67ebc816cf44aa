"""A person's name, password and login sessions: ``/user``."""

from collections.abc import Sequence

from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.services.accounts.accounts import change_account, set_password
from tallystick.services.accounts.logins import (
    end_login_on_request,
    end_other_logins_on_request,
    logins_of,
    note_proved,
)
from tallystick.surfaces.dashboard.support.data import as_json
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, WRONG_PASSWORD, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices

ALL_OTHERS = "others"


class ProfilePages:
    """Changes a person's own name and password, and ends their login sessions."""

    def __init__(self, services: PageServices) -> None:
        self._services, self._ledger = services, services.ledger

    async def page(self, request: PageRequest) -> Response:
        """The person's name, email, and login sessions, with forms to change them."""
        return await self._show(request)

    async def data(self, request: PageRequest) -> Response:
        """The same as JSON: without secrets, and without what would name a login session to end it."""
        person = request.account
        logins = await self._ledger.read(logins_of, person.id, request.now)
        return as_json(
            {
                "email": person.email,
                "name": person.name,
                "two_factor": person.totp_enabled,
                "created": person.created,
                "last_login": person.login,
                "logins": [
                    {"since": login.created, "last_seen": login.seen, "this": login.digest == request.login.digest}
                    for login in logins
                ],
            }
        )

    async def rename(self, request: PageRequest) -> Response:
        """Change the name."""
        person = request.account
        try:
            await self._ledger.write(change_account, person.id, request.form.text("name"), person.settings, request.now)
        except InputRefused as error:
            return await self._show(request, problems_of(error))
        return see_other("/user?done=name")

    async def change_password(self, request: PageRequest) -> Response:
        """Change the password, and end every other login session."""
        new_password = request.form.exactly("password")
        messages = await self._services.passwords.problems(new_password)
        problems: dict[str, Sequence[str]] = {"password": messages} if messages else {}
        if not await self._services.knows_password(request):
            problems.update(WRONG_PASSWORD)
        if problems:
            return await self._show(request, problems)
        digest = await self._services.passwords.hash(new_password)
        revoke = request.form.checked("revoke")
        current = request.login.digest
        await self._services.write(request, set_password, request.account.id, digest, request.now, current, revoke)
        await self._ledger.write(note_proved, current, request.now)
        return see_other("/user?done=password")

    async def end_login(self, request: PageRequest) -> Response:
        """End one login session, or all but this one."""
        if problems := await self._services.recent_password_problems(request):
            return await self._show(request, problems)
        number, name = request.account.id, request.form.text("login")
        if name == ALL_OTHERS:
            await self._services.write(request, end_other_logins_on_request, number, request.login.digest, request.now)
        else:
            await self._services.write(request, end_login_on_request, number, _digest(name), request.now)
        return see_other("/user?done=ended")

    async def _show(self, request: PageRequest, problems: Problems = NO_PROBLEMS) -> Response:
        logins = await self._ledger.read(logins_of, request.account.id, request.now)
        name = request.form.text("name") if request.form.checked("name") else request.account.name
        values = {"logins": logins, "this_one": request.login.digest, "name": name, "problems": problems}
        return await self._services.show(request, "account/account.html", values)


def _digest(name: str) -> bytes:
    try:
        return bytes.fromhex(name)
    except ValueError:
        return b""
