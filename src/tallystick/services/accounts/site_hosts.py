"""Additional hosts of sites, and hosts of requests that no site has.

While a server has one site, that site counts for every host. The hosts for which it has stored hits are remembered, so
that it still counts for them when a second site is added. Functions of ``(session, ...)``; times in ms.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from tallystick.ledger import Session
from tallystick.model.site import Site
from tallystick.model.site_rules import normal_host
from tallystick.services.accounts.accounts import hold_accounts
from tallystick.services.accounts.audit import EventKind, note
from tallystick.services.accounts.site_rows import active_sites

HOSTS_AT_MOST = 100
"""Remembered hosts of one site, and of hosts without a site. A limit, because clients choose the Host header."""

UNKNOWN_KEPT_MS = 30 * 86_400_000

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,252}[a-z0-9])?|\[[0-9a-f:.]{2,45}\]")


class UnknownHost(Struct, frozen=True):
    """A host of requests that no site has.

    Attributes:
        first: when it was first requested.
        last: when it was last requested.
    """

    host: str
    requests: int
    first: int
    last: int


def kept_host(text: str) -> str | None:
    """A host as it is stored; None for a text that cannot be a host."""
    host = normal_host(text)
    return host if _HOST.fullmatch(host) else None


def site_hosts(session: Session) -> dict[str, int]:
    """Ids of sites by the additional hosts that they count for."""
    return {str(host): int(number) for host, number in session.common.site_hosts(session.connection)}


def hosts_of(session: Session, number: int) -> list[str]:
    """The additional hosts that a site counts for."""
    return [host for host, site in site_hosts(session).items() if site == number]


def remember_host(session: Session, number: int, host: str, now: int) -> None:
    """Add a host to a site's additional hosts, unless another site has it or the site has too many."""
    hold_accounts(session)
    taken = site_hosts(session)
    own = {site.id: site.cname for site in active_sites(session)}
    if number in own and host not in own.values() and list(taken.values()).count(number) < HOSTS_AT_MOST:
        session.common.add_site_host(session.connection, host=host, site=number, added=now)


def release_host(session: Session, number: int, host: str) -> bool:
    """Remove a host from a site's additional hosts. Returns whether it was one."""
    hold_accounts(session)
    stored = kept_host(host) or ""
    released = session.common.delete_site_host(session.connection, host=stored, site=number) is not None
    if released:
        note(session, EventKind.SITE_CHANGED, None, f"site {number}", f"host {stored} released")
    return released


def unknown_hosts(session: Session) -> list[UnknownHost]:
    """Hosts of requests that no site has, the most recent first."""
    return [UnknownHost(*row) for row in session.common.unknown_hosts(session.connection)]


def note_unknown_hosts(session: Session, requests: Mapping[str, int], now: int) -> None:
    """Record requests for hosts that no site has.

    Args:
        requests: numbers of requests by host.
    """
    for host, amount in requests.items():
        session.common.add_unknown_host(session.connection, host=host, requests=amount, now=now)
    session.common.trim_unknown_hosts(session.connection, before=now - UNKNOWN_KEPT_MS, kept=HOSTS_AT_MOST)


def forget_unknown_host(session: Session, host: str | None) -> None:
    """Remove a host that a site has now."""
    if host:
        session.common.delete_unknown_host(session.connection, host=host)


def by_host(sites: Sequence[Site], kept: Mapping[str, int]) -> dict[str, Site]:
    """Sites by host. A site's own host takes precedence over an additional host of another site."""
    by_id = {site.id: site for site in sites}
    hosts = {host: by_id[number] for host, number in kept.items() if number in by_id}
    return hosts | {site.cname: site for site in sites if site.cname}


def by_name(sites: Sequence[Site]) -> dict[str, Site]:
    """Sites by domain, host and code; of equal names the first of these counts."""
    codes = {site.code: site for site in sites}
    hosts = {site.cname: site for site in sites if site.cname}
    domains = {name: site for site in sites if site.domain for name in (site.domain, f"www.{site.domain}")}
    return codes | hosts | domains


def without_host(sites: Iterable[Site]) -> Site | None:
    """The first site without a host of its own, or None."""
    return next((site for site in sites if site.cname is None), None)
