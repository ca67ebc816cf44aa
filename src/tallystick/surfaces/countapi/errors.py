"""How errors become answers on this surface: ``{"error": "..."}``."""

from tallystick.errors import InputRefused, LedgerBusy, LedgerClosed, LedgerFull, LedgerUnavailable
from tallystick.surfaces.countapi.wire import Answer, error_body

MALFORMED_NAME = "Malformed Namespace/Key"
NOT_FOUND = Answer(404, error_body("No such endpoint. There are get, set, update, hit, create, info and stats."))
METHOD_NOT_ALLOWED = Answer(405, error_body("Use GET or POST."), headers=((b"allow", b"GET, HEAD, POST, OPTIONS"),))
TOO_LONG = Answer(414, error_body("The query is too long."))
INTERNAL = Answer(500, error_body("Internal error. Nothing was counted."))


def bad_request(error: InputRefused) -> Answer:
    """400 with the message."""
    return Answer(400, error_body(str(error)))


def unavailable(error: LedgerUnavailable) -> Answer:
    """503 when trying again may help, else 500. Never a success."""
    status = 503 if isinstance(error, (LedgerBusy, LedgerFull, LedgerClosed)) else 500
    message = f"Not counted: {error}." if status == 503 else "Not counted: the storage failed."  # noqa: PLR2004
    headers = () if error.retry_after is None else ((b"retry-after", b"%d" % error.retry_after),)
    return Answer(status, error_body(message), headers=headers)
