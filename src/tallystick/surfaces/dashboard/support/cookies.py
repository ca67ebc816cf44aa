"""The cookies of people's browsers.

The login session's, one that ties the forms of guests to their browser, the chosen language, and proofs of secrets that
were given.
"""

from starlette.requests import Request
from starlette.responses import Response

from tallystick.services.accounts.logins import LONGEST_MS
from tallystick.web.own_address import is_own_origin, own_origin

LOGIN, GUEST, LANGUAGE = "tallystick-login", "tallystick-guest", "tallystick-language"
_HOST_ONLY = "__Host-"
"""Browsers accept a cookie with this prefix only over HTTPS and only from this very host, not from a subdomain."""

GIVEN = "tallystick-given"
"""Followed by what a secret was given for: a proof of it, see ``services/accounts/proofs.py``."""

LONGEST_SECRET = 100
LANGUAGE_KEPT_S = 31_536_000


def login_secret(request: Request) -> str:
    """The secret in the login cookie; empty without one.

    Over HTTPS only the prefixed cookie is accepted. The other one can be set by a page of a neighbouring subdomain or
    by an attacker on an unencrypted connection, to log the person in to the attacker's account.
    """
    return _secret_of(request, LOGIN, prefixed_only=came_over_tls(request))


def guest_secret(request: Request) -> str:
    """The secret in the guest cookie, from which form tokens are derived; empty without one.

    Where the server knows that it is reached over HTTPS, only the prefixed cookie is accepted: an attacker who can
    set the other one knows the tokens of the browser's forms. Behind a proxy that does not forward the scheme the
    cookie was set without the prefix.
    """
    return _secret_of(request, GUEST, prefixed_only=own_origin(request.scope).startswith("https://"))


def _secret_of(request: Request, name: str, *, prefixed_only: bool) -> str:
    secret = request.cookies.get(_HOST_ONLY + name) or ""
    if not secret and not prefixed_only:
        secret = request.cookies.get(name) or ""
    return secret if len(secret) <= LONGEST_SECRET else ""


def keep_login(request: Request, response: Response, secret: str) -> None:
    """Set the login cookie. How long the login session is valid is decided in the ledger."""
    _keep(request, response, LOGIN, secret, LONGEST_MS // 1000)


def keep_guest(request: Request, response: Response, secret: str) -> None:
    """Set the guest cookie, which lasts until the browser is closed."""
    _keep(request, response, GUEST, secret, None)


def keep_language(request: Request, response: Response, code: str) -> None:
    """Set the cookie of the chosen language. It is no secret, so it has no prefix."""
    secure = came_over_tls(request)
    response.set_cookie(LANGUAGE, code, max_age=LANGUAGE_KEPT_S, httponly=True, secure=secure, samesite="lax")


def given_proof(request: Request, opened: str) -> str:
    """The proof that this browser was given the secret of a link or a site; empty without one. It is sealed.

    Args:
        opened: what the secret opens, for example ``link-7``.
    """
    return _secret_of(request, f"{GIVEN}-{opened}", prefixed_only=False)


def keep_given(request: Request, response: Response, opened: str, proof: str) -> None:
    """Set the cookie with a proof, which lasts until the browser is closed or the proof ends."""
    _keep(request, response, f"{GIVEN}-{opened}", proof, None)


def forget(response: Response, *names: str) -> None:
    """Delete cookies, with and without the prefix."""
    for name in names:
        response.delete_cookie(name, httponly=True, samesite="lax")
        response.delete_cookie(_HOST_ONLY + name, secure=True, httponly=True, samesite="lax")


def came_over_tls(request: Request) -> bool:
    """Whether the browser uses HTTPS.

    Behind a proxy that does not forward the scheme, the ``Origin`` of our own forms tells it.
    """
    if own_origin(request.scope).startswith("https://"):
        return True
    origin = request.headers.get("origin", "")
    return origin.startswith("https://") and is_own_origin(origin, request.scope)


def _keep(request: Request, response: Response, name: str, secret: str, seconds: int | None) -> None:
    secure = came_over_tls(request)
    response.set_cookie(
        _HOST_ONLY + name if secure else name, secret, max_age=seconds, httponly=True, secure=secure, samesite="lax"
    )
