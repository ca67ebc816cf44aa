"""The errors that the clients raise.

A call with an unknown argument, or without a required one, raises Python's ``TypeError``.

ClientError
├── ConnectionFailed     no connection could be made: nothing was sent
├── ConnectionLost       the connection broke: the request may or may not have been carried out
├── UnexpectedAnswer     a response that is not of this API
├── ExportFailed         the server could not write an export
├── InvalidArgument      an argument that cannot be sent
└── Refused              the server refused the request
    ├── BadRequest       400
    ├── Unauthorized     401: no token, or an invalid one
    ├── Forbidden        403
    ├── NotFound         404
    ├── Conflict         409
    ├── Gone             410: an invite that is spent or expired
    ├── ChangedMeanwhile 412: the counter has another version than expected
    ├── KeyReused        422: the key was used for another request
    ├── RateLimited      429
    └── ServerFailed     500 and above
"""

import datetime as dt
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import httpx
import msgspec
from msgspec import Struct

SHOWN = 200
"""Characters of an unexpected response that the message shows."""


class ClientError(Exception):
    """Base of everything that the clients raise."""


class ConnectionFailed(ClientError):
    """No connection could be made: nothing was sent."""


class ConnectionLost(ClientError):
    """The connection broke: the request may or may not have been carried out."""


class UnexpectedAnswer(ClientError):
    """A response that is not of this API."""


class ExportFailed(ClientError):
    """The server could not write an export."""


class InvalidArgument(ClientError, ValueError):
    """An argument that cannot be sent: an empty id, a value of a wrong kind, a URL or a token that is none.

    The request was not sent; of a call that sends several, such as ``count``, earlier ones may have been. The message
    never shows the token.
    """


class Refused(ClientError):
    """The server refused the request.

    Attributes:
        status: HTTP status.
        message: the server's explanation.
        code: number of the error; CountTogether only, like the next two.
        name: name of the error.
        trace_id: id of the request in the server's log.
        retry_after: seconds to wait before a retry, from either form of ``Retry-After``; None without it.
        body: the whole decoded response, for example with a counter's unchanged value.
    """

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.body = _object_in(response)
        error = _ErrorBody.of(self.body)
        self.message = error.message or _text_of(self.body) or response.reason_phrase
        self.code, self.name, self.trace_id = error.code, error.name, error.trace_id
        self.retry_after = retry_after(response.headers)
        super().__init__(f"{self.status} {self.message}")

    @property
    def passes(self) -> bool:
        """Whether a retry may succeed: the server is busy, or has a problem of its own."""
        return self.status == httpx.codes.TOO_MANY_REQUESTS or self.status >= httpx.codes.INTERNAL_SERVER_ERROR

    @property
    def in_flight(self) -> bool:
        """Whether the same request is still being carried out: the only 409 that a retry resolves."""
        marked = self.name == "RequestInFlight" or self.retry_after is not None
        return self.status == httpx.codes.CONFLICT and marked


class BadRequest(Refused):
    """400: the request is malformed, or does not apply to this kind of counter."""


class Unauthorized(Refused):
    """401: no token, or an invalid one."""


class Forbidden(Refused):
    """403: not allowed."""


class NotFound(Refused):
    """404: missing, or not visible to this token."""


class Conflict(Refused):
    """409: it exists already, nothing can be undone, the last admin cannot leave, ..."""


class Gone(Refused):
    """410: an invite that is spent or expired."""


class ChangedMeanwhile(Refused):
    """412: the counter has another version than expected."""


class KeyReused(Refused):
    """422: the Idempotency-Key was used for another request."""


class RateLimited(Refused):
    """429: too many requests; ``retry_after`` has the seconds to wait."""


class ServerFailed(Refused):
    """500 and above: the server has a problem of its own."""


_CLASSES: Mapping[int, type[Refused]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    412: ChangedMeanwhile,
    422: KeyReused,
    429: RateLimited,
}


def refusal(response: httpx.Response) -> ClientError:
    """Make the error for a response that is not a success. Its body must have been read."""
    if response.status_code in _CLASSES:
        return _CLASSES[response.status_code](response)
    if response.is_server_error:
        return ServerFailed(response)
    return Refused(response) if response.is_client_error else unexpected(response)


def unexpected(response: httpx.Response) -> UnexpectedAnswer:
    """Make the error for a response that is not of this API, usually because the URL is wrong."""
    shown = " ".join(response.text.split())[:SHOWN]
    return UnexpectedAnswer(
        f"{response.url.copy_with(query=None, userinfo=b'')} answered {response.status_code}: {shown}"
    )


class _ErrorBody(Struct, rename="camel"):
    """The members of CountTogether's errors; a body of another API leaves them empty."""

    message: str = ""
    code: int | None = None
    name: str | None = None
    trace_id: str | None = None

    @classmethod
    def of(cls, body: Mapping[str, object]) -> "_ErrorBody":
        try:
            return msgspec.convert(body, cls)
        except msgspec.ValidationError:
            return cls()


def _object_in(response: httpx.Response) -> Mapping[str, object]:
    try:
        return msgspec.json.decode(response.content, type=dict[str, object])
    except (msgspec.DecodeError, ValueError, RecursionError):
        return {}


def _text_of(body: Mapping[str, object]) -> str:
    """The message of CountAPI's and GoatCounter's errors, ``error`` or ``errors`` by field, and of our own API's."""
    error = body.get("error")
    if isinstance(error, dict):
        error = error.get("message")
    if isinstance(error, str):
        return error
    if isinstance(errors := body.get("errors"), dict):
        return "; ".join(f"{field}: {_joined(messages)}" for field, messages in errors.items())
    return ""


def _joined(messages: object) -> str:
    return ", ".join(map(str, messages)) if isinstance(messages, list) else str(messages)


def retry_after(headers: httpx.Headers) -> float | None:
    """Seconds in ``Retry-After``: a number, or a date compared with the server's own clock.

    None when the header is missing or cannot be read.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    if (moment := _moment(text)) is None:
        return None
    now = _moment(headers.get("Date", "")) or dt.datetime.now(dt.UTC)
    return max((moment - now).total_seconds(), 0.0)


def _moment(text: str) -> dt.datetime | None:
    """Parse an HTTP date in any of its three forms (RFC 9110, 5.6.7); None if it is malformed."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
