"""Helpers of the commands about users, sites and tokens."""

from collections.abc import Iterator
from contextlib import contextmanager

from tallystick.errors import InputRefused, InvalidFields
from tallystick.ledger import Session
from tallystick.model.account import Account
from tallystick.services.accounts.accounts import account, account_by_email


def account_of(session: Session, who: str) -> Account:
    """The account with this email or id.

    Raises:
        InputRefused: there is no such account.
    """
    person = account(session, int(who)) if _is_id(who) else account_by_email(session, who)
    if person is None:
        msg = f"there is no user {who}"
        raise InputRefused(msg)
    return person


@contextmanager
def fields_are_options(**options: str) -> Iterator[None]:
    """Replace the names of fields in messages by the names of options.

    Args:
        options: options by field, where they are not named like the field.

    Raises:
        InputRefused: in place of ``InvalidFields``.
    """
    try:
        yield
    except InvalidFields as error:
        messages = [
            f"{options.get(field, f'--{field}')}: {', '.join(problems)}" for field, problems in error.errors.items()
        ]
        raise InputRefused("; ".join(messages)) from None


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16  # noqa: PLR2004  # ids stay below 2^53
