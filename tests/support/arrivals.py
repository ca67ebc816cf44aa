"""Sites and arrivals: what a test does not name is ordinary."""

from ipaddress import ip_address
from typing import Any

from builders import NOW
from tallystick.model.account import UserSettings
from tallystick.model.site import Site, SiteSettings
from tallystick.services.ingest.arrival import Arrival

NOW_S = NOW // 1000
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
ADDRESS = ip_address("8.8.8.8")


def a_site(id: int = 1, *, received_data: bool = True, first_hit: int = NOW - 1_000_000_000, **settings: Any) -> Site:  # noqa: A002  # its name
    """A site; the other arguments are settings."""
    return Site(
        id=id,
        parent=None,
        cname=f"site{id}.example.com",
        cname_setup=None,
        code=f"site{id}",
        link_domain="",
        settings=SiteSettings(**settings),
        user_defaults=UserSettings(),
        received_data=received_data,
        state="a",
        created=NOW,
        updated=None,
        first_hit=first_hit,
    )


def an_arrival(path: str = "/a", **fields: Any) -> Arrival:
    """A pageview that a browser sent."""
    sent = {"agent": FIREFOX, "address": ADDRESS, "direct": True, "received": NOW_S}
    return Arrival(path=path, **sent | fields)


def a_told_arrival(path: str = "/a", **fields: Any) -> Arrival:
    """A pageview that a server tells, of a visitor it does not know."""
    return Arrival(path=path, **{"received": NOW_S} | fields)
