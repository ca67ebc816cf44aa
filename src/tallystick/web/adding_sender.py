"""The sender of an addition to a public counter, as the rules of the counter's owner see it."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from tallystick.model.key import Key
from tallystick.model.origin import browser_origin
from tallystick.services.counting.owned.rules import AddingSender
from tallystick.services.counting.owned.visitors import CounterVisitors
from tallystick.web.address import ClientAddresses


async def sender_of(
    visitors: CounterVisitors, addresses: ClientAddresses, key: Key, scope: Mapping[str, Any]
) -> AddingSender:
    """The origin of the page that sent a request, and the visitor.

    Raises:
        StoreUnavailable
    """
    headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))
    agent = headers.get(b"user-agent", b"").decode("latin-1")
    address = addresses.of(scope)
    return AddingSender(origin_of(headers), await visitors.of(key, address, agent), partial(visitors.admits, address))


def origin_of(headers: Mapping[bytes, bytes]) -> str:
    """The origin of the page that sent a request, from ``Origin``, else from ``Referer``; empty without both."""
    origin = headers.get(b"origin")
    text = origin if origin is not None else headers.get(b"referer", b"")
    try:
        parts = urlsplit(text.decode("latin-1"))
        return browser_origin(f"{parts.scheme}://{parts.netloc}")
    except ValueError:
        return ""
