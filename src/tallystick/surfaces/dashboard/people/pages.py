"""The people of an account and what they may do: ``/people``."""

import secrets
from collections.abc import Callable, Mapping, Sequence

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.ledger import Session
from tallystick.model.account import ACCESS_ORDER, ALL_SITES, Access, Account
from tallystick.model.site import Site
from tallystick.services.accounts.accounts import NewAccount, account, accounts_of
from tallystick.services.accounts.people import (
    give_access,
    invite,
    let_in_again,
    may_manage,
    refusal_to_decide,
    refusal_to_invite,
    remove,
)
from tallystick.services.accounts.site_rows import family
from tallystick.surfaces.dashboard.sites.pages import name_of
from tallystick.surfaces.dashboard.support.confirmation import confirmed
from tallystick.surfaces.dashboard.support.forms import Form
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, NOT_CONFIRMED, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import Parts

LETTERS: Sequence[tuple[Access, str]] = (
    ("r", "read"),
    ("s", "read and change settings"),
    ("a", "admin"),
    ("*", "superuser of this server"),
)
_WORDS = dict(LETTERS)
UNNAMED = "a person without a name"


class PeoplePages:
    """Who shares an account."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._ledger = parts, parts.ledger

    async def page(self, asked: PageRequest) -> Response:
        """Everyone, and for admins the forms about them."""
        return await self._show(asked)

    async def add(self, asked: PageRequest) -> Response:
        """Add a person; their first password is made up and shown once."""
        form, actor = asked.form, asked.login.account.id
        if refused := await self._refused(asked, refusal_to_invite, actor, access_in(form)):
            return refused
        password = new_password()
        digest = await self._parts.passwords.hash(password)
        wanted = NewAccount(
            email=form.text("email"), name=form.text("name"), password=digest, access=access_in(asked.form)
        )
        try:
            created = await self._parts.write(asked, invite, actor, wanted, asked.now)
        except InputRefused as error:
            return await self._show(asked, problems_of(error))
        return await self._show_password(asked, created, password)

    async def change_access(self, asked: PageRequest) -> Response:
        """Replace what a person may do."""
        actor, access = asked.login.account.id, access_in(asked.form)
        try:
            await self._parts.write(asked, give_access, actor, _number(asked), access, asked.now)
        except InputRefused as error:
            return await self._show(asked, problems_of(error))
        return see_other("/people?done=access")

    async def new_password(self, asked: PageRequest) -> Response:
        """Give a person a new password, for who has lost theirs or the telephone."""
        if refused := await self._refused(asked, refusal_to_decide, asked.login.account.id, _number(asked)):
            return refused
        password = new_password()
        digest = await self._parts.passwords.hash(password)
        try:
            person = await self._parts.write(
                asked,
                let_in_again,
                asked.login.account.id,
                _number(asked),
                digest,
                asked.now,
                asked.form.checked("revoke"),
            )
        except InputRefused as error:
            return await self._show(asked, problems_of(error))
        return await self._show_password(asked, person, password)

    async def remove(self, asked: PageRequest) -> Response:
        """Delete a person's account."""
        number = _number(asked)
        if refusal := await self._ledger.read(refusal_to_decide, asked.login.account.id, number):
            return await self._show(asked, problems_of(refusal))
        doomed = await self._ledger.read(account, number)
        if doomed and not confirmed(asked, doomed.email):
            return await self._show(asked, NOT_CONFIRMED)
        try:
            await self._parts.write(asked, remove, asked.login.account.id, number, self._ledger.clock())
        except InputRefused as error:
            return await self._show(asked, problems_of(error))
        return see_other("/people?done=removed")

    async def _refused(
        self, asked: PageRequest, check: Callable[..., InputRefused | None], *arguments: object
    ) -> Response | None:
        """What is answered before a password is hashed, which takes long: the limit first, then the right.

        Raises:
            HTTPException: too many attempts (429).
        """
        self._parts.limit_form(asked)
        if refusal := await self._ledger.read(check, *arguments):
            return await self._show(asked, problems_of(refusal))
        problems = await self._parts.is_recent(asked)
        return await self._show(asked, problems) if problems else None

    async def _show(self, asked: PageRequest, problems: Problems = NO_PROBLEMS) -> Response:
        own = asked.login.account
        people, sites = await self._ledger.read(_account_of, own)
        values = {
            "people": people,
            "sites": sites,
            "letters": [pair for pair in LETTERS if pair[0] != "*" or own.access.get(ALL_SITES) == "*"],
            "may_manage": may_manage(own),
            "typed": {name: asked.form.text(name) for name in ("email", "name")},
            "name_of": name_of,
            "in_words": access_in_words,
            "names": names_of(people, with_emails=may_manage(own)),
            "doomed": asked.form.numbers("id"),
            "problems": problems,
        }
        return await self._parts.show(asked, "people/people.html", values)

    async def _show_password(self, asked: PageRequest, owner: Account, password: str) -> Response:
        values = {"owner": owner, "password": password, "problems": NO_PROBLEMS}
        return await self._parts.show(asked, "people/password.html", values)


def access_in(form: Form) -> dict[str, Access]:
    """The fields ``access-all`` and ``access-ID`` of a form: a letter each, or nothing."""
    prefix = "access-"
    return {
        name.removeprefix(prefix): letter
        for name in form.names()
        if name.startswith(prefix) and (letter := form.text(name)) in ACCESS_ORDER
    }


def names_of(people: Sequence[Account], *, with_emails: bool) -> dict[int, str]:
    """What each person is called, no two alike.

    Args:
        with_emails: whether whoever looks may see emails, which stand beside the names then.
    """
    chosen = {person.id: person.name or (person.email if with_emails else UNNAMED) for person in people}
    if with_emails:
        return chosen
    names: dict[int, str] = {}
    for number, name in chosen.items():
        alike = sorted(other for other, same in chosen.items() if same.casefold() == name.casefold())
        names[number] = f"{name} ({alike.index(number) + 1})" if len(alike) > 1 else name
    return names


def access_in_words(access: Mapping[str, Access], sites: Sequence[Site]) -> str:
    """What a person may do, for a person."""
    names = {str(site.id): name_of(site) for site in sites}
    parts = [f"{_WORDS[access[ALL_SITES]]} on all sites"] if ALL_SITES in access else []
    parts += [f"{_WORDS[letter]} on {names[site]}" for site, letter in access.items() if site in names]
    return ", ".join(parts) or "nothing"


def new_password() -> str:
    """For who will choose their own: 96 random bits."""
    return secrets.token_urlsafe(12)


def _account_of(session: Session, own: Account) -> tuple[list[Account], list[Site]]:
    if own.site is None:
        return [own], []
    return accounts_of(session, own.site), family(session, own.site)


def _number(asked: PageRequest) -> int:
    numbers = asked.form.numbers("id")
    if not numbers:
        raise HTTPException(404)
    return numbers[0]
