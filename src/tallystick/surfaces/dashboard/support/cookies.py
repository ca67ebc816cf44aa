"""The cookies of people's browsers.

The login session's, one that ties the forms of guests to their browser, the chosen language, and proofs of secrets that
were given.
"""

from starlette.requests import Request
from starlette.responses import Response

from tallystick.services.accounts.logins import LONGEST_MS
from tallystick.web.own_address import is_own_origin, own_base, own_origin

LOGIN, GUEST, LANGUAGE = "tallystick-login", "tallystick-guest", "tallystick-language"
_HOST_ONLY = "__Host-"
"""Browsers accept a cookie with this prefix only over HTTPS and only from this very host, not from a subdomain. It is
for all paths of the host."""
_SECURE_ONLY = "__Secure-"
"""The prefix under a base path: browsers accept such a cookie only over HTTPS, and send it to no other path. Without
one, the programs beside this one on its host would be sent the secret."""

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
    secret = request.cookies.get(_prefix(request) + name) or ""
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
    path = _path(request)
    response.set_cookie(
        LANGUAGE, code, max_age=LANGUAGE_KEPT_S, path=path, httponly=True, secure=secure, samesite="lax"
    )


def given_proof(request: Request, opened: str) -> str:
    """The proof that this browser was given the secret of a link or a site; empty without one. It is sealed.

    Args:
        opened: what the secret opens, for example ``link-7``.
    """
    return _secret_of(request, f"{GIVEN}-{opened}", prefixed_only=False)


def keep_given(request: Request, response: Response, opened: str, proof: str) -> None:
    """Set the cookie with a proof, which lasts until the browser is closed or the proof ends."""
    _keep(request, response, f"{GIVEN}-{opened}", proof, None)


def forget(request: Request, response: Response, *names: str) -> None:
    """Delete cookies, with and without the prefix."""
    path, prefix = _path(request), _prefix(request)
    for name in names:
        response.delete_cookie(name, path, httponly=True, samesite="lax")
        response.delete_cookie(prefix + name, path, secure=True, httponly=True, samesite="lax")


def came_over_tls(request: Request) -> bool:
    """Whether the browser uses HTTPS.

    Behind a proxy that does not forward the scheme, the ``Origin`` of our own forms tells it.
    """
    if own_origin(request.scope).startswith("https://"):
        return True
    origin = request.headers.get("origin", "")
    return origin.startswith("https://") and is_own_origin(origin, request.scope)


def _keep(request: Request, response: Response, name: str, secret: str, seconds: int | None) -> None:
    secure, path = came_over_tls(request), _path(request)
    shown = _prefix(request) + name if secure else name
    response.set_cookie(shown, secret, max_age=seconds, path=path, httponly=True, secure=secure, samesite="lax")


def _prefix(request: Request) -> str:
    return _SECURE_ONLY if own_base(request.scope) else _HOST_ONLY


def _path(request: Request) -> str:
    """The path to which browsers send this server's cookies, with everything below it."""
    return own_base(request.scope) or "/"
