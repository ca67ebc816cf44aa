"""``/paths``: the pages and events of a site."""

from tallystick.services.analytics.names import list_paths
from tallystick.services.services import Services
from tallystick.surfaces.goatcounter import wire
from tallystick.surfaces.goatcounter.api.calling import SiteCall
from tallystick.surfaces.goatcounter.wire import stats as stats_wire
from tallystick.surfaces.goatcounter.wire.decoding import Parameters
from tallystick.web.answers import ApiResponse

USUAL_LIMIT = 20
LARGEST_LIMIT = 200


async def paths(services: Services, call: SiteCall) -> ApiResponse:
    """A page of paths, by id."""
    parameters = Parameters(call.query, ("limit", "after"))
    limit = min(max(parameters.integer("limit", USUAL_LIMIT), 1), LARGEST_LIMIT)
    rows = await services.ledger.read(list_paths, call.site.id, parameters.integer("after", 0), limit + 1)
    listed = [stats_wire.path(path) for path in rows[:limit]]
    return ApiResponse(200, wire.json({"paths": listed, "more": len(rows) > limit}))
