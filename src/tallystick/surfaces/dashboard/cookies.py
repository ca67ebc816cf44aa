"""The two cookies: one for who is logged in, one for forms of who is not."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from tallystick.services.logins import LONGEST_MS

LOGIN, GUEST = "tallystick-login", "tallystick-guest"
_HOST_ONLY = "__Host-"
"""Browsers accept a cookie of this name only over HTTPS and from no other host, a subdomain's neighbour included."""

LONGEST_SECRET = 100


def secret_of(cookies: Mapping[str, str], name: str) -> str:
    """What a cookie holds; empty without one."""
    secret = cookies.get(_HOST_ONLY + name) or cookies.get(name) or ""
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
    """Whether the browser speaks HTTPS, also to a proxy that does not tell: its forms name their origin."""
    origin = request.headers.get("origin", "")
    return origin.startswith("https://") or request.scope.get("scheme") == "https"


def _keep(request: Request, response: Response, name: str, secret: str, seconds: int | None) -> None:
    secure = came_over_tls(request)
    response.set_cookie(
        _HOST_ONLY + name if secure else name, secret, max_age=seconds, httponly=True, secure=secure, samesite="lax"
    )
