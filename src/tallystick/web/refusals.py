"""Requests that a surface refuses. Each surface encodes them in its own words and codes.

ApiRefused               400, or the status that it is given
├── Unauthorized         401: no credentials, or credentials that are not valid
├── PermissionMissing    403: the token lacks a permission
├── RateLimited          429
├── NoRoute              404 or 405 (``web.routing``)
└── BodyRefused          400, 408 or 503: the body does not arrive as it should (``web.bodies``)
"""

from tallystick.errors import StoreUnavailable, TallystickError
from tallystick.model.account import Permission
from tallystick.server.refusals import Refusal
from tallystick.web.rate_limit import Admission

Headers = tuple[tuple[bytes, bytes], ...]
"""Response headers as ASGI sends them."""


class ApiRefused(TallystickError):
    """A request is refused; the message is for the client.

    Attributes:
        status: HTTP status.
        headers: of the response.
        reason: what the metrics count the refusal as, where the status alone does not tell.
    """

    status = 400
    headers: Headers = ()
    reason: str | None = None

    def __init__(
        self, message: str, status: int | None = None, headers: Headers = (), *, reason: str | None = None
    ) -> None:
        super().__init__(message)
        if status is not None:
            self.status = status
        if headers:
            self.headers = headers
        if reason is not None:
            self.reason = reason


class Unauthorized(ApiRefused):
    """The credentials are missing or not valid.

    Attributes:
        error: code of RFC 6750 for credentials that were sent; empty when there were none.
    """

    status = 401

    def __init__(self, message: str, error: bytes = b"") -> None:
        super().__init__(message)
        self.error = error


class PermissionMissing(ApiRefused):
    """The token lacks a permission.

    Attributes:
        permission: the one that the request takes.
    """

    status = 403

    def __init__(self, permission: Permission) -> None:
        super().__init__(f"this takes a token with the permission {permission.label}")
        self.permission = permission


class RateLimited(ApiRefused):
    """Too many requests.

    Attributes:
        admission: what the limit said.
    """

    status = 429

    def __init__(self, admission: Admission) -> None:
        super().__init__(f"too many requests; try again in {max(admission.wait, 1)} s")
        self.admission = admission


def retry_after(seconds: int) -> Headers:
    """The header that says when trying again may help."""
    return ((b"retry-after", b"%d" % seconds),)


def refused_by_server(refusal: Refusal) -> ApiRefused:
    """What the HTTP server refuses, for a surface's ``response_to``."""
    headers = () if refusal.retry_after is None else retry_after(refusal.retry_after)
    return ApiRefused(refusal.message, refusal.status, headers, reason=refusal.reason)


def store_refusal(error: StoreUnavailable) -> ApiRefused:
    """503 when trying again may help, else 500. Never a success."""
    if error.retry_after is None:
        return ApiRefused("not acknowledged: the storage failed", 500, reason=error.reason)
    return ApiRefused(f"not acknowledged: {error}", 503, retry_after(error.retry_after), reason=error.reason)
