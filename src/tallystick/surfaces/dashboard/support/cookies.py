"""The two cookies: one for who is logged in, one for forms of who is not."""

from starlette.requests import Request
from starlette.responses import Response

from tallystick.services.accounts.logins import LONGEST_MS
from tallystick.web.own_address import is_own_origin, own_origin

LOGIN, GUEST = "tallystick-login", "tallystick-guest"
_HOST_ONLY = "__Host-"
"""Browsers accept a cookie of this name only over HTTPS and from no other host, a subdomain's neighbour included."""

LONGEST_SECRET = 100


def login_secret(request: Request) -> str:
    """The secret of the browser's login session; empty without one.

    Over HTTPS only the prefixed cookie counts. A page of a neighbouring subdomain, or anyone on the way of a plain
    request, can set the other one, and so log the person in to an account of theirs.
    """
    return _secret_of(request, LOGIN, prefixed_only=came_over_tls(request))


def guest_secret(request: Request) -> str:
    """What the tokens of a guest's forms are made from; empty without the cookie.

    Where the server knows that it is reached over HTTPS, only the prefixed cookie counts: whoever sets the other one
    knows the tokens of the browser's forms. A proxy that says nothing has let it be set without the prefix.
    """
    return _secret_of(request, GUEST, prefixed_only=own_origin(request.scope).startswith("https://"))


def _secret_of(request: Request, name: str, *, prefixed_only: bool) -> str:
    secret = request.cookies.get(_HOST_ONLY + name) or ""
    if not secret and not prefixed_only:
        secret = request.cookies.get(name) or ""
    return secret if len(secret) <= LONGEST_SECRET else ""


def keep_login(request: Request, response: Response, secret: str) -> None:
    """Give the browser the secret of its login session. How long it is good for, the ledger decides."""
    _keep(request, response, LOGIN, secret, LONGEST_MS // 1000)


def keep_guest(request: Request, response: Response, secret: str) -> None:
    """Give the browser what its forms' tokens are made from, until it is closed."""
    _keep(request, response, GUEST, secret, None)


def forget(response: Response, *names: str) -> None:
    """Take cookies away."""
    for name in names:
        response.delete_cookie(name, httponly=True, samesite="lax")
        response.delete_cookie(_HOST_ONLY + name, secure=True, httponly=True, samesite="lax")


def came_over_tls(request: Request) -> bool:
    """Whether the browser speaks HTTPS, also to a proxy that does not say so: forms of our pages name their origin."""
    if own_origin(request.scope).startswith("https://"):
        return True
    origin = request.headers.get("origin", "")
    return origin.startswith("https://") and is_own_origin(origin, request.scope)


def _keep(request: Request, response: Response, name: str, secret: str, seconds: int | None) -> None:
    secure = came_over_tls(request)
    response.set_cookie(
        _HOST_ONLY + name if secure else name, secret, max_age=seconds, httponly=True, secure=secure, samesite="lax"
    )
