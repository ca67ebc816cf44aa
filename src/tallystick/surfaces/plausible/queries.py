"""``POST /api/v2/query``, and ``POST /api/query`` with what Plausible's API lacks."""

from tallystick.services.inquiries.asking import answered
from tallystick.services.services import Services
from tallystick.surfaces.plausible.judging import StatsCall, as_json, known_to
from tallystick.web.answers import ApiResponse


async def plausible_query(services: Services, call: StatsCall) -> ApiResponse:
    """Answer a query as Plausible does."""
    return await _answered(services, call, extended=False)


async def extended_query(services: Services, call: StatsCall) -> ApiResponse:
    """Answer a query that may have our own names and keys."""
    return await _answered(services, call, extended=True)


async def _answered(services: Services, call: StatsCall, *, extended: bool) -> ApiResponse:
    known = await known_to(services, call)
    return as_json(await answered(services.questions, call.sites, known, call.body, call.now, extended=extended))
