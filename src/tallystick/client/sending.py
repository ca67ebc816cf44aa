"""Turns a call into a request of httpx; shared by the blocking and the async client."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import httpx
import msgspec
from msgspec import UNSET

from tallystick import __version__
from tallystick.client.arguments import refused_if_empty
from tallystick.client.calls import Call
from tallystick.client.errors import ClientError, InvalidArgument
from tallystick.client.retrying import Policy

TIMEOUT_S = 30.0
RETRIES = Policy().retries
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
FAILURES = (httpx.RequestError, httpx.InvalidURL, ClientError)
"""Errors of a request; after some of them it is sent again."""
LONGEST_TIMEOUT_S = 1e8
"""About three years; sockets take no more than some hundred years."""
LAST_PORT = 65_535

_name = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_value = re.compile(r"(?:[!-~](?:[ -~\t]*[!-~])?)?").fullmatch
_token = re.compile(r"[!-~]+").fullmatch


def length_of(response: httpx.Response) -> int | None:
    """The length of a body in bytes; None where the server does not say."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def checked(url: str) -> str:
    """Return a server's URL without a slash at the end.

    Raises:
        InvalidArgument: it is none. The message does not show it: it may be a token, or have a password.
    """
    if not url.startswith(("http://", "https://")):
        msg = "the server's address must begin with http:// or https://"
        raise InvalidArgument(msg)
    if "?" in url or "#" in url:
        msg = "the server's address must have neither ? nor #"
        raise InvalidArgument(msg)
    if not _can_be_reached(url):
        msg = "the server's address is no URL of a server, such as http://127.0.0.1:8080"
        raise InvalidArgument(msg)
    return url.rstrip("/")


def _can_be_reached(url: str) -> bool:
    """Whether the host and the port of a URL are such as sockets take."""
    try:
        found = httpx.URL(url)
        if ":" not in found.host:  # an address of IPv6
            found.raw_host.decode().encode("idna")
    except (httpx.InvalidURL, UnicodeError):
        return False
    return bool(found.host) and (found.port is None or 0 < found.port <= LAST_PORT)


def policy_of(retries: int, timeout: float | None, *, idempotent: bool) -> Policy:
    """The policy of a client.

    Raises:
        InvalidArgument: fewer than 0 retries, or a timeout that sockets do not take.
    """
    if retries < 0:
        msg = "retries must be 0 or more"
        raise InvalidArgument(msg)
    if timeout is not None and not 0 < timeout <= LONGEST_TIMEOUT_S:
        msg = f"timeout must be more than 0 and at most {LONGEST_TIMEOUT_S:.0f} seconds"
        raise InvalidArgument(msg)
    return Policy(retries, idempotent)


def headers_of(token: str | None, more: Mapping[str, str]) -> dict[str, str]:
    """The headers of every request.

    Raises:
        InvalidArgument: the token or a header cannot be sent. The message does not show it.
    """
    if token is not None and not _token(token):
        problem = "has characters that no token has, such as blanks or line breaks" if token else "is empty"
        msg = f"the token {problem}"
        raise InvalidArgument(msg)
    common = {"Accept": "application/json", "User-Agent": f"tallystick-client/{__version__}"}
    authorization = {} if token is None else {"Authorization": f"Bearer {token}"}
    return common | authorization | _sendable(more)


def _sendable(headers: Mapping[str, str]) -> dict[str, str]:
    if not all(map(_name, headers)):
        msg = "headers has a name that no header has"
        raise InvalidArgument(msg)
    if (bad := next((name for name, value in headers.items() if not _value(value)), None)) is not None:
        msg = f"the header {bad} has a value that cannot be sent: it must be printable ASCII without blanks around it"
        raise InvalidArgument(msg)
    return dict(headers)


def request_of(call: Call[Any], policy: Policy, timeout: httpx.Timeout) -> dict[str, Any]:
    """The arguments of httpx's ``stream`` for a call.

    Raises:
        InvalidArgument: an argument of the call cannot be sent.
    """
    headers = _sendable(call.headers)
    if (key := policy.key_of(call)) is not None:
        headers |= _sendable({"Idempotency-Key": key})
        refused_if_empty("idempotency_key", key)
    content = None
    if call.body is not UNSET:
        headers["Content-Type"] = "application/json"
        content = _json_of(call.body)
    if call.patience is not None:
        timeout = httpx.Timeout(**(timeout.as_dict() | {"read": call.patience}))
    query = {name: value for name, value in call.query.items() if value is not None}
    return {
        "method": call.method,
        "url": call.path,
        "params": query or None,
        "headers": headers,
        "content": content,
        "timeout": timeout,
    }


def _json_of(body: object) -> bytes:
    try:
        return msgspec.json.encode(body)
    except RecursionError:
        problem = "is nested too deeply"
    except UnicodeError:
        problem = "has a text that is not valid Unicode"
    except (TypeError, ValueError, OverflowError):
        problem = "has a value that JSON has no form for"
    msg = f"an argument {problem}"
    raise InvalidArgument(msg)
