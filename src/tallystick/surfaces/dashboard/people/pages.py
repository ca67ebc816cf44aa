"""The people of an account and what they may do: ``/people``."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.model.account import ACCESS_ORDER, ALL_SITES, Access, Account
from tallystick.model.site import Site
from tallystick.services.accounts.accounts import NewAccount, account
from tallystick.services.accounts.people import (
    give_access,
    invite,
    may_manage,
    people_and_sites,
    refusal_to_invite,
    refusal_to_manage,
    remove,
    reset_password,
)
from tallystick.surfaces.dashboard.sites.pages import name_of
from tallystick.surfaces.dashboard.support.confirmation import confirmed
from tallystick.surfaces.dashboard.support.data import as_json, moment_text
from tallystick.surfaces.dashboard.support.forms import Form
from tallystick.surfaces.dashboard.support.language import N_, Language
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, NOT_CONFIRMED, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices

LETTERS: Sequence[tuple[Access, str]] = (
    ("r", N_("read")),
    ("s", N_("read and change settings")),
    ("a", N_("admin")),
    ("*", N_("superuser of this server")),
)
UNNAMED = N_("a person without a name")


class PeoplePages:
    """Lists, adds, changes and removes the people who share an account."""

    def __init__(self, services: PageServices) -> None:
        self._services, self._ledger = services, services.ledger

    async def page(self, request: PageRequest) -> Response:
        """The people of the account and, for admins, forms to change them."""
        return await self._show(request)

    async def add(self, request: PageRequest) -> Response:
        """Add a person with a random first password, which is shown once."""
        form, actor = request.form, request.account.id
        if refusal := await self._refusal(request, refusal_to_invite, actor, access_in(form)):
            return refusal
        password = new_password()
        digest = await self._services.passwords.hash(password)
        new_account = NewAccount(
            email=form.text("email"), name=form.text("name"), password=digest, access=access_in(request.form)
        )
        try:
            created = await self._services.write(request, invite, actor, new_account, request.now)
        except InputRefused as error:
            return await self._show(request, problems_of(error))
        return await self._show_password(request, created, password)

    async def as_json(self, request: PageRequest) -> Response:
        """The people as JSON; what only admins see of others is null for others."""
        own = request.account
        people, _ = await self._ledger.read(people_and_sites, own)
        names = names_of(people, request.language.gettext(UNNAMED), with_emails=may_manage(own))
        return as_json({"people": [_plain(own, each, names[each.id]) for each in people]})

    async def change_access(self, request: PageRequest) -> Response:
        """Replace what a person may do."""
        actor, access = request.account.id, access_in(request.form)
        try:
            await self._services.write(request, give_access, actor, _number(request), access, request.now)
        except InputRefused as error:
            return await self._show(request, problems_of(error))
        return see_other("/people?done=access")

    async def new_password(self, request: PageRequest) -> Response:
        """Give a new random password to a person who has lost theirs, or the phone of their second step."""
        if refusal := await self._refusal(request, refusal_to_manage, request.account.id, _number(request)):
            return refusal
        password = new_password()
        digest = await self._services.passwords.hash(password)
        try:
            person = await self._services.write(
                request,
                reset_password,
                request.account.id,
                _number(request),
                digest,
                request.now,
                request.form.checked("revoke"),
            )
        except InputRefused as error:
            return await self._show(request, problems_of(error))
        return await self._show_password(request, person, password)

    async def remove(self, request: PageRequest) -> Response:
        """Delete a person's account."""
        number = _number(request)
        if refusal := await self._ledger.read(refusal_to_manage, request.account.id, number):
            return await self._show(request, problems_of(refusal))
        removed = await self._ledger.read(account, number)
        if removed and not confirmed(request, removed.email):
            return await self._show(request, NOT_CONFIRMED)
        try:
            await self._services.write(request, remove, request.account.id, number, self._ledger.clock())
        except InputRefused as error:
            return await self._show(request, problems_of(error))
        return see_other("/people?done=removed")

    async def _refusal(
        self, request: PageRequest, check: Callable[..., InputRefused | None], *arguments: object
    ) -> Response | None:
        """Check the limit, the person's rights and a recent password before a new password is hashed, which is slow.

        Returns:
            The page with the problems; None when the request may go on.

        Raises:
            HTTPException: too many attempts (429).
        """
        await self._services.limit_form(request)
        if refusal := await self._ledger.read(check, *arguments):
            return await self._show(request, problems_of(refusal))
        problems = await self._services.recent_password_problems(request)
        return await self._show(request, problems) if problems else None

    async def _show(self, request: PageRequest, problems: Problems = NO_PROBLEMS) -> Response:
        own = request.account
        people, sites = await self._ledger.read(people_and_sites, own)
        values = {
            "people": people,
            "sites": sites,
            "letters": [
                (letter, request.language.gettext(text))
                for letter, text in LETTERS
                if letter != "*" or own.access.get(ALL_SITES) == "*"
            ],
            "may_manage": may_manage(own),
            "typed": {name: request.form.text(name) for name in ("email", "name")},
            "name_of": name_of,
            "in_words": partial(access_in_words, request.language),
            "names": names_of(people, request.language.gettext(UNNAMED), with_emails=may_manage(own)),
            "submitted_ids": request.form.numbers("id"),
            "problems": problems,
        }
        return await self._services.show(request, "people/people.html", values)

    async def _show_password(self, request: PageRequest, owner: Account, password: str) -> Response:
        values = {"owner": owner, "password": password, "problems": NO_PROBLEMS}
        return await self._services.show(request, "people/password.html", values)


def access_in(form: Form) -> dict[str, Access]:
    """The access chosen in a form's fields ``access-all`` and ``access-ID``; empty ones are left out."""
    prefix = "access-"
    return {
        name.removeprefix(prefix): letter
        for name in form.names()
        if name.startswith(prefix) and (letter := form.text(name)) in ACCESS_ORDER
    }


def names_of(people: Sequence[Account], unnamed: str, *, with_emails: bool) -> dict[int, str]:
    """The name shown for each person, by account id.

    Args:
        unnamed: stands for people without a name.
        with_emails: whether the viewer sees emails beside the names. Without them, equal names get a number.
    """
    chosen = {person.id: person.name or (person.email if with_emails else unnamed) for person in people}
    if with_emails:
        return chosen
    names: dict[int, str] = {}
    for number, name in chosen.items():
        alike = sorted(other for other, same in chosen.items() if same.casefold() == name.casefold())
        names[number] = f"{name} ({alike.index(number) + 1})" if len(alike) > 1 else name
    return names


def access_in_words(language: Language, access: Mapping[str, Access], sites: Sequence[Site]) -> str:
    """A person's access in words."""
    names = {str(site.id): name_of(site) for site in sites}
    words = {letter: language.gettext(text) for letter, text in LETTERS}
    everywhere, somewhere = (
        language.gettext(N_("%(access)s on all sites")),
        language.gettext(N_("%(access)s on %(site)s")),
    )
    parts = [everywhere % {"access": words[access[ALL_SITES]]}] if ALL_SITES in access else []
    parts += [
        somewhere % {"access": words[letter], "site": names[site]} for site, letter in access.items() if site in names
    ]
    return ", ".join(parts) or language.gettext(N_("nothing"))


def _plain(own: Account, person: Account, name: str) -> dict[str, Any]:
    seen = may_manage(own) or person.id == own.id
    return {
        "id": person.id,
        "name": name,
        "email": person.email if seen else None,
        "access": person.access,
        "second_step": person.totp_enabled if seen else None,
        "last_login": moment_text(person.login) if seen else None,
    }


def new_password() -> str:
    """A first password of 96 random bits; the person is asked to choose another."""
    return secrets.token_urlsafe(12)


def _number(request: PageRequest) -> int:
    numbers = request.form.numbers("id")
    if not numbers:
        raise HTTPException(404)
    return numbers[0]
