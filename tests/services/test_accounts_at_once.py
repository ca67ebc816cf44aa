"""Rules about several rows hold for several servers and commands that write at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

from builders import NOW
from support.people import A_DIGEST
from tallystick.errors import InputRefused, InvalidFields
from tallystick.ledger import Database, Session
from tallystick.model.account import Account
from tallystick.services.accounts.accounts import (
    NewAccount,
    accounts_of,
    all_accounts,
    create_account,
    delete_account,
    existing,
)
from tallystick.services.accounts.site_rows import active_sites
from tallystick.services.accounts.sites import NewSite, create_site

WRITERS = 8

Result = TypeVar("Result")


def write(database: Database, function: Callable[..., Result], *arguments: object) -> Result:
    """In a transaction of a connection of its own, as another program would."""
    with closing(database.session()) as session, session.transaction():
        return function(session, *arguments)


def read(database: Database, function: Callable[..., Result], *arguments: object) -> Result:
    with closing(database.session()) as session, session.snapshot():
        return function(session, *arguments)


def at_once(attempts: list[Callable[[], object]]) -> list[BaseException | None]:
    """Why each attempt failed."""
    with ThreadPoolExecutor(WRITERS) as pool:
        return [future.exception() for future in [pool.submit(attempt) for attempt in attempts]]


def a_person(session: Session, email: str, site: int | None = None) -> Account:
    return create_account(session, NewAccount(email=email, password=A_DIGEST, site=site, access={"all": "a"}), NOW)


def test_an_email_is_given_once(database: Database) -> None:
    failures = at_once([lambda: write(database, a_person, "ada@example.com")] * WRITERS)
    refused = [failure.errors for failure in failures if isinstance(failure, InvalidFields)]
    assert refused == [{"email": ["already exists"]}] * (WRITERS - 1)
    assert len(read(database, all_accounts)) == 1


def test_one_of_many_is_the_servers_first_person(database: Database) -> None:
    wanted = [NewAccount(email=f"{n}@example.com", password=A_DIGEST) for n in range(WRITERS)]
    attempts = [lambda new=new: write(database, create_account, new, NOW) for new in wanted]
    assert at_once(list(attempts)) == [None] * WRITERS
    assert [person.access for person in read(database, all_accounts)].count({"all": "*"}) == 1


def test_a_host_belongs_to_one_site_and_an_owner_has_one_account(database: Database) -> None:
    ada = write(database, a_person, "ada@example.com")
    wanted = [NewSite(cname=f"{n % 4}.example.com") for n in range(WRITERS)]
    attempts = [lambda new=new: write(database, create_site, ada, new, NOW) for new in wanted]
    failures = at_once(list(attempts))
    refused = [failure.errors for failure in failures if isinstance(failure, InvalidFields)]
    assert refused == [{"cname": ["already exists"]}] * (WRITERS - 4)
    assert len({site.root for site in read(database, active_sites)}) == 1


def test_admins_who_leave_at_once_leave_one(database: Database) -> None:
    ada = write(database, a_person, "ada@example.com")
    site = write(database, create_site, ada, NewSite(cname="stats.example.com"), NOW)
    others = [write(database, a_person, f"{n}@example.com", site.id) for n in range(WRITERS - 1)]
    attempts = [lambda person=person: write(database, delete_account, person.id, NOW) for person in (ada, *others)]
    failures = at_once(list(attempts))
    (refused,) = (failure for failure in failures if failure is not None)
    assert isinstance(refused, InputRefused)
    (left,) = read(database, accounts_of, site.id)
    assert read(database, existing, left.id).may("a", site.id)
