"""A counter's history."""

from tallystick.model.counter import INT64_MAX
from tallystick.services.services import Services
from tallystick.services.sharing.history import ENTRIES_AT_MOST, history
from tallystick.surfaces.counttogether import wire
from tallystick.surfaces.counttogether.api.calling import CounterCall
from tallystick.surfaces.counttogether.decoding import integer
from tallystick.surfaces.counttogether.errors import Malformed
from tallystick.web.answers import ApiResponse

USUAL_LIMIT = 100
ORDERS = ("oldest", "newest")


async def list_(services: Services, call: CounterCall) -> ApiResponse:
    """A page of entries; ``after`` of the next page is the last entry's offset."""
    after = integer(call.query, "after", 0, least=0, most=INT64_MAX)
    limit = integer(call.query, "limit", USUAL_LIMIT, least=1, most=ENTRIES_AT_MOST)
    order = call.query.get("order", ORDERS[0])
    if order not in ORDERS:
        msg = f"order must be {' or '.join(ORDERS)}"
        raise Malformed(msg)
    newest_first = order == "newest"
    entries = await services.sharing.read(history, call.account.id, call.place["id"], after, limit, newest_first)
    return ApiResponse(200, wire.json([wire.entry_of(entry) for entry in entries]))
