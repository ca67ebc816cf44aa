"""Hosts beside the one that a site is given: those it counts for, and those that no site has.

While a server has one site, that site counts for every Host. Hosts for which it has stored hits are remembered, so that
it goes on counting for them when a second site is added. Functions of ``(session, ...)``; times in ms.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from tallystick.ledger import Session
from tallystick.model.site import Site
from tallystick.model.site_rules import normal_host
from tallystick.services.accounts.accounts import hold_accounts
from tallystick.services.accounts.site_rows import active_sites

HOSTS_AT_MOST = 100
"""Remembered of one site, and of those that no site has: what the Host header holds, a client decides."""

UNKNOWN_KEPT_MS = 30 * 86_400_000

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,252}[a-z0-9])?|\[[0-9a-f:.]{2,45}\]")


class UnknownHost(Struct, frozen=True):
    """A Host that requests named and no site has.

    Attributes:
        first: when it was first named.
        last: when it was last named.
    """

    host: str
    requests: int
    first: int
    last: int


def kept_host(text: str) -> str | None:
    """A Host as it is remembered; None for what cannot be one."""
    host = normal_host(text)
    return host if _HOST.fullmatch(host) else None


def site_hosts(session: Session) -> dict[str, int]:
    """Host -> id of the site that counts for it beside its own."""
    return {str(host): int(number) for host, number in session.common.site_hosts(session.connection)}


def hosts_of(session: Session, number: int) -> list[str]:
    """The hosts that one site counts for beside its own."""
    return [host for host, site in site_hosts(session).items() if site == number]


def remember_host(session: Session, number: int, host: str, now: int) -> None:
    """Let a site go on counting for a host, unless another site has it or the site has too many."""
    hold_accounts(session)
    taken = site_hosts(session)
    own = {site.id: site.cname for site in active_sites(session)}
    if number in own and host not in own.values() and list(taken.values()).count(number) < HOSTS_AT_MOST:
        session.common.add_site_host(session.connection, host=host, site=number, added=now)


def release_host(session: Session, number: int, host: str) -> bool:
    """Let a site count for a host no longer; whether it did."""
    hold_accounts(session)
    sought = kept_host(host) or ""
    return session.common.delete_site_host(session.connection, host=sought, site=number) is not None


def unknown_hosts(session: Session) -> list[UnknownHost]:
    """Hosts that requests named and no site has, the last named first."""
    return [UnknownHost(*row) for row in session.common.unknown_hosts(session.connection)]


def note_unknown_hosts(session: Session, requests: Mapping[str, int], now: int) -> None:
    """Add requests for hosts that no site has.

    Args:
        requests: host -> how many there were.
    """
    for host, amount in requests.items():
        session.common.add_unknown_host(session.connection, host=host, requests=amount, now=now)
    session.common.trim_unknown_hosts(session.connection, before=now - UNKNOWN_KEPT_MS, kept=HOSTS_AT_MOST)


def forget_unknown_host(session: Session, host: str | None) -> None:
    """A site has the host now."""
    if host:
        session.common.delete_unknown_host(session.connection, host=host)


def by_host(sites: Sequence[Site], kept: Mapping[str, int]) -> dict[str, Site]:
    """Every host that chooses a site; a site's own host wins over one that another has counted for."""
    by_id = {site.id: site for site in sites}
    hosts = {host: by_id[number] for host, number in kept.items() if number in by_id}
    return hosts | {site.cname: site for site in sites if site.cname}


def without_host(sites: Iterable[Site]) -> Site | None:
    """The first site that no Host chooses by name."""
    return next((site for site in sites if site.cname is None), None)
