"""Many changes of values in one request: each has its own result."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from tallystick.errors import SharingRefused
from tallystick.services.idempotency import LONGEST_KEY
from tallystick.services.services import Services
from tallystick.services.sharing.access import require
from tallystick.services.sharing.changing import STEPS_AT_MOST, Done, ValueChange, Verb
from tallystick.surfaces.counttogether.api.calling import CounterCall
from tallystick.surfaces.counttogether.api.handlers.keyed_changes import change, json_response
from tallystick.surfaces.counttogether.decoding import body_as
from tallystick.surfaces.counttogether.errors import Malformed, error_of
from tallystick.surfaces.counttogether.zones import requested_zone
from tallystick.web.answers import ApiResponse


class Operation(Struct, frozen=True, rename="camel"):
    """One change. ``id`` is the client's own name for it, and makes it idempotent."""

    operation: Literal["increment", "decrement", "set", "reset", "undo"]
    id: Annotated[str, Meta(min_length=1, max_length=LONGEST_KEY)] | None = None
    counter_id: str | None = None
    amount: int = 1
    value: int | None = None
    confirm: bool = False
    offset: int | None = None


class BatchBody(Struct, frozen=True):
    """Operations, carried out in this order."""

    operations: Annotated[list[Operation], Meta(min_length=1, max_length=STEPS_AT_MOST)]


async def anywhere(services: Services, call: CounterCall) -> ApiResponse:
    """Change any counters."""
    body = body_as(BatchBody, call.body)
    if not all(operation.counter_id for operation in body.operations):
        msg = "every operation of this batch needs a counterId"
        raise Malformed(msg)
    return await _changed(services, call, body, [str(operation.counter_id) for operation in body.operations])


async def of_counter(services: Services, call: CounterCall) -> ApiResponse:
    """Change one counter."""
    body = body_as(BatchBody, call.body)
    if any(operation.counter_id is not None for operation in body.operations):
        msg = "the address names the counter; an operation of this batch has no counterId"
        raise Malformed(msg)
    judge = partial(require, hide_foreign=services.sharing.hide_foreign)
    await services.sharing.read(judge, call.account.id, call.place["id"], "member")
    return await _changed(services, call, body, [call.place["id"]] * len(body.operations))


async def _changed(services: Services, call: CounterCall, body: BatchBody, counters: Sequence[str]) -> ApiResponse:
    await requested_zone(call.query)
    steps = tuple(_step(operation, counter) for operation, counter in zip(body.operations, counters, strict=True))
    return await change(services, call, steps, partial(_results, [operation.id for operation in body.operations]))


def _step(operation: Operation, counter: str) -> ValueChange:
    return ValueChange(
        counter=counter,
        verb=Verb(operation.operation),
        amount=operation.amount,
        value=operation.value,
        confirm=operation.confirm,
        offset=operation.offset,
        id=operation.id,
    )


def _results(ids: Sequence[str | None], results: Sequence[Done | SharingRefused], _trace: str) -> ApiResponse:
    shown = [({} if name is None else {"id": name}) | _shown(each) for name, each in zip(ids, results, strict=True)]
    return json_response(200, {"results": shown})


def _shown(result: Done | SharingRefused) -> dict[str, Any]:
    if isinstance(result, SharingRefused):
        return error_of(result)
    done = {"status": 200, "value": result.value, "version": result.version}
    return done | ({"replayed": True} if result.replayed else {})
