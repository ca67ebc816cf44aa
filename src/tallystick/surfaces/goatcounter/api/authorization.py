"""Whose request it is, and whether the token may do what is asked (1.1)."""

import binascii
from base64 import b64decode

from tallystick.model.account import NEEDED_ACCESS, Permission, Principal
from tallystick.model.site import Site
from tallystick.surfaces.goatcounter.errors import ApiRefused, Forbidden, Unauthorized

MISSING = "no Authorization header"
MALFORMED = "wrong format for Authorization header"
UNKNOWN = "unknown token"


def secret_in(header: str) -> str:
    """The token in an Authorization header: ``Bearer TOKEN``, or ``Basic`` with the token as the password.

    Raises:
        Unauthorized: there is no header, or none that can be read.
    """
    if not header:
        raise Unauthorized(MISSING)
    scheme, *words = header.split()
    if len(words) == 1 and scheme.lower() == "bearer":
        return words[0]
    if len(words) == 1 and scheme.lower() == "basic" and (password := _password(words[0])):
        return password
    raise Unauthorized(MALFORMED)


def _password(credentials: str) -> str:
    """Empty when there is none."""
    try:
        return b64decode(credentials, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


def admit(holder: Principal | None, site: Site, needed: Permission | None) -> Principal:
    """The holder, when the token is good for the site and for what is asked.

    Raises:
        Unauthorized, Forbidden, ApiRefused: see the contract.
    """
    if holder is None:
        raise Unauthorized(UNKNOWN)
    account, token = holder.account, holder.token
    if account.site != site.root or not token.covers(site.id):
        msg = "this token does not have access to this site"
        raise Forbidden(msg)
    if not any(
        account.may(access, site.id)
        for permission, access in NEEDED_ACCESS.items()
        if (permission is needed if needed else permission & token.permissions)
    ):
        msg = "only admins can create and use API keys"
        raise ApiRefused(msg, 401)
    if needed is not None and not token.permissions & needed:
        msg = f"requires '{needed.label}' permissions"
        raise Forbidden(msg)
    return holder
