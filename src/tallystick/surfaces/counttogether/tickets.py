"""Which page may use a ticket (``services/accounts/tickets.py``)."""

from collections.abc import Mapping
from typing import Any

from tallystick.model.origin import browser_origin
from tallystick.surfaces.counttogether.errors import Malformed
from tallystick.web.own_address import is_own_origin

OWN_HOST = ""
"""In the place of an origin: the server's own, whatever it is called."""


def origin_in(text: str) -> str:
    """An origin as browsers write it.

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
        origin: as a ticket has it; programs, which are no page and show none, may use those of the server's own.
    """
    shown: bytes | None = dict(scope["headers"]).get(b"origin")
    if origin == OWN_HOST:
        return shown is None or is_own_origin(shown.decode("latin-1"), scope)
    try:
        return shown is not None and browser_origin(shown.decode("latin-1")) == origin
    except ValueError:
        return False
