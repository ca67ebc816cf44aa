"""``GET /api/v1/sites``: the sites of a key (contract 5.6)."""

import asyncio
from collections.abc import Mapping
from typing import Any

from tallystick.errors import NoSuchSite
from tallystick.model.account import Permission
from tallystick.model.site import Site
from tallystick.services.services import Services
from tallystick.services.zones import zone_of_days
from tallystick.surfaces.plausible.errors import REFUSED
from tallystick.surfaces.plausible.judging import StatsCall, as_json, reaches
from tallystick.surfaces.plausible.v1.parameters import whole_number
from tallystick.web.answers import ApiResponse
from tallystick.web.refusals import ApiRefused, Unauthorized

MOST, USUAL = 1_000, 100


async def sites(services: Services, call: StatsCall) -> ApiResponse:
    """List the sites, by name. ``after`` and ``before`` are names, as ``meta`` has them."""
    if not call.principal.permits(Permission.SITE_READ):
        raise Unauthorized(REFUSED)
    limit = whole_number(call.query, "limit", USUAL, 1, MOST)
    after, before = call.query.get("after"), call.query.get("before")
    reached = {site.address_name: site for site in await services.sites.all() if _reaches(call, site)}
    names = sorted(reached)
    listed = [name for name in names if (not after or name > after) and (not before or name < before)]
    page = listed[-limit:] if before and not after else listed[:limit]
    meta = {
        "after": page[-1] if page and page[-1] != names[-1] else None,
        "before": page[0] if page and page[0] != names[0] else None,
        "limit": limit,
    }
    described = await asyncio.to_thread(lambda: [_described(reached[name]) for name in page])
    return as_json({"sites": described, "meta": meta})


async def site(services: Services, call: StatsCall) -> ApiResponse:
    """One site."""
    if not call.principal.permits(Permission.SITE_READ):
        raise Unauthorized(REFUSED)
    try:
        found = await services.sites.named(call.place["domain"])
    except NoSuchSite:
        found = None
    if found is None or not _reaches(call, found):
        msg = "this key has no site of this name"
        raise ApiRefused(msg, 404)
    return as_json(await asyncio.to_thread(_described, found))


def _reaches(call: StatsCall, site: Site) -> bool:
    return reaches(call.principal, site, Permission.SITE_READ)


def _described(site: Site) -> Mapping[str, Any]:
    """A site as it is sent. Reads its zone from disk at first."""
    return {"domain": site.address_name, "timezone": str(zone_of_days(site.user_defaults.timezone))}
