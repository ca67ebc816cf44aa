"""What people decide about themselves: ``/user``."""

from collections.abc import Sequence

from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.services.accounts import change_account, set_password
from tallystick.services.logins import end_login, end_other_logins, logins_of
from tallystick.surfaces.dashboard.asking import Asked, see_other
from tallystick.surfaces.dashboard.parts import Parts
from tallystick.surfaces.dashboard.problems import NO_PROBLEMS, WRONG_PASSWORD, Problems, problems_of

ALL_OTHERS = "others"


class OwnAccount:
    """Name, password, and where the person is logged in."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._ledger = parts, parts.ledger

    async def page(self, asked: Asked) -> Response:
        """Everything about oneself."""
        return await self._show(asked)

    async def rename(self, asked: Asked) -> Response:
        """Change the name."""
        person = asked.login.account
        try:
            await self._ledger.write(change_account, person.id, asked.form.text("name"), person.settings, asked.now)
        except InputRefused as error:
            return await self._show(asked, problems_of(error))
        return see_other("/user?done=name")

    async def change_password(self, asked: Asked) -> Response:
        """Change the password; every other login session ends."""
        new, login = asked.form.exactly("password"), asked.login
        wrong = await self._parts.passwords.problems(new)
        problems: dict[str, Sequence[str]] = {"password": wrong} if wrong else {}
        if not await self._parts.knows_password(asked):
            problems.update(WRONG_PASSWORD)
        if problems:
            return await self._show(asked, problems)
        digest = await self._parts.passwords.hash(new)
        await self._ledger.write(set_password, login.account.id, digest, asked.now, login.login.digest)
        return see_other("/user?done=password")

    async def end_login(self, asked: Asked) -> Response:
        """End one login session, or all but this one."""
        number, name = asked.login.account.id, asked.form.text("login")
        if name == ALL_OTHERS:
            await self._ledger.write(end_other_logins, number, asked.login.login.digest)
        else:
            await self._ledger.write(end_login, number, _digest(name))
        return see_other("/user?done=ended")

    async def _show(self, asked: Asked, problems: Problems = NO_PROBLEMS) -> Response:
        logins = await self._ledger.read(logins_of, asked.login.account.id, asked.now)
        name = asked.form.text("name") if asked.form.checked("name") else asked.login.account.name
        values = {"logins": logins, "this_one": asked.login.login.digest, "name": name, "problems": problems}
        return await self._parts.show(asked, "account.html", values)


def _digest(name: str) -> bytes:
    try:
        return bytes.fromhex(name)
    except ValueError:
        return b""
