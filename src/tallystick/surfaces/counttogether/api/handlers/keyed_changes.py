"""Runs mutations, idempotently when the request has a key, and builds the response from the recorded outcome."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

from msgspec.structs import replace

from tallystick.errors import SharingRefused
from tallystick.services.idempotency import StoredResponse
from tallystick.services.services import Services
from tallystick.services.sharing.changing import ChangeRequest, Done, ValueChange
from tallystick.surfaces.counttogether import wire
from tallystick.surfaces.counttogether.api.calling import CounterCall
from tallystick.surfaces.counttogether.errors import refusal_of
from tallystick.web.answers import ApiResponse
from tallystick.web.refusals import Headers

Result = TypeVar("Result")
TRACE_BYTES = 8

_REPLAYED: Headers = ((b"idempotent-replayed", b"true"),)


async def change(
    services: Services,
    call: CounterCall,
    steps: tuple[ValueChange, ...],
    encode: Callable[[Sequence[Done | SharingRefused], str], ApiResponse],
) -> ApiResponse:
    """Change values.

    Args:
        encode: builds the response from the results and the traceId of refusals.
    """
    keyed = call.keyed
    request = ChangeRequest(
        account=call.account.id, steps=steps, keyed=keyed, hide_foreign=services.sharing.hide_foreign
    )
    if keyed is None:
        changed = await services.sharing.change(request)
    else:
        with services.in_flight.alone(keyed):
            changed = await services.sharing.change(request)
    results = changed.results
    if isinstance(results, StoredResponse):
        return _of_older_version(results)
    response = encode(results, _trace(call))
    return _marked(response) if changed.replayed else response


async def once(  # noqa: PLR0913  # the mutation, and how its result is encoded
    services: Services,
    call: CounterCall,
    kind: type[Result],
    function: Callable[..., Result],
    *arguments: Any,  # noqa: ANN401  # the function's
    encode: Callable[[Result, int], ApiResponse],
    recorded: Callable[[Result], Result] | None = None,
) -> ApiResponse:
    """Run ``function(session, *arguments)``; with a key, at most once.

    Args:
        kind: the type of its result.
        encode: builds the response from the result and the time at which the function ran.
        recorded: replaces the result in the record, where it holds a secret.
    """
    keyed = call.keyed
    with nullcontext() if keyed is None else services.in_flight.alone(keyed):
        done = await services.sharing.once(keyed, kind, function, *arguments, recorded=recorded)
    result = done.result
    if isinstance(result, StoredResponse):
        return _of_older_version(result)
    response = refusal_of(result, _trace(call)) if isinstance(result, SharingRefused) else encode(result, done.at)
    return _marked(response) if done.replayed else response


def json_response(status: int, value: object, headers: Headers = ()) -> ApiResponse:
    """A response with a JSON body."""
    return ApiResponse(status, wire.json(value), headers)


def no_content(_result: object, _at: int) -> ApiResponse:
    """204."""
    return ApiResponse(204)


def _trace(call: CounterCall) -> str:
    """The traceId of refusals: derived from the key, so that a replay has the same; empty without a key."""
    return "" if call.keyed is None else call.keyed.digest[:TRACE_BYTES].hex()


def _of_older_version(stored: StoredResponse) -> ApiResponse:
    headers = tuple((name.encode(), value.encode()) for name, value in stored.headers.items())
    return ApiResponse(stored.status, stored.body, headers + _REPLAYED)


def _marked(response: ApiResponse) -> ApiResponse:
    return replace(response, headers=response.headers + _REPLAYED)
