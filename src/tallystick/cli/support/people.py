"""What the commands about users, sites and tokens share."""

from collections.abc import Iterator
from contextlib import contextmanager

from tallystick.errors import InputRefused, InvalidFields
from tallystick.ledger import Session
from tallystick.model.account import Account
from tallystick.services.accounts.accounts import account, account_by_email


def account_of(session: Session, who: str) -> Account:
    """The account that a person means, by email or id.

    Raises:
        InputRefused: there is none.
    """
    found = account(session, int(who)) if _is_id(who) else account_by_email(session, who)
    if found is None:
        msg = f"there is no user {who}"
        raise InputRefused(msg)
    return found


@contextmanager
def fields_are_options(**options: str) -> Iterator[None]:
    """Tell what is wrong by the names of options.

    Args:
        options: field -> option, where the option is not named like the field.

    Raises:
        InputRefused: in the place of ``InvalidFields``.
    """
    try:
        yield
    except InvalidFields as error:
        told = [
            f"{options.get(field, f'--{field}')}: {', '.join(problems)}" for field, problems in error.errors.items()
        ]
        raise InputRefused("; ".join(told)) from None


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16  # noqa: PLR2004  # ids stay below 2^53
