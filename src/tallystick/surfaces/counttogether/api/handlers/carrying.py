"""What changes something, is done once, and is told as it was kept."""

from collections.abc import Callable
from typing import Any, TypeVar

from tallystick.services.kept_answers import KeptAnswer
from tallystick.services.services import Services
from tallystick.services.sharing.changing import Carried, ChangeRequest, ValueChange
from tallystick.surfaces.counttogether import wire
from tallystick.surfaces.counttogether.api.calling import CounterCall
from tallystick.surfaces.counttogether.errors import kept_refusal
from tallystick.web.answers import ApiResponse

Result = TypeVar("Result")
Tell = Callable[[Any], KeptAnswer]

_REPLAYED = ((b"idempotent-replayed", b"true"),)


async def change(services: Services, call: CounterCall, steps: tuple[ValueChange, ...], tell: Tell) -> ApiResponse:
    """Change values.

    Args:
        tell: what the results are answered with.
    """
    wanted = ChangeRequest(
        account=call.account.id, steps=steps, answer=tell, keyed=call.keyed, hide_foreign=services.sharing.hide_foreign
    )
    if call.keyed is None:
        return _answer(await services.sharing.change(wanted))
    with services.in_flight.alone(call.keyed):
        return _answer(await services.sharing.change(wanted))


async def once(  # what is done, and what it is answered with
    services: Services,
    call: CounterCall,
    function: Callable[..., Result],
    *arguments: Any,  # noqa: ANN401  # the function's
    tell: Callable[[Result], KeptAnswer],
    kept: Callable[[Result], KeptAnswer] | None = None,
) -> ApiResponse:
    """Carry out ``function(session, *arguments)``.

    Args:
        tell: what the result is answered with.
        kept: what is kept in its place, where it holds a secret.
    """

    async def carried() -> Carried:
        return await services.sharing.once(
            call.keyed, function, *arguments, answer=tell, refuse=kept_refusal, kept=kept
        )

    if call.keyed is None:
        return _answer(await carried())
    with services.in_flight.alone(call.keyed):
        return _answer(await carried())


def told(status: int, value: object, **headers: str) -> KeptAnswer:
    """A JSON answer that can be kept; headers by their names in lower case."""
    return KeptAnswer(status, wire.json(value), headers)


def nothing(_: object) -> KeptAnswer:
    """204."""
    return KeptAnswer(204)


def _answer(carried: Carried) -> ApiResponse:
    kept = carried.answer
    headers = tuple((name.encode(), value.encode()) for name, value in kept.headers.items())
    return ApiResponse(kept.status, kept.body, headers + _REPLAYED if carried.replayed else headers)
