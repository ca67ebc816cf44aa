"""``/sites``: the site that a Host chooses, and its children."""

from msgspec import UNSET
from msgspec.structs import asdict

from tallystick.model.account import UserSettings
from tallystick.model.site import SiteSettings
from tallystick.services.accounts.audit import done_by
from tallystick.services.accounts.sites import (
    NewSite,
    SiteChanges,
    create_site_as,
    sites_within_reach,
    update_site_within_reach,
)
from tallystick.services.services import Services
from tallystick.surfaces.goatcounter import wire
from tallystick.surfaces.goatcounter.api.calling import SiteCall
from tallystick.surfaces.goatcounter.errors import NotFound
from tallystick.surfaces.goatcounter.wire.decoding import body_as, number_in
from tallystick.surfaces.goatcounter.wire.site_bodies import SettingsBody, SiteBody
from tallystick.web.answers import ApiResponse

REPLACED = {name: value for name, value in asdict(SiteSettings()).items() if name in SettingsBody.__struct_fields__}
"""What a replaced site gets where its body is silent. Settings that no client can see stay as they are."""


async def sites(services: Services, call: SiteCall) -> ApiResponse:
    """The current site, then its children by code."""
    reached = await services.ledger.read(sites_within_reach, call.site, call.principal)
    return ApiResponse(200, wire.json({"sites": [wire.site(site) for site in reached]}))


async def site(services: Services, call: SiteCall) -> ApiResponse:
    """One site."""
    number = number_in(call.place, "id")
    for reached in await services.ledger.read(sites_within_reach, call.site, call.principal):
        if reached.id == number:
            return ApiResponse(200, wire.json(wire.site(reached)))
    raise NotFound


async def create(services: Services, call: SiteCall) -> ApiResponse:
    """Create a site in the same account."""
    body = await body_as(SiteBody, call.body)
    defaults = body.sent_defaults
    new_site = NewSite(
        cname=body.cname or None,
        code=body.code or None,
        link_domain=body.link_domain or "",
        settings=SiteSettings(**body.sent_settings),
        user_defaults=UserSettings() if defaults is UNSET else defaults,
    )
    principal = call.principal
    created = await services.ledger.write(
        done_by, principal, create_site_as, principal.account, new_site, call.now, principal.token
    )
    return ApiResponse(200, wire.json(wire.site(created)))


async def replace(services: Services, call: SiteCall) -> ApiResponse:
    """Replace a site; missing fields get the defaults of a new site."""
    body = await body_as(SiteBody, call.body)
    changes = SiteChanges(
        cname=body.cname or None,
        code=body.code or UNSET,
        link_domain=body.link_domain or "",
        settings=REPLACED | body.sent_settings,
        user_defaults=body.sent_defaults,
    )
    return await _changed(services, call, changes)


async def change(services: Services, call: SiteCall) -> ApiResponse:
    """Change a site; missing fields keep their values."""
    body = await body_as(SiteBody, call.body)
    changes = SiteChanges(
        cname=UNSET if body.cname is UNSET else body.cname or None,
        code=body.code or UNSET,
        link_domain=UNSET if body.link_domain is None else body.link_domain,
        settings=body.sent_settings,
        user_defaults=body.sent_defaults,
    )
    return await _changed(services, call, changes)


async def _changed(services: Services, call: SiteCall, changes: SiteChanges) -> ApiResponse:
    number = number_in(call.place, "id")
    changed = await services.ledger.write(
        update_site_within_reach, call.site, call.principal, number, changes, call.now
    )
    if changed is None:
        raise NotFound
    return ApiResponse(200, wire.json(wire.site(changed)))
