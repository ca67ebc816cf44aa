"""What people decide about themselves: ``/user``."""

from collections.abc import Sequence

from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.ledger import Session
from tallystick.services.accounts.accounts import change_account, existing, set_password
from tallystick.services.accounts.audit import EventKind, note
from tallystick.services.accounts.logins import end_login, end_other_logins, logins_of, note_proved
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, WRONG_PASSWORD, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import Parts

ALL_OTHERS = "others"


class OwnAccount:
    """Name, password, and where the person is logged in."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._ledger = parts, parts.ledger

    async def page(self, asked: PageRequest) -> Response:
        """Everything about oneself."""
        return await self._show(asked)

    async def rename(self, asked: PageRequest) -> Response:
        """Change the name."""
        person = asked.login.account
        try:
            await self._ledger.write(change_account, person.id, asked.form.text("name"), person.settings, asked.now)
        except InputRefused as error:
            return await self._show(asked, problems_of(error))
        return see_other("/user?done=name")

    async def change_password(self, asked: PageRequest) -> Response:
        """Change the password; every other login session ends."""
        new, login = asked.form.exactly("password"), asked.login
        wrong = await self._parts.passwords.problems(new)
        problems: dict[str, Sequence[str]] = {"password": wrong} if wrong else {}
        if not await self._parts.knows_password(asked):
            problems.update(WRONG_PASSWORD)
        if problems:
            return await self._show(asked, problems)
        digest = await self._parts.passwords.hash(new)
        revoke = asked.form.checked("revoke")
        await self._parts.write(asked, set_password, login.account.id, digest, asked.now, login.login.digest, revoke)
        await self._ledger.write(note_proved, login.login.digest, asked.now)
        return see_other("/user?done=password")

    async def end_login(self, asked: PageRequest) -> Response:
        """End one login session, or all but this one."""
        if problems := await self._parts.is_recent(asked):
            return await self._show(asked, problems)
        number, name = asked.login.account.id, asked.form.text("login")
        if name == ALL_OTHERS:
            await self._parts.write(asked, _end_others, number, asked.login.login.digest, asked.now)
        else:
            await self._parts.write(asked, _end_one, number, _digest(name), asked.now)
        return see_other("/user?done=ended")

    async def _show(self, asked: PageRequest, problems: Problems = NO_PROBLEMS) -> Response:
        logins = await self._ledger.read(logins_of, asked.login.account.id, asked.now)
        name = asked.form.text("name") if asked.form.checked("name") else asked.login.account.name
        values = {"logins": logins, "this_one": asked.login.login.digest, "name": name, "problems": problems}
        return await self._parts.show(asked, "account/account.html", values)


def _end_others(session: Session, number: int, kept: bytes, now: int) -> None:
    if any(login.digest != kept for login in logins_of(session, number, now)):
        end_other_logins(session, number, kept)
        note(session, EventKind.LOGINS_ENDED, now, existing(session, number).email, "all others")


def _end_one(session: Session, number: int, digest: bytes, now: int) -> None:
    if any(login.digest == digest for login in logins_of(session, number, now)):
        end_login(session, number, digest)
        note(session, EventKind.LOGINS_ENDED, now, existing(session, number).email, "one")


def _digest(name: str) -> bytes:
    try:
        return bytes.fromhex(name)
    except ValueError:
        return b""
