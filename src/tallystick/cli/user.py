"""``tallystick user``: manages the people who have accounts, also while a server runs."""

import re
import sys
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter, Token

from tallystick.cli.support.listing import instant, print_rows
from tallystick.cli.support.opening import opened_ledger
from tallystick.cli.support.people import account_of, fields_are_options
from tallystick.cli.support.prompts import Yes, confirm, new_password
from tallystick.ledger.ledger import milliseconds
from tallystick.model.account import ALL_SITES, Access, Account
from tallystick.services.accounts import accounts
from tallystick.services.accounts.access_invites import (
    DAY_MS,
    MAY_ADD_SITES,
    MOST_USES,
    NewAccessInvite,
    invite_to_server,
)
from tallystick.services.accounts.accounts import NewAccount
from tallystick.services.accounts.passwords import hash_password
from tallystick.services.accounts.tokens import tokens_of
from tallystick.settings import StorageSettings, whole_number

LEVELS: dict[str, Access] = {"readonly": "r", "settings": "s", "admin": "a", "superuser": "*"}
WORDS = {letter: word for word, letter in LEVELS.items()}

app = App(
    name="user",
    help="Manage the people who have accounts; also while a server runs.",
    help_epilogue="A user is given by email or id.",
)


def _levels(_type: Any, tokens: tuple[Token, ...]) -> tuple[tuple[str, Access], ...]:  # noqa: ANN401  # cyclopts hands the type in
    return tuple(_level(text.strip()) for token in tokens for text in token.value.split(","))


def _level(text: str) -> tuple[str, Access]:
    site, colon, word = text.rpartition(":")
    if word not in LEVELS or not re.fullmatch(r"[1-9][0-9]{0,15}|all|", site) or (colon and not site):
        msg = f"it accepts LEVEL or SITE:LEVEL, where LEVEL is one of {', '.join(LEVELS)}, not {text!r}."
        raise ValueError(msg)
    return site or ALL_SITES, LEVELS[word]


def _dash(_type: Any, tokens: tuple[Token, ...]) -> str:  # noqa: ANN401
    if tokens[0].value != "-":
        msg = "it accepts - only: the password is read from standard input, where other programs cannot see it."
        raise ValueError(msg)
    return "-"


Levels = Annotated[
    tuple[tuple[str, Access], ...],
    Parameter(
        converter=_levels, n_tokens=1, accepts_keys=False, negative=(), metavar="[SITE:]LEVEL", show_default=False
    ),
]
FromInput = Annotated[
    Literal["-"], Parameter(converter=_dash, n_tokens=1, allow_leading_hyphen=True, metavar="-", show_choices=False)
]


@app.command(sort_key=1)
def create(  # noqa: PLR0913  # one an option
    *,
    email: str,
    password: FromInput | None = None,
    name: Annotated[str, Parameter(show_default=False)] = "",
    site: Annotated[int | None, whole_number(1, 2**53)] = None,
    access: Levels = (),
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Create an account for a person, and print its id.

    The server's first user is its superuser. Everyone may have counters and share them. Later users have no access to
    sites until you create one for them (site create), they join an account (--site), or you allow them to create their
    own (--access admin).

    Args:
        email: The email for logging in.
        password: Read from the first line of standard input, where other programs cannot see it.
        name: Shown to others, for example to the members of a shared counter.
        site: Join the account of this site, with access readonly by default.
        access: What they may do: readonly, settings, admin or superuser, on all sites of the account or on one.
    """
    del password  # the only accepted value, -, is also the default
    with fields_are_options():
        digest = hash_password(new_password())
        new_account = NewAccount(email=email, password=digest, name=name, site=site, access=dict(access) or None)
        with opened_ledger(settings) as (_, session), session.transaction():
            created = accounts.create_account(session, new_account, milliseconds())
    print(f"{created.email}: {_access(created)}", file=sys.stderr)
    print(created.id)


@app.command(name="list", sort_key=2)
def list_(*, settings: StorageSettings = StorageSettings()) -> None:
    """List users by email.

    On a terminal a table, otherwise one user a line, separated by tabs: id, email, name, first site, access,
    whether the login needs a second factor, when they last logged in, and when the account was created.
    """
    with opened_ledger(settings) as (_, session), session.snapshot():
        everyone = accounts.all_accounts(session)
    print_rows(
        ("Id", "Email", "Name", "First site", "Access", "Two factors", "Last login", "Created"),
        [
            (
                person.id,
                person.email,
                person.name,
                person.site,
                _access(person),
                "yes" if person.totp_enabled else "no",
                instant(person.login),
                instant(person.created),
            )
            for person in everyone
        ],
    )


@app.command(sort_key=3)
def password(
    who: str,
    /,
    *,
    password: FromInput | None = None,
    revoke_tokens: Annotated[bool, Parameter(negative=())] = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Set a user's password and end their login sessions.

    Args:
        who: Email or id.
        revoke_tokens: Also revoke their API tokens, which someone who knew the old password could have created.
        password: Read from the first line of standard input, where other programs cannot see it.
    """
    del password  # the only accepted value, -, is also the default
    with fields_are_options():
        digest = hash_password(new_password())
    with opened_ledger(settings) as (_, session), session.transaction():
        person = account_of(session, who)
        accounts.set_password(session, person.id, digest, milliseconds(), revoke_tokens=revoke_tokens)
        tokens = len(tokens_of(session, person.id))
    if tokens:
        print(f"{tokens} API tokens of {person.email} still work; --revoke-tokens revokes them", file=sys.stderr)


@app.command(sort_key=4)
def access(who: str, levels: Levels, /, *, settings: StorageSettings = StorageSettings()) -> None:
    """Replace what a user may do.

    Args:
        who: Email or id.
        levels: readonly, settings, admin or superuser, on all sites of the account or on one; separated by commas.
    """
    with fields_are_options(access="access"), opened_ledger(settings) as (_, session), session.transaction():
        person = account_of(session, who)
        changed = accounts.set_access(session, person.id, dict(levels), milliseconds())
    print(f"{changed.email}: {_access(changed)}", file=sys.stderr)


@app.command(sort_key=5)
def invite(
    *,
    sites: Annotated[bool, Parameter(negative=())] = False,
    days: Annotated[int, whole_number(1, 366)] = 7,
    uses: Annotated[int, whole_number(1, MOST_USES)] = 1,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Make an invite to the server, and print the path of its page: put your server's address before it.

    Its guest chooses name and password there. Invites to sites are made on the page People.

    Args:
        sites: They may also add sites; without this they may have counters.
        days: How long it can be used.
        uses: How many people may use it.
    """
    new = NewAccessInvite(access=MAY_ADD_SITES if sites else {}, lifetime=days * DAY_MS, max_uses=uses)
    with opened_ledger(settings) as (_, session), session.transaction():
        _, code = invite_to_server(session, None, new, milliseconds())
    print(f"/invites/{code}")


@app.command(sort_key=6)
def delete(
    who: str,
    /,
    *,
    yes: Yes = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Delete a user with their tokens and login sessions. Sites stay; the last admin of a site cannot be deleted.

    Shared counters without other members are deleted. If they were a counter's last admin, another member becomes
    admin.

    Args:
        who: Email or id.
        yes: Do not ask.
    """
    with opened_ledger(settings) as (_, session):
        with session.snapshot():
            person = account_of(session, who)
        confirm(f"Delete {person.email}?", f"{person.email} was not deleted", yes=yes, names=(person.email,))
        with session.transaction():
            accounts.delete_account(session, person.id, milliseconds())


def _access(person: Account) -> str:
    """``admin``, or ``3:readonly,4:admin``."""
    words = [
        WORDS[letter] if site == ALL_SITES else f"{site}:{WORDS[letter]}" for site, letter in person.access.items()
    ]
    return ",".join(words) or "no access yet"
