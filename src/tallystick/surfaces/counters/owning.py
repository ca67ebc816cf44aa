"""What owners do with their counters: each handler decodes, makes one call and encodes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec import UNSET

from tallystick.errors import CounterReason, OwningRefused
from tallystick.model.account import Permission
from tallystick.model.counter import Amend, Create
from tallystick.services.counting.owned import changing
from tallystick.services.counting.owned.changing import OwnedResult
from tallystick.services.counting.owned.proving import Asker, secret_of
from tallystick.services.services import Services
from tallystick.surfaces.counters.asking import (
    admit_secret,
    admits_creation,
    asker_of,
    idempotency_key,
    keyed_request,
    known_asker,
    require_strong_key,
)
from tallystick.surfaces.counters.bodies import CreationBody, EmptyBody, NameBody, RulesBody, ValueBody, decoded
from tallystick.surfaces.counters.errors import CREATION_LIMITED, LIMITED, UNCACHED, CounterRefused
from tallystick.surfaces.counters.judging import PublicCall, key_named, namespace_named
from tallystick.surfaces.counters.wire import REPLAYED, as_json, counter_members
from tallystick.web.answers import ApiResponse
from tallystick.web.refusals import Headers, retry_after


async def create(services: Services, call: PublicCall) -> ApiResponse:
    """Create a counter with an owner: the token's account, else whoever has the secret in the answer."""
    asker = await asker_of(services, call, Permission.COUNTERS_WRITE)
    body = decoded(call.body, CreationBody)
    key, name = key_named(body.namespace, body.key), idempotency_key(call)
    if asker.digest is not None:
        asker = Asker()  # a secret owns its own counter only, and a new one gets its own
    if asker.principal is None:
        require_strong_key(call, "it brings the secret again")
        await admit_secret(call)
    operation = Create(
        value=body.value,
        lower=-1 if body.lower is UNSET else body.lower,
        upper=1 if body.upper is UNSET else body.upper,
        resettable=body.resettable is True,
    )
    admit = admits_creation(call, asker, key.namespace)
    with _telling_when(call, key.namespace):
        done = await _change(services, call, asker, changing.create_owned, key, operation, body.rules, name, admit)
    return as_json(_with_secret(done, name), 201, ((b"location", f"/api/counters/{key}".encode()), *_marks(done)))


async def amend(services: Services, call: PublicCall) -> ApiResponse:
    """Change what a counter allows, its label and its rules."""
    asker = await known_asker(services, call, Permission.COUNTERS_WRITE)
    key, body = call.key, decoded(call.body, RulesBody)
    operation = Amend(
        lower=None if body.lower is UNSET else body.lower,
        upper=None if body.upper is UNSET else body.upper,
        resettable=None if body.resettable is UNSET else body.resettable,
    )
    return _counter(
        await services.owned_counters.change(asker, None, changing.amend_owned, key, operation, body.rules, call.now)
    )


async def delete(services: Services, call: PublicCall) -> ApiResponse:
    """Delete a counter with its history."""
    asker = await known_asker(services, call, Permission.COUNTERS_WRITE)
    await services.owned_counters.change(asker, None, changing.delete_owned, call.key, call.now)
    return ApiResponse(204, headers=UNCACHED)


async def set_(services: Services, call: PublicCall) -> ApiResponse:
    """Replace the value, whatever the counter allows others."""
    asker = await known_asker(services, call, Permission.COUNTERS_WRITE)
    key, value = call.key, decoded(call.body, ValueBody).value
    return _counter(await _change(services, call, asker, changing.set_owned, key, value))


async def reset(services: Services, call: PublicCall) -> ApiResponse:
    """Set the value to 0."""
    asker = await known_asker(services, call, Permission.COUNTERS_WRITE)
    key, _ = call.key, decoded(call.body, EmptyBody)
    return _counter(await _change(services, call, asker, changing.set_owned, key, 0))


async def rename(services: Services, call: PublicCall) -> ApiResponse:
    """Give a counter another name; its value, history and owner stay with it."""
    asker = await known_asker(services, call, Permission.COUNTERS_WRITE)
    key, body = call.key, decoded(call.body, NameBody)
    new = key_named(key.namespace if body.namespace is None else body.namespace, body.key)
    admit = admits_creation(call, asker, new.namespace)
    with _telling_when(call, new.namespace):
        return _counter(await _change(services, call, asker, changing.rename_owned, key, new, admit))


@contextmanager
def _telling_when(call: PublicCall, namespace: str) -> Iterator[None]:
    """Where the limit of new counters refuses one, say when it admits one again."""
    try:
        yield
    except OwningRefused as error:
        if error.reason is not CounterReason.LIMITED:
            raise
        wait = call.kit.creations.wait(call.client, namespace)
        raise CounterRefused(LIMITED, CREATION_LIMITED, str(error), headers=retry_after(wait)) from error


async def claim(services: Services, call: PublicCall) -> ApiResponse:
    """Make the token's account the owner of a counter that nobody owns."""
    asker = await known_asker(services, call, Permission.COUNTERS_WRITE)
    key, _ = call.key, decoded(call.body, EmptyBody)
    return _counter(await _change(services, call, asker, changing.claim_counter, key))


async def renew(services: Services, call: PublicCall) -> ApiResponse:
    """Give the counter a new secret; the one before proves nothing any more."""
    asker = await known_asker(services, call, Permission.COUNTERS_WRITE)
    require_strong_key(call, "it brings the secret again")
    key, name, _ = call.key, idempotency_key(call), decoded(call.body, EmptyBody)
    done = await _change(services, call, asker, changing.renew_secret, key, name)
    return as_json(_with_secret(done, name), headers=_marks(done))


async def reserve(services: Services, call: PublicCall) -> ApiResponse:
    """Let only the owner of a site create counters in the namespace that has its name."""
    asker = await known_asker(services, call, Permission.COUNTERS_WRITE)
    namespace = namespace_named(call.place["namespace"])
    decoded(call.body, EmptyBody)
    await services.owned_counters.act(asker, changing.reserve_namespace, namespace, call.now)
    return as_json({"namespace": namespace, "reserved": True})


async def release(services: Services, call: PublicCall) -> ApiResponse:
    """Let everybody create counters in a namespace again."""
    asker = await known_asker(services, call, Permission.COUNTERS_WRITE)
    namespace = namespace_named(call.place["namespace"])
    await services.owned_counters.act(asker, changing.release_namespace, namespace, call.now)
    return ApiResponse(204, headers=UNCACHED)


async def _change(
    services: Services,
    call: PublicCall,
    asker: Asker,
    function: Callable[..., OwnedResult],
    *arguments: Any,  # noqa: ANN401  # the function's
) -> OwnedResult:
    """Carry out ``function(session, asker, *arguments, now)``; once, if the request has an Idempotency-Key."""
    request = keyed_request(call, asker)
    return await services.owned_counters.change(asker, request, function, *arguments, call.now)


def _with_secret(done: OwnedResult, idempotency_key: str) -> dict[str, Any]:
    """The members of a counter, and its secret if the request has made one."""
    members = counter_members(done.found)
    if done.nonce:
        members["secret"] = secret_of(done.nonce, idempotency_key)
    return members


def _counter(done: OwnedResult) -> ApiResponse:
    return as_json(counter_members(done.found), headers=_marks(done))


def _marks(done: OwnedResult) -> Headers:
    return REPLAYED if done.replayed else ()
