"""Sites that a person wants to see first. Functions of ``(session, ...)``."""

from tallystick.ledger import Session


def pinned_sites(session: Session, account: int) -> frozenset[int]:
    """The ids of the sites that a person has pinned; some may be out of the person's reach by now."""
    return frozenset(site for (site,) in session.common.pinned_sites(session.connection, account=account))


def pin_site(session: Session, account: int, site: int, *, pinned: bool) -> None:
    """Pin a site, or no longer pin it."""
    change = session.common.pin_site if pinned else session.common.unpin_site
    change(session.connection, account=account, site=site)
