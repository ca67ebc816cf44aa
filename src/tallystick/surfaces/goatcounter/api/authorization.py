"""Checks a token's permissions on a site (1.1)."""

from tallystick.model.account import NEEDED_ACCESS, Permission, Principal
from tallystick.model.site import Site
from tallystick.web.bearer import require_permission, secret_of
from tallystick.web.refusals import ApiRefused, Unauthorized

MISSING = "no Authorization header"
MALFORMED = "wrong format for Authorization header"
UNKNOWN = "unknown token"


def secret_in(header: str) -> str:
    """The token in an Authorization header: ``Bearer TOKEN``, or ``Basic`` with the token as the password.

    Raises:
        Unauthorized: there is no header, or it has another form.
    """
    if not header:
        raise Unauthorized(MISSING)
    words = header.split()
    secret = secret_of(*words, basic=True) if len(words) == 2 else None  # noqa: PLR2004  # scheme and credentials
    if secret is None:
        raise Unauthorized(MALFORMED)
    return secret


def require_access(principal: Principal, site: Site, needed: Permission | None) -> None:
    """Refuse a token that is not for the site, or lacks the permission there.

    Args:
        needed: None if any permission is enough.

    Raises:
        ApiRefused: see the contract.
    """
    account, token = principal.account, principal.token
    if account.site != site.root or not token.covers(site.id):
        msg = "this token does not have access to this site"
        raise ApiRefused(msg, 403)
    if not any(
        account.may(access, site.id)
        for permission, access in NEEDED_ACCESS.items()
        if (permission is needed if needed else permission & token.permissions)
    ):
        msg = "only admins can create and use API keys"
        raise ApiRefused(msg, 401)
    if needed is not None:
        require_permission(principal, needed)
