"""``tallystick user``: people with accounts, also while a server serves them."""

import re
import sys
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter, Token

from tallystick.cli.support.asking import Yes, confirm, new_password
from tallystick.cli.support.listing import instant, print_rows
from tallystick.cli.support.opening import opened_ledger
from tallystick.cli.support.people import account_of, fields_are_options
from tallystick.ledger.ledger import milliseconds
from tallystick.model.account import ALL_SITES, Access, Account
from tallystick.services.accounts import accounts
from tallystick.services.accounts.accounts import NewAccount
from tallystick.services.accounts.passwords import hash_password
from tallystick.services.accounts.tokens import tokens_of
from tallystick.settings import StorageSettings, whole_number

LEVELS: dict[str, Access] = {"readonly": "r", "settings": "s", "admin": "a", "superuser": "*"}
WORDS = {letter: word for word, letter in LEVELS.items()}

app = App(
    name="user",
    help="Look after the people who have accounts, also while a server serves them.",
    help_epilogue="A user is named by email or id.",
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
        msg = "it accepts - only: the password is read from standard input, where no other program sees it."
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
    """Give someone an account, and print its id.

    The server's first user is its superuser. Everyone may have counters and share them. With sites everyone else
    may do nothing until you create one for them (site create), they join one (--site), or you let them create their own
    (--access admin).

    Args:
        email: What they log in with.
        password: Read from the first line of standard input, where no other program sees it.
        name: What others see, for example the members of a shared counter.
        site: Join the account that this site belongs to, as a reader unless --access says otherwise.
        access: What they may do: readonly, settings, admin or superuser, on all sites of the account or on one.
    """
    del password  # given or not, there is one way
    with fields_are_options():
        digest = hash_password(new_password())
        wanted = NewAccount(email=email, password=digest, name=name, site=site, access=dict(access) or None)
        with opened_ledger(settings) as (_, session), session.transaction():
            made = accounts.create_account(session, wanted, milliseconds())
    print(f"{made.email}: {_access(made)}", file=sys.stderr)
    print(made.id)


@app.command(name="list", sort_key=2)
def list_(*, settings: StorageSettings = StorageSettings()) -> None:
    """List users by email.

    A table on a terminal. Elsewhere one user a line, separated by tabs: id, email, name, first site, access,
    whether login takes a second factor, when they last logged in, and when the account was made.
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
        revoke_tokens: Also revoke their API tokens, which whoever had the old password could have made.
        password: Read from the first line of standard input, where no other program sees it.
    """
    del password  # given or not, there is one way
    with fields_are_options():
        digest = hash_password(new_password())
    with opened_ledger(settings) as (_, session), session.transaction():
        person = account_of(session, who)
        accounts.set_password(session, person.id, digest, milliseconds(), revoke_tokens=revoke_tokens)
        left = len(tokens_of(session, person.id))
    if left:
        print(f"{left} API tokens of {person.email} still work; --revoke-tokens ends them", file=sys.stderr)


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
def delete(
    who: str,
    /,
    *,
    yes: Yes = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Delete a user with their tokens and login sessions. Sites stay; one's last admin cannot be deleted.

    Counters that they share with nobody are deleted. Where they were the last admin, another member becomes it.

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
