"""Counters in v1 and v2: list, read, create, change, delete."""

import datetime as dt
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from tallystick.errors import SharingRefused
from tallystick.model.shared_counter import SharedCounter
from tallystick.services.services import Services
from tallystick.services.sharing import counters
from tallystick.services.sharing.access import (
    Shared,
    counters_of,
    counters_with_members_of,
    readable_counter,
    readable_with_members,
    role_of,
)
from tallystick.services.sharing.counters import Edit, NewCounter
from tallystick.services.zones import today_in
from tallystick.surfaces.counttogether import wire
from tallystick.surfaces.counttogether.api.bodies import (
    NewBody,
    Patch,
    WholeBody,
    is_empty,
    new_counter,
    patch_edit,
    whole_edit,
)
from tallystick.surfaces.counttogether.api.calling import CounterCall
from tallystick.surfaces.counttogether.api.handlers.keyed_changes import no_content, once
from tallystick.surfaces.counttogether.decoding import body_as, etags_in, version_in
from tallystick.surfaces.counttogether.errors import Malformed
from tallystick.surfaces.counttogether.zones import zone_of
from tallystick.web.answers import ApiResponse


async def list_v1(services: Services, call: CounterCall) -> ApiResponse:
    """The person's counters with their members."""
    today = await _today(call)
    shared = await services.sharing.read(counters_with_members_of, call.account.id)
    return _list_answer(call, [wire.v1_counter(*each, today) for each in shared])


async def list_v2(services: Services, call: CounterCall) -> ApiResponse:
    """The person's counters, each with its value as one number."""
    today = await _today(call)
    shared = await services.sharing.read(counters_of, call.account.id)
    return _list_answer(call, [wire.flat(counter, today) for counter in shared])


async def one_v1(services: Services, call: CounterCall) -> ApiResponse:
    """One counter."""
    today = await _today(call)
    shared = await services.sharing.read(readable_with_members, call.account.id, call.place["id"])
    return _one_answer(call, wire.json(wire.v1_counter(*shared, today)), shared[0].version)


async def one_v2(services: Services, call: CounterCall) -> ApiResponse:
    """One counter, with its value as one number."""
    today = await _today(call)
    counter = await services.sharing.read(readable_counter, call.account.id, call.place["id"])
    return _one_answer(call, wire.json(wire.flat(counter, today)), counter.version)


async def create(services: Services, call: CounterCall) -> ApiResponse:
    """Create a counter; its admin is the principal."""
    zone = await zone_of(call.query, call.account)
    new: NewCounter | SharingRefused
    try:
        new = new_counter(body_as(NewBody, call.body))
    except SharingRefused as refused:
        new = refused
    arguments = call.account.id, new, call.now
    return await once(services, call, Shared, counters.create_shared, *arguments, encode=partial(_created, zone))  # type: ignore[arg-type]  # a tuple


async def put(services: Services, call: CounterCall) -> ApiResponse:
    """Replace a counter by the one in the body."""
    body = body_as(WholeBody, call.body)
    return await _edited(services, call, partial(whole_edit, body), Shared, counters.edit_read_shared, v1_at)


async def patch(services: Services, call: CounterCall) -> ApiResponse:
    """Change some fields of a counter."""
    body = body_as(Patch, call.body)
    if is_empty(body):
        msg = "send at least one field that is to be changed"
        raise Malformed(msg)
    return await _edited(services, call, partial(patch_edit, body), SharedCounter, counters.edit_read, _v2_at)


async def delete(services: Services, call: CounterCall) -> ApiResponse:
    """Delete a counter for all members."""
    function = partial(
        counters.delete, version=version_in(call.header(b"if-match")), hide_foreign=services.sharing.hide_foreign
    )
    await _today(call)
    arguments = call.account.id, call.place["id"], call.now
    return await once(services, call, type(None), function, *arguments, encode=no_content)


async def _edited(  # noqa: PLR0913, PLR0917  # the edit, and how its result is encoded
    services: Services,
    call: CounterCall,
    edit_of: Callable[[SharedCounter], Edit],
    kind: Any,  # noqa: ANN401  # a type
    function: Callable[..., Any],
    at: Callable[[ZoneInfo], Callable[[Any, int], ApiResponse]],
) -> ApiResponse:
    zone = await zone_of(call.query, call.account)
    conditions = {"version": version_in(call.header(b"if-match")), "hide_foreign": services.sharing.hide_foreign}
    arguments = call.account.id, call.place["id"], await _edit(services, call, edit_of), call.now
    return await once(services, call, kind, partial(function, **conditions), *arguments, encode=at(zone))


async def _edit(
    services: Services, call: CounterCall, edit_of: Callable[[SharedCounter], Edit]
) -> Edit | SharingRefused | None:
    """The edit of a body. It depends on the counter's type, which never changes."""
    access = await services.sharing.read(role_of, call.account.id, call.place["id"])
    try:
        return None if access is None else edit_of(access[0])
    except SharingRefused as refused:
        return refused


def v1_at(zone: ZoneInfo) -> Callable[[Shared, int], ApiResponse]:
    """Encoder of a counter in v1, with the days of a time zone."""
    return partial(_v1, zone)


def _v2_at(zone: ZoneInfo) -> Callable[[SharedCounter, int], ApiResponse]:
    return partial(_v2, zone)


def _v1(zone: ZoneInfo, shared: Shared, at: int) -> ApiResponse:
    return _counter_answer(wire.json(wire.v1_counter(*shared, today_in(zone, at))), shared[0].version)


def _v2(zone: ZoneInfo, counter: SharedCounter, at: int) -> ApiResponse:
    return _counter_answer(wire.json(wire.flat(counter, today_in(zone, at))), counter.version)


def _created(zone: ZoneInfo, shared: Shared, at: int) -> ApiResponse:
    response = _v1(zone, shared, at)
    location = (b"location", f"/v1/counters/{shared[0].uid}".encode())
    return ApiResponse(201, response.body, (*response.headers, location))


def _counter_answer(body: bytes, version: int) -> ApiResponse:
    return ApiResponse(200, body, ((b"etag", _etag(body, version).encode()),))


def _one_answer(call: CounterCall, body: bytes, version: int) -> ApiResponse:
    return _unless_cached(call, body, _etag(body, version))


def _etag(body: bytes, version: int) -> str:
    return f'"{version}-{_digest(body)[:8]}"'


def _list_answer(call: CounterCall, listed: object) -> ApiResponse:
    body = wire.json(listed)
    return _unless_cached(call, body, f'W/"{_digest(body)[:16]}"')


def _unless_cached(call: CounterCall, body: bytes, etag: str) -> ApiResponse:
    headers = ((b"etag", etag.encode()),)
    etags = etags_in(call.header(b"if-none-match") or "")
    if etags & {"*", *etags_in(etag)}:
        return ApiResponse(304, b"", headers)
    return ApiResponse(200, body, headers)


def _digest(body: bytes) -> str:
    return sha256(body).hexdigest()


async def _today(call: CounterCall) -> dt.date:
    return today_in(await zone_of(call.query, call.account), call.now)
