"""What the blocking and the async client share of sending: how a call becomes a request of httpx's."""

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
"""What a call may be sent again after."""


def length_of(response: httpx.Response) -> int | None:
    """Bytes of a body, where the server says so."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def checked(url: str) -> str:
    """A server's address, if it is one."""
    if not url.startswith(("http://", "https://")):
        msg = f"the server's address must begin with http:// or https://, not {url!r}"
        raise ValueError(msg)
    return url.rstrip("/")


def headers_of(token: str | None, more: Mapping[str, str]) -> dict[str, str]:
    """What every request of a client carries."""
    known = {"Accept": "application/json", "User-Agent": f"tallystick-client/{__version__}"}
    authorization = {} if token is None else {"Authorization": f"Bearer {token}"}
    return known | authorization | dict(more)


def request_of(call: Call[Any], policy: Policy, timeout: httpx.Timeout) -> dict[str, Any]:
    """A call as httpx takes it."""
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
