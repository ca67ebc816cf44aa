"""Reads sites from the ledger. Functions of ``(session, ...)``; times in ms."""

from collections.abc import Sequence
from typing import Any

import msgspec

from tallystick.ledger import Session
from tallystick.model.account import UserSettings
from tallystick.model.site import Site, SiteSettings

_encode = msgspec.json.Encoder().encode
_decode_settings = msgspec.json.Decoder(SiteSettings).decode
_decode_defaults = msgspec.json.Decoder(UserSettings).decode


def site(session: Session, number: int) -> Site | None:
    """The active site with this id, or None."""
    row = session.common.site_by_id(session.connection, id=number)
    stored = None if row is None else _from_row(row)
    return stored if stored and stored.state == "a" else None


def active_sites(session: Session) -> list[Site]:
    """All sites that are not being deleted, oldest first."""
    return [_from_row(row) for row in session.common.active_sites(session.connection)]


def active_sites_after(session: Session, after: int, most: int) -> list[Site]:
    """The next sites that are not being deleted, behind an id."""
    return [_from_row(row) for row in session.common.active_sites_after(session.connection, after=after, max_rows=most)]


def family(session: Session, root: int) -> list[Site]:
    """The sites of one account: the first one, then the others by code."""
    sites = [site for site in active_sites(session) if site.root == root]
    return sorted(sites, key=lambda site: (site.parent is not None, site.code))


def site_columns(site: Site) -> dict[str, Any]:
    """The changeable fields of a site, as parameters of the queries that store it."""
    return {
        "id": site.id,
        "cname": site.cname,
        "cname_setup": site.cname_setup,
        "code": site.code,
        "link_domain": site.link_domain,
        "settings": _encode(site.settings).decode(),
        "user_defaults": _encode(site.user_defaults).decode(),
        "domain": site.domain,
    }


def _from_row(row: Sequence[Any]) -> Site:
    number, parent, cname, cname_setup, code, link, settings, defaults, received, state, *times, domain = row
    created, updated, first = times
    return Site(
        id=number,
        parent=parent,
        cname=cname,
        cname_setup=cname_setup,
        code=code,
        link_domain=link,
        settings=_decode_settings(settings),
        user_defaults=_decode_defaults(defaults),
        received_data=bool(received),
        state=state,
        created=created,
        updated=updated,
        first_hit=first,
        domain=domain,
    )
