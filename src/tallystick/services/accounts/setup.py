"""The first account of a server, created with a code from its terminal."""

import secrets
from hmac import compare_digest

from tallystick.errors import InputRefused
from tallystick.ledger import Ledger, Session
from tallystick.model.account import Account
from tallystick.services.accounts.accounts import NewAccount, account, count_accounts, create_account, hold_accounts
from tallystick.services.accounts.sites import NewSite, create_site

CODE_SIGNS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Without characters that look like others."""
CODE_GROUPS, GROUP_LENGTH = 4, 4


CODE = "setup"
"""The name of the code among the secrets that the servers of one ledger have in common."""


class Setup:
    """The code for creating the first account, printed in the terminal.

    It is kept in memory. Where several servers may use the ledger, all have the same one, which is stored until there
    is an account.

    Attributes:
        code: the code to type.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._done = False
        groups = ("".join(secrets.choice(CODE_SIGNS) for _ in range(GROUP_LENGTH)) for _ in range(CODE_GROUPS))
        self.code = "-".join(groups)

    async def begin(self) -> None:
        """Take over the code of the other servers, if there is no account yet.

        Raises:
            StoreUnavailable
        """
        if self._ledger.database.lanes_alone:
            self.code = await self._ledger.write(_common_code, self.code)

    async def needed(self) -> bool:
        """Whether there is no account yet. Once there is one, the ledger is not read again."""
        if not self._done:
            self._done = await self._ledger.read(count_accounts) > 0
        return not self._done

    def unlocked_by(self, code: str) -> bool:
        """Compare a typed code in constant time, ignoring case, spaces and dashes."""
        return compare_digest(_bare(code), _bare(self.code))


def first_account(session: Session, person: NewAccount, site: NewSite, now: int) -> Account:
    """Create the server's first account and site.

    Raises:
        InputRefused: another account was created meanwhile.
        InvalidFields: a field of the account or site is invalid.
    """
    hold_accounts(session)
    if count_accounts(session):
        msg = "this server has an account already"
        raise InputRefused(msg)
    created = create_account(session, person, now)
    create_site(session, created, site, now)
    if session.shared:
        session.queries.forget_common_secret(session.connection, name=CODE)
    owner = account(session, created.id)
    assert owner is not None
    return owner


def _common_code(session: Session, own: str) -> str:
    if count_accounts(session):
        return own
    return str(session.queries.common_secret(session.connection, name=CODE, value=own))


def _bare(code: str) -> bytes:
    return "".join(code.split()).replace("-", "").upper().encode("utf-8", "replace")
