"""Turns a call into a request of httpx; shared by the blocking and the async client."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import httpx
import msgspec
from msgspec import UNSET

from tallystick import __version__
from tallystick.client.calls import Call
from tallystick.client.errors import ClientError
from tallystick.client.retrying import Policy

TIMEOUT_S = 30.0
RETRIES = Policy().retries
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
FAILURES = (httpx.TransportError, ClientError)
"""Errors after which a call may be retried."""


def length_of(response: httpx.Response) -> int | None:
    """The length of a body in bytes; None where the server does not say."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def checked(url: str) -> str:
    """Return a server's URL without a slash at the end.

    Raises:
        ValueError: it does not begin with http:// or https://.
    """
    if not url.startswith(("http://", "https://")):
        msg = f"the server's address must begin with http:// or https://, not {url!r}"
        raise ValueError(msg)
    return url.rstrip("/")


def headers_of(token: str | None, more: Mapping[str, str]) -> dict[str, str]:
    """The headers of every request."""
    common = {"Accept": "application/json", "User-Agent": f"tallystick-client/{__version__}"}
    authorization = {} if token is None else {"Authorization": f"Bearer {token}"}
    return common | authorization | dict(more)


def request_of(call: Call[Any], policy: Policy, timeout: httpx.Timeout) -> dict[str, Any]:
    """The arguments of httpx's ``stream`` for a call."""
    headers = dict(call.headers)
    if (key := policy.key_of(call)) is not None:
        headers["Idempotency-Key"] = key
    content = None
    if call.body is not UNSET:
        headers["Content-Type"] = "application/json"
        content = msgspec.json.encode(call.body)
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
