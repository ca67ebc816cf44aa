"""From an Authorization header to the principal: the account and the token that a secret stands for."""

import binascii
from base64 import b64decode
from collections.abc import Awaitable
from ipaddress import IPv4Address, IPv6Address

from tallystick.model.account import Permission, Principal
from tallystick.services.accounts.tokens import Tokens
from tallystick.web.rate_limit import RateLimits
from tallystick.web.refusals import PermissionMissing, RateLimited


def secret_of(scheme: str, credentials: str, *, basic: bool = False) -> str | None:
    """The secret in the two words of an Authorization header; None when the scheme is another one.

    Args:
        basic: whether the secret may also be the password of ``Basic``.
    """
    scheme = scheme.lower()
    if scheme == "bearer":
        return credentials
    return (_password(credentials) or None) if basic and scheme == "basic" else None


def principal_of(
    secret: str, tokens: Tokens, limits: RateLimits, limit: str, client: IPv4Address | IPv6Address | None
) -> Awaitable[Principal | None]:
    """The principal behind a secret; None for a secret of no token.

    A secret that was not seen before is only looked up while the limit admits its address. Nothing is taken from the
    limit here. No coroutine of its own: hot path.

    Args:
        limit: name of the limit that counts by address.

    Raises:
        RateLimited: the address has used its limit up, and the secret is not known to be valid.
        StoreUnavailable
    """

    def refusal() -> RateLimited | None:
        state = limits.address_state(limit, client)
        return None if state.admitted else RateLimited(state)

    return tokens.principal(secret, refusal)


def require_permission(principal: Principal, permission: Permission) -> None:
    """Refuse a token without a permission.

    Raises:
        PermissionMissing
    """
    if not principal.permits(permission):
        raise PermissionMissing(permission)


def _password(credentials: str) -> str:
    """The password of ``Basic``; empty when there is none."""
    try:
        return b64decode(credentials, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
