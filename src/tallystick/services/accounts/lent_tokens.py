"""Tokens for one command: who may write the ledger may also read what the running server tells of it.

They are not in the audit log: a command that asks every minute would push everything else out of it.
"""

from tallystick.errors import InputRefused
from tallystick.ledger import Session
from tallystick.model.account import NEEDED_ACCESS, Permission, Token
from tallystick.model.site import Site
from tallystick.services.accounts.accounts import accounts_of, hold_accounts
from tallystick.services.accounts.tokens import PREFIX_LENGTH, new_secret, secret_digest, store_token, tokens_of

NAME = "tallystick on the command line, for a moment"
LEFT_BEHIND_MS = 10 * 60_000
"""Older ones were left behind by commands that were killed."""


def lend_token(session: Session, site: Site, permission: Permission, now: int) -> tuple[int, str]:
    """Create a token for one site and one permission; ``take_back`` removes it.

    Returns:
        Its id and its secret.

    Raises:
        InputRefused: nobody has access to the site.
    """
    hold_accounts(session)
    needed = NEEDED_ACCESS[permission]
    people = [each for each in accounts_of(session, site.root) if each.may(needed, site.id)]
    if not people:
        msg = f"nobody may read the statistics of {site.name}"
        raise InputRefused(msg)
    owner = people[0]
    for each in tokens_of(session, owner.id):
        if each.name == NAME and each.created < now - LEFT_BEHIND_MS:
            take_back(session, each.id)
    secret = new_secret()
    token = Token(
        id=session.take_numbers("token"),
        account=owner.id,
        name=NAME,
        prefix=secret[:PREFIX_LENGTH],
        permissions=int(permission),
        sites=(site.id,),
        created=now,
        used=None,
    )
    store_token(session, token, secret_digest(secret))
    return token.id, secret


def take_back(session: Session, number: int) -> None:
    """Remove a token that was lent."""
    hold_accounts(session)
    session.common.delete_token(session.connection, id=number)
