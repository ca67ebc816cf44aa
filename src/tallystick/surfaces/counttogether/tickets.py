"""Origins of tickets: each ticket (``services/accounts/tickets.py``) is for the pages of one origin."""

from collections.abc import Mapping
from typing import Any

from tallystick.model.origin import browser_origin
from tallystick.surfaces.counttogether.errors import Malformed
from tallystick.web.own_address import is_own_origin

OWN_HOST = ""
"""Stands for the server's own origin, under whichever host it is reached."""


def origin_in(text: str) -> str:
    """Normalize an origin to the form that browsers send.

    Raises:
        Malformed
    """
    try:
        return browser_origin(text)
    except ValueError as error:
        msg = "an origin is http:// or https:// and a host, for example https://example.com"
        raise Malformed(msg) from error


def is_from(origin: str, scope: Mapping[str, Any]) -> bool:
    """Whether a request comes from a page of an origin.

    Args:
        origin: of the ticket. Programs send no Origin, and may use tickets of the server's own origin.
    """
    header: bytes | None = dict(scope["headers"]).get(b"origin")
    if origin == OWN_HOST:
        return header is None or is_own_origin(header.decode("latin-1"), scope)
    try:
        return header is not None and browser_origin(header.decode("latin-1")) == origin
    except ValueError:
        return False
