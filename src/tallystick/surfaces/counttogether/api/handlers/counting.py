"""Values: increment, decrement, set, reset, undo. Each responds with a bare number."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from tallystick.errors import SharingRefused
from tallystick.services.services import Services
from tallystick.services.sharing.changing import Done, ValueChange, Verb
from tallystick.surfaces.counttogether.api.calling import CounterCall
from tallystick.surfaces.counttogether.api.handlers.keyed_changes import change
from tallystick.surfaces.counttogether.decoding import amount_in, body_as, require_no_amount
from tallystick.surfaces.counttogether.errors import refusal_of
from tallystick.surfaces.counttogether.zones import requested_zone
from tallystick.web.answers import ApiResponse


class SetBody(Struct, frozen=True):
    """``confirm``: allows a change against the counter's mode."""

    value: int
    confirm: bool = False


class ResetBody(Struct, frozen=True):
    """``confirm``: allows a change against the counter's mode."""

    confirm: bool = False


class UndoBody(Struct, frozen=True):
    """``offset``: of the change in the counter's history; without one the newest own change."""

    offset: int | None = None


def addition(verb: Verb, place: Mapping[str, str]) -> ValueChange:
    """The step of an increment or a decrement by 1, or by the amount in the path.

    Raises:
        Malformed: the amount is not valid.
    """
    return ValueChange(counter=place["id"], verb=verb, amount=amount_in(place))


async def increment(services: Services, call: CounterCall) -> ApiResponse:
    """Add 1, or the amount in the path."""
    require_no_amount(call.body, call.query, "increment")
    return await _changed(services, call, addition(Verb.INCREMENT, call.place))


async def decrement(services: Services, call: CounterCall) -> ApiResponse:
    """Subtract 1, or the amount in the path."""
    require_no_amount(call.body, call.query, "decrement")
    return await _changed(services, call, addition(Verb.DECREMENT, call.place))


ADDITIONS = {increment: Verb.INCREMENT, decrement: Verb.DECREMENT}


async def set_(services: Services, call: CounterCall) -> ApiResponse:
    """Replace the value."""
    body = body_as(SetBody, call.body)
    step = ValueChange(counter=call.place["id"], verb=Verb.SET, value=body.value, confirm=body.confirm)
    return await _changed(services, call, step)


async def reset(services: Services, call: CounterCall) -> ApiResponse:
    """Replace the value with the counter's reset value."""
    body = body_as(ResetBody, call.body)
    return await _changed(services, call, ValueChange(counter=call.place["id"], verb=Verb.RESET, confirm=body.confirm))


async def undo(services: Services, call: CounterCall) -> ApiResponse:
    """Undo a change."""
    body = body_as(UndoBody, call.body)
    return await _changed(services, call, ValueChange(counter=call.place["id"], verb=Verb.UNDO, offset=body.offset))


async def _changed(services: Services, call: CounterCall, step: ValueChange) -> ApiResponse:
    await requested_zone(call.query)
    return await change(services, call, (step,), number_response)


def number_response(results: Sequence[Done | SharingRefused], trace: str = "") -> ApiResponse:
    """The new value, or the refusal."""
    [result] = results
    if isinstance(result, SharingRefused):
        return refusal_of(result, trace)
    return ApiResponse(200, b"%d" % result.value)
