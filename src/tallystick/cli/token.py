"""``tallystick token``: API tokens, also while a server serves them."""

import re
import sys
from typing import Annotated, Any

import cyclopts
from cyclopts import App, Parameter

from tallystick.cli.support.asking import Yes, confirm
from tallystick.cli.support.listing import instant, print_rows
from tallystick.cli.support.opening import opened_ledger
from tallystick.cli.support.people import account_of, fields_are_options
from tallystick.errors import InputRefused
from tallystick.ledger.ledger import milliseconds
from tallystick.model.account import EVERY_SITE, Permission, Token
from tallystick.services.accounts import accounts, tokens
from tallystick.services.accounts.tokens import NewToken
from tallystick.settings import StorageSettings, whole_number

PERMISSIONS = {permission.label: permission for permission in Permission if permission is not Permission.NOTHING}

app = App(name="token", help="Look after API tokens, also while a server serves them.")


def _permissions(_type: Any, given: tuple[cyclopts.Token, ...]) -> int:  # noqa: ANN401  # cyclopts hands the type in
    permissions = Permission(0)
    for text in (part.strip() for token in given for part in token.value.split(",")):
        if (name := text.replace("_", "-")) not in PERMISSIONS:
            msg = f"it accepts {', '.join(PERMISSIONS)}, separated by commas, not {text!r}."
            raise ValueError(msg)
        permissions |= PERMISSIONS[name]
    return int(permissions)


def _ids(_type: Any, given: tuple[cyclopts.Token, ...]) -> tuple[int, ...]:  # noqa: ANN401
    ids = [part.strip() for token in given for part in token.value.split(",")]
    if wrong := [text for text in ids if not re.fullmatch(r"[1-9][0-9]{0,14}", text)]:
        msg = f"it accepts ids of sites, not {wrong[0]!r}."
        raise ValueError(msg)
    return tuple(map(int, ids))


@app.command(sort_key=1)
def create(
    *,
    email: str,
    name: str,
    permissions: Annotated[
        int, Parameter(converter=_permissions, n_tokens=1, accepts_keys=False, negative=(), metavar="A,B,C")
    ],
    site: Annotated[
        tuple[int, ...],
        Parameter(converter=_ids, n_tokens=1, accepts_keys=False, negative=(), metavar="ID", show_default=False),
    ] = (),
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Create an API token and print its secret, which is shown this once.

    A token does what its owner may do: with access readonly stats, with settings also site-read, as an admin
    everything. For counters that people share, counters-read and counters-write, everyone may have tokens, also
    without a site.

    Args:
        email: Whom it acts for.
        name: What it is for, to recognise it by.
        permissions: What it may do: count, export, site-read, site-create, site-update, stats, counters-read,
            counters-write.
        site: A site that it works for, may be repeated; all of the account's unless given.
    """
    wanted = NewToken(name=name, permissions=permissions, sites=site or (EVERY_SITE,))
    with fields_are_options(sites="--site"), opened_ledger(settings) as (_, session), session.transaction():
        owner = account_of(session, email)
        made, secret = tokens.create_token(session, owner, wanted, milliseconds())
    print(f"token {made.id} of {owner.email}; it is not shown again", file=sys.stderr)
    print(secret)


@app.command(name="list", sort_key=2)
def list_(*, email: str | None = None, settings: StorageSettings = StorageSettings()) -> None:
    """List API tokens, without their secrets.

    A table on a terminal. Elsewhere one token a line, separated by tabs: id, email of its owner, first characters,
    name, permissions, sites (- for a token that is for shared counters only), when it was last used, to the day, and
    when it was created.

    Args:
        email: Only this user's.
    """
    with opened_ledger(settings) as (_, session), session.snapshot():
        people = accounts.all_accounts(session) if email is None else [account_of(session, email)]
        rows = [(person.email, token) for person in people for token in tokens.tokens_of(session, person.id)]
    print_rows(
        ("Id", "Owner", "Begins with", "Name", "Permissions", "Sites", "Last used", "Created"),
        [_row(owner, token) for owner, token in rows],
    )


@app.command(sort_key=3)
def revoke(
    number: Annotated[int, whole_number(1, 2**53)],
    /,
    *,
    yes: Yes = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Revoke an API token, and those that were made with it; within a second they work no more.

    Args:
        number: Its id, as list shows it.
        yes: Do not ask.
    """
    with opened_ledger(settings) as (_, session):
        with session.snapshot():
            token = tokens.token(session, number)
            made = [f"{each.id} ({each.name})" for each in tokens.made_with(session, number)]
        if token is not None:
            along = f", and with it those that it made: {', '.join(made)}" if made else ""
            confirm(
                f"Revoke token {number} ({token.name}){along}?",
                f"token {number} was not revoked",
                yes=yes,
                names=(token.name,),
            )
        with session.transaction():
            if not tokens.delete_token(session, number):
                msg = f"there is no token {number}"
                raise InputRefused(msg)


def _row(owner: str, token: Token) -> tuple[str | int | None, ...]:
    return (
        token.id,
        owner,
        token.prefix,
        token.name,
        ",".join(label for label, permission in PERMISSIONS.items() if token.permissions & permission),
        "all" if EVERY_SITE in token.sites else ",".join(map(str, token.sites)),
        instant(token.used),
        instant(token.created),
    )
