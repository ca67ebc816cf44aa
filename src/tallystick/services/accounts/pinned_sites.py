"""Sites that a person wants to see first. Functions of ``(session, ...)``."""

from collections.abc import Collection, Iterable

from tallystick.ledger import Session
from tallystick.model.account import Account
from tallystick.model.site import Site
from tallystick.services.accounts.accounts import may_see


def sites_in_order(person: Account, sites: Iterable[Site], pinned: Collection[int]) -> list[Site]:
    """Those of the sites that a person sees, the pinned ones first, by name.

    Args:
        pinned: ids.
    """
    seen = (site for site in sites if may_see(person, site))
    return sorted(seen, key=lambda site: (site.id not in pinned, site.name))


def pinned_sites(session: Session, account: int) -> frozenset[int]:
    """The ids of the sites that a person has pinned; some may be out of the person's reach by now."""
    return frozenset(site for (site,) in session.common.pinned_sites(session.connection, account=account))


def pin_site(session: Session, account: int, site: int, *, pinned: bool) -> None:
    """Pin a site, or no longer pin it."""
    change = session.common.pin_site if pinned else session.common.unpin_site
    change(session.connection, account=account, site=site)
