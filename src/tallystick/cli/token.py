"""``tallystick token``: manages API tokens, also while a server runs."""

import re
import sys
from typing import Annotated, Any

import cyclopts
from cyclopts import App, Parameter

from tallystick.cli.support.listing import instant, print_rows
from tallystick.cli.support.opening import opened_ledger
from tallystick.cli.support.people import account_of, fields_are_options
from tallystick.cli.support.prompts import Yes, confirm
from tallystick.errors import InputRefused
from tallystick.ledger.ledger import milliseconds
from tallystick.model.account import EVERY_SITE, Permission, Token
from tallystick.services.accounts import accounts, tokens
from tallystick.services.accounts.tokens import NewToken
from tallystick.settings import StorageSettings, whole_number

PERMISSIONS = {permission.label: permission for permission in Permission if permission is not Permission.NOTHING}

app = App(name="token", help="Manage API tokens; also while a server runs.")


def _permissions(_type: Any, given: tuple[cyclopts.Token, ...]) -> int:  # noqa: ANN401  # cyclopts passes the type
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
    """Create an API token and print its secret, which is shown only once.

    A token can have the permissions that its owner's access allows: stats with access readonly, also site-read with
    access settings, and all as an admin. counters-read and counters-write, for shared counters, need no access.

    Args:
        email: The owner, in whose name the token acts.
        name: What the token is for, to recognise it.
        permissions: What it may do: count, export, site-read, site-create, site-update, stats, counters-read,
            counters-write.
        site: Id of a site that it covers, may be repeated; all of the account by default.
    """
    new_token = NewToken(name=name, permissions=permissions, sites=site or (EVERY_SITE,))
    with fields_are_options(sites="--site"), opened_ledger(settings) as (_, session), session.transaction():
        owner = account_of(session, email)
        created, secret = tokens.create_token(session, owner, new_token, milliseconds())
    print(f"token {created.id} of {owner.email}; it is not shown again", file=sys.stderr)
    print(secret)


@app.command(name="list", sort_key=2)
def list_(*, email: str | None = None, settings: StorageSettings = StorageSettings()) -> None:
    """List API tokens, without their secrets.

    On a terminal a table, otherwise one token a line, separated by tabs: id, email of its owner, first characters,
    name, permissions, sites (- for a token of shared counters only), the day it was last used, and when it was
    created.

    Args:
        email: Only the tokens of this user.
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
    """Revoke an API token, and those that were created with it. They stop working within a second.

    Args:
        number: Its id, as shown by list.
        yes: Do not ask.
    """
    with opened_ledger(settings) as (_, session):
        with session.snapshot():
            token = tokens.token(session, number)
            children = [f"{each.id} ({each.name})" for each in tokens.made_with(session, number)]
        if token is not None:
            along = f", and those created with it: {', '.join(children)}" if children else ""
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
