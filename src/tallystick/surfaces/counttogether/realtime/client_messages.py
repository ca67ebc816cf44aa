"""The few messages that clients may send over a WebSocket."""

import time
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from tallystick.errors import TallystickError
from tallystick.surfaces.counttogether.realtime.frames import METHOD_NOT_FOUND, PING, PONG, error_frame, result_frame
from tallystick.web.bodies import json_problem

LONGEST_MESSAGE = 4_096
MESSAGES_A_SECOND = 10


class BadMessage(TallystickError):
    """A malformed message, or one too many."""


class _Credentials(Struct, frozen=True):
    token: str


class _ClientMessage(Struct, frozen=True):
    method: str
    id: str | int | float | UnsetType | None = UNSET
    params: Any = None


_decode = msgspec.json.Decoder(_ClientMessage).decode


class Pace:
    """Limits the messages of one connection in each second."""

    __slots__ = ("_amount", "_second")

    def __init__(self) -> None:
        self._second, self._amount = 0, 0

    def step(self) -> None:
        """Count a message.

        Raises:
            BadMessage: too many in this second.
        """
        second = int(time.monotonic())
        self._amount = self._amount + 1 if second == self._second else 1
        self._second = second
        if self._amount > MESSAGES_A_SECOND:
            msg = "too many messages"
            raise BadMessage(msg)


class Credentials(Struct, frozen=True):
    """The credentials in a first message.

    Attributes:
        number: id of the request, for its response; UNSET for a request without a response.
    """

    token: str
    number: object


def credentials_in(message: str | bytes) -> Credentials:
    """The token in a first message.

    Raises:
        BadMessage: it is not a JSON-RPC ``authenticate``.
    """
    request = _read(message)
    if request.method != "authenticate":
        msg = "the first message must be authenticate"
        raise BadMessage(msg)
    try:
        return Credentials(msgspec.convert(request.params, _Credentials).token, request.id)
    except msgspec.ValidationError as error:
        raise BadMessage(str(error)) from error


def response_to_message(message: str | bytes) -> str | None:
    """The response to a message after the first; None for a notification.

    Raises:
        BadMessage
    """
    if message == PING:
        return PONG
    request = _read(message)
    if request.id is UNSET:
        return None
    if request.method == PING:
        return result_frame(request.id, PONG)
    return error_frame(request.id, METHOD_NOT_FOUND, f"there is no method {request.method[:100]}")


def _read(message: str | bytes) -> _ClientMessage:
    if not isinstance(message, str) or len(message) > LONGEST_MESSAGE:
        msg = f"messages are text of at most {LONGEST_MESSAGE} bytes"
        raise BadMessage(msg)
    try:
        return _decode(message)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadMessage(json_problem(error, message.encode("utf-8", "surrogatepass")) or str(error)) from error
