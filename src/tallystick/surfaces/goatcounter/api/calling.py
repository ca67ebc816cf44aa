"""The request as handlers of the API get it."""

from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address

from tallystick.model.site import Site
from tallystick.services.services import Services
from tallystick.web.answers import AnyResponse
from tallystick.web.api import ApiCall


class SiteCall(ApiCall, frozen=True):
    """A request about a site: its token is valid there and has the permission.

    Attributes:
        client: the client's address; None if it is unknown.
    """

    site: Site
    client: IPv4Address | IPv6Address | None


Handler = Callable[[Services, SiteCall], Awaitable[AnyResponse]]
