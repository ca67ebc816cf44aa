"""How errors become answers on this surface: ``{"error": "..."}`` or ``{"errors": {"key": ["...", ...]}}``.

ApiRefused
├── Unauthorized     401, with WWW-Authenticate
├── Forbidden        403
├── NotFound         404, always the same text
└── Invalid          400 with ``errors``: what is wrong, by field
"""

from collections.abc import Mapping, Sequence

from tallystick.errors import TallystickError


class ApiRefused(TallystickError):
    """A request that is refused; 400 unless a subclass says otherwise.

    Attributes:
        status: HTTP status.
        text: the value of ``error``.
    """

    status = 400

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        if status is not None:
            self.status = status


class Unauthorized(ApiRefused):
    """No token, or one that is not good."""

    status = 401


class Forbidden(ApiRefused):
    """A good token that may not do this."""

    status = 403


class NotFound(ApiRefused):
    """No such thing, or another site's: on purpose the same text."""

    status = 404

    def __init__(self) -> None:
        super().__init__("not found")


class Invalid(ApiRefused):
    """Fields that are wrong.

    Attributes:
        errors: field -> messages.
    """

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        super().__init__("; ".join(f"{key}: {', '.join(messages)}" for key, messages in errors.items()))
        self.errors = errors
