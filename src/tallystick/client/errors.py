"""What can go wrong between a client and its server.

ClientError
├── ConnectionFailed     no connection came about: nothing was sent
├── ConnectionLost       no answer came: what was asked may or may not have been carried out
├── UnexpectedAnswer     an answer that is not of this API
├── ExportFailed         the server could not write an export
├── InvalidArgument      an argument that cannot be sent: nothing was sent
└── Refused              the server said no
    ├── BadRequest       400
    ├── Unauthorized     401: no token, or one that is not good
    ├── Forbidden        403
    ├── NotFound         404
    ├── Conflict         409
    ├── Gone             410: an invite that is spent or expired
    ├── ChangedMeanwhile 412: no longer the version that was expected
    ├── KeyReused        422: this key was sent with another request
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
"""Characters of an answer that nobody expected."""


class ClientError(Exception):
    """Base of everything that the clients raise."""


class ConnectionFailed(ClientError):
    """No connection came about: nothing was sent."""


class ConnectionLost(ClientError):
    """No answer came: what was asked may or may not have been carried out."""


class UnexpectedAnswer(ClientError):
    """An answer that is not of this API."""


class ExportFailed(ClientError):
    """The server could not write an export."""


class InvalidArgument(ClientError, ValueError):
    """An argument that cannot be sent, such as an empty id. Nothing was sent."""


class Refused(ClientError):
    """The server said no.

    Attributes:
        status: HTTP status.
        message: why, in the server's words.
        code: the number of the reason; CountTogether's alone, as are the next two.
        name: the name of the reason.
        trace_id: under which the server's log knows the request.
        retry_after: seconds after which it may be asked again, from either form of ``Retry-After``.
        body: the whole answer, decoded; a counter's unchanged value, for example.
    """

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.body = _object_in(response)
        said = _Said.of(self.body)
        self.message = said.message or _text_of(self.body) or response.reason_phrase
        self.code, self.name, self.trace_id = said.code, said.name, said.trace_id
        self.retry_after = retry_after(response.headers)
        super().__init__(f"{self.status} {self.message}")

    @property
    def passes(self) -> bool:
        """Whether the server may say something else when it is asked again: it is busy, or has a problem."""
        return self.status == httpx.codes.TOO_MANY_REQUESTS or self.status >= httpx.codes.INTERNAL_SERVER_ERROR

    @property
    def in_flight(self) -> bool:
        """Whether the same request is still being carried out: the one 409 that passes by itself."""
        told = self.name == "RequestInFlight" or self.retry_after is not None
        return self.status == httpx.codes.CONFLICT and told


class BadRequest(Refused):
    """400: what was sent makes no sense to the server, or may not be done to such a thing."""


class Unauthorized(Refused):
    """401: no token, or one that is not good."""


class Forbidden(Refused):
    """403: not allowed."""


class NotFound(Refused):
    """404: not there, or not visible."""


class Conflict(Refused):
    """409: it is there already, nothing can be undone, the last admin cannot leave, ..."""


class Gone(Refused):
    """410: an invite that is spent or expired."""


class ChangedMeanwhile(Refused):
    """412: no longer the version that was expected."""


class KeyReused(Refused):
    """422: this Idempotency-Key was sent with another request."""


class RateLimited(Refused):
    """429: too many requests; ``retry_after`` tells for how long."""


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
    """What an answer that is no success stands for. Its body has been read."""
    if response.status_code in _CLASSES:
        return _CLASSES[response.status_code](response)
    if response.is_server_error:
        return ServerFailed(response)
    return Refused(response) if response.is_client_error else unexpected(response)


def unexpected(response: httpx.Response) -> UnexpectedAnswer:
    """An answer that is not of this API; a wrong address is the usual reason."""
    shown = " ".join(response.text.split())[:SHOWN]
    return UnexpectedAnswer(f"{response.url.copy_with(query=None)} answered {response.status_code}: {shown}")


class _Said(Struct, rename="camel"):
    """What is common to refusals, as CountTogether says it."""

    message: str = ""
    code: int | None = None
    name: str | None = None
    trace_id: str | None = None

    @classmethod
    def of(cls, body: Mapping[str, object]) -> "_Said":
        try:
            return msgspec.convert(body, cls)
        except msgspec.ValidationError:
            return cls()


def _object_in(response: httpx.Response) -> Mapping[str, object]:
    try:
        return msgspec.json.decode(response.content, type=dict[str, object])
    except msgspec.DecodeError:
        return {}


def _text_of(body: Mapping[str, object]) -> str:
    """CountAPI and GoatCounter: ``error``, or ``errors`` by field."""
    if isinstance(error := body.get("error"), str):
        return error
    if isinstance(errors := body.get("errors"), dict):
        return "; ".join(f"{field}: {_joined(messages)}" for field, messages in errors.items())
    return ""


def _joined(messages: object) -> str:
    return ", ".join(map(str, messages)) if isinstance(messages, list) else str(messages)


def retry_after(headers: httpx.Headers) -> float | None:
    """Seconds that ``Retry-After`` asks to wait: a number, or a date compared with the server's own clock.

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
    """An HTTP date in any of its three forms (RFC 9110, 5.6.7), or None."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
