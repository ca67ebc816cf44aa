"""People, sites and tokens for tests: what a test does not name is ordinary."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from typing import Any, TypeVar

from tallystick.ledger import Ledger
from tallystick.model.account import Access, Account, Permission
from tallystick.model.site import Site
from tallystick.services.accounts.accounts import NewAccount, create_account, existing
from tallystick.services.accounts.sites import NewSite, create_site
from tallystick.services.accounts.tokens import NewToken, create_token

Result = TypeVar("Result")

A_DIGEST = "no password has this digest"


async def elsewhere(ledger: Ledger, function: Callable[..., Result], *arguments: Any) -> Result:
    """Do what another server or the command line does: ``function(session, *arguments)`` on a connection of its own."""

    def run() -> Result:
        with closing(ledger.database.session()) as session, session.transaction():
            return function(session, *arguments)

    return await asyncio.to_thread(run)


async def a_person(
    ledger: Ledger, email: str = "ada@example.com", site: int | None = None, access: dict[str, Access] | None = None
) -> Account:
    """An account; the first one is a superuser's."""
    wanted = NewAccount(email=email, password=A_DIGEST, site=site, access=access)
    return await ledger.write(create_account, wanted, ledger.clock())


async def again(ledger: Ledger, person: Account) -> Account:
    """The account as it is now."""
    return await ledger.read(existing, person.id)


async def a_site(ledger: Ledger, owner: Account, cname: str = "stats.example.com", code: str | None = None) -> Site:
    """A site of someone's account."""
    return await ledger.write(create_site, owner, NewSite(cname=cname, code=code), ledger.clock())


async def a_token(
    ledger: Ledger, owner: Account, permissions: Permission = Permission.COUNT, sites: tuple[int, ...] = (-1,)
) -> str:
    """The secret of a token."""
    wanted = NewToken(name="a script", permissions=permissions, sites=sites)
    _, secret = await ledger.write(create_token, owner, wanted, ledger.clock())
    return secret
