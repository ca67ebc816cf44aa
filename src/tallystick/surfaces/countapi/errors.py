"""How errors become answers on this surface: ``{"error": "..."}``."""

from tallystick.errors import InputRefused, LedgerBusy, LedgerClosed, LedgerFull, LedgerUnavailable
from tallystick.surfaces.countapi.wire import Answer, error_body

MALFORMED_NAME = "Malformed Namespace/Key"
NOT_FOUND = Answer(404, error_body("No such endpoint. There are get, set, update, hit, create, info and stats."))
METHOD_NOT_ALLOWED = Answer(405, error_body("Use GET or POST."), headers=((b"allow", b"GET, HEAD, POST, OPTIONS"),))
TOO_LONG = Answer(414, error_body("The query is too long."))


def bad_request(error: InputRefused, path: bytes | None = None) -> Answer:
    """400 with the message."""
    return Answer(400, error_body(str(error)), path)


def internal(path: bytes | None) -> Answer:
    """500 for what nobody expected; only the log tells what."""
    return Answer(500, error_body("Internal error."), path)


def unavailable(error: LedgerUnavailable, path: bytes | None) -> Answer:
    """503 when trying again may help, else 500. Never a success."""
    status = 503 if isinstance(error, (LedgerBusy, LedgerFull, LedgerClosed)) else 500
    message = f"Not acknowledged: {error}." if status == 503 else "Not acknowledged: the storage failed."  # noqa: PLR2004
    headers = () if error.retry_after is None else ((b"retry-after", b"%d" % error.retry_after),)
    return Answer(status, error_body(message), path, headers)
