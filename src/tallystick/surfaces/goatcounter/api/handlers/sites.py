"""``/sites``: the site that a Host chooses, and its children."""

from msgspec import UNSET
from msgspec.structs import asdict

from tallystick.ledger import Session
from tallystick.model.account import Access, Principal, UserSettings
from tallystick.model.site import Site, SiteSettings
from tallystick.services.accounts.audit import done_by
from tallystick.services.accounts.site_rows import family
from tallystick.services.accounts.sites import NewSite, SiteChanges, create_site_as, update_site
from tallystick.services.services import Services
from tallystick.surfaces.goatcounter import wire
from tallystick.surfaces.goatcounter.api.calling import SiteCall
from tallystick.surfaces.goatcounter.errors import NotFound
from tallystick.surfaces.goatcounter.wire.decoding import body_as, number_in
from tallystick.surfaces.goatcounter.wire.site_bodies import SiteBody
from tallystick.web.answers import ApiResponse


async def sites(services: Services, call: SiteCall) -> ApiResponse:
    """The current site, then its children by code."""
    found = await services.ledger.read(_within_reach, call.site, call.principal)
    return ApiResponse(200, wire.json({"sites": [wire.site(site) for site in found]}))


async def site(services: Services, call: SiteCall) -> ApiResponse:
    """One of them."""
    number = number_in(call.place, "id")
    for found in await services.ledger.read(_within_reach, call.site, call.principal):
        if found.id == number:
            return ApiResponse(200, wire.json(wire.site(found)))
    raise NotFound


async def create(services: Services, call: SiteCall) -> ApiResponse:
    """A new site of the same account."""
    body = await body_as(SiteBody, call.body)
    defaults = body.said_defaults
    wanted = NewSite(
        cname=body.cname or None,
        code=body.code or None,
        link_domain=body.link_domain or "",
        settings=SiteSettings(**body.said_settings),
        user_defaults=UserSettings() if defaults is UNSET else defaults,
    )
    principal = call.principal
    created = await services.ledger.write(
        done_by, principal, create_site_as, principal.account, wanted, call.now, principal.token
    )
    return ApiResponse(200, wire.json(wire.site(created)))


async def replace(services: Services, call: SiteCall) -> ApiResponse:
    """Change a site; what is not sent becomes what a new site has."""
    body = await body_as(SiteBody, call.body)
    changes = SiteChanges(
        cname=body.cname or None,
        code=body.code or UNSET,
        link_domain=body.link_domain or "",
        settings=asdict(SiteSettings()) | body.said_settings,
        user_defaults=body.said_defaults,
    )
    return await _changed(services, call, changes)


async def change(services: Services, call: SiteCall) -> ApiResponse:
    """Change a site; what is not sent stays."""
    body = await body_as(SiteBody, call.body)
    changes = SiteChanges(
        cname=UNSET if body.cname is UNSET else body.cname or None,
        code=body.code or UNSET,
        link_domain=UNSET if body.link_domain is None else body.link_domain,
        settings=body.said_settings,
        user_defaults=body.said_defaults,
    )
    return await _changed(services, call, changes)


async def _changed(services: Services, call: SiteCall, changes: SiteChanges) -> ApiResponse:
    number = number_in(call.place, "id")
    changed = await services.ledger.write(_update, call, number, changes)
    return ApiResponse(200, wire.json(wire.site(changed)))


def _update(session: Session, call: SiteCall, number: int, changes: SiteChanges) -> Site:
    if all(site.id != number for site in _within_reach(session, call.site, call.principal, "a")):
        raise NotFound
    return update_site(session, number, changes, call.now)


def _within_reach(session: Session, current: Site, principal: Principal, needed: Access = "s") -> list[Site]:
    """The current site and its children, as far as the token and its owner reach."""
    return [
        site
        for site in family(session, current.root)
        if current.id in (site.id, site.parent)
        and principal.token.covers(site.id)
        and principal.account.may(needed, site.id)
    ]
