"""``POST /api/query/funnel``: how many visits take each step of a funnel. Not a part of Plausible's API."""

from tallystick.services.inquiries.funnels import FunnelServices, funnel_answered
from tallystick.services.services import Services
from tallystick.surfaces.plausible.judging import StatsCall, as_json, known_to
from tallystick.web.answers import ApiResponse
from tallystick.web.refusals import ApiRefused


async def funnel_query(services: Services, call: StatsCall) -> ApiResponse:
    """Answer a query about a funnel."""
    if isinstance(call.body.get("site_id"), list):
        msg = "a funnel is of one site: site_id is a text"
        raise ApiRefused(msg)
    used = FunnelServices(services.questions, services.funnel_questions, services.funnels)
    known = await known_to(services, call)
    return as_json(await funnel_answered(used, call.site, known, call.body, call.now))
