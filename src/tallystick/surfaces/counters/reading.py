"""Reading counters without counting."""

from tallystick.services.services import Services
from tallystick.surfaces.counters.errors import NO_SUCH_COUNTER, CounterRefused
from tallystick.surfaces.counters.judging import PublicCall
from tallystick.surfaces.counters.wire import as_json, counter_members
from tallystick.web.answers import ApiResponse


async def one(services: Services, call: PublicCall) -> ApiResponse:
    """One counter."""
    key = call.key
    counter = await services.counting.get(key)
    if counter is None:
        raise CounterRefused(404, NO_SUCH_COUNTER, f"there is no counter {key}")
    return as_json(counter_members(key, counter))
