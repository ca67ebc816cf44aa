"""Counters in v1 and v2: list, look, make, change, delete."""

import datetime as dt
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

from tallystick.errors import SharingReason, SharingRefused
from tallystick.ledger import Session
from tallystick.model.shared_counter import Member, SharedCounter
from tallystick.services.kept_answers import KeptAnswer
from tallystick.services.services import Services
from tallystick.services.sharing import counters
from tallystick.services.sharing.access import counters_of, members_of, not_found, require_role, role_of, seen
from tallystick.services.sharing.counters import Edit
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
from tallystick.surfaces.counttogether.api.handlers.carrying import nothing, once
from tallystick.surfaces.counttogether.decoding import body_as, etags_in, version_in
from tallystick.surfaces.counttogether.errors import Malformed
from tallystick.surfaces.counttogether.zones import today_in, zone_of
from tallystick.web.answers import ApiResponse

Shared = tuple[SharedCounter, Sequence[Member]]
"""A counter and everyone who shares it."""


async def list_v1(services: Services, call: CounterCall) -> ApiResponse:
    """Everything that the person shares, with the people who share it."""
    today = await _today(call)
    found = await services.sharing.read(_all_shared, call.account.id)
    return _list_answer(call, [wire.v1_counter(*shared, today) for shared in found])


async def list_v2(services: Services, call: CounterCall) -> ApiResponse:
    """Everything that the person shares, as numbers."""
    today = await _today(call)
    found = await services.sharing.read(counters_of, call.account.id)
    return _list_answer(call, [wire.flat(counter, today) for counter in found])


async def one_v1(services: Services, call: CounterCall) -> ApiResponse:
    """One counter."""
    today = await _today(call)
    found = await services.sharing.read(_shared, call.account.id, call.place["id"])
    return _one_answer(call, told_v1(today, found))


async def one_v2(services: Services, call: CounterCall) -> ApiResponse:
    """One counter, as a number."""
    today = await _today(call)
    found = await services.sharing.read(seen, call.account.id, call.place["id"])
    return _one_answer(call, _told_v2(today, found))


async def create(services: Services, call: CounterCall) -> ApiResponse:
    """A new counter, of which the person is the admin."""
    today = await _today(call)
    body = body_as(NewBody, call.body)
    return await once(services, call, _create, call.account.id, body, call.now, tell=partial(_told_new, today))


async def put(services: Services, call: CounterCall) -> ApiResponse:
    """Change a counter to what is sent."""
    body = body_as(WholeBody, call.body)
    return await _edited(services, call, partial(whole_edit, body), _with_members, told_v1)


async def patch(services: Services, call: CounterCall) -> ApiResponse:
    """Change some fields of a counter."""
    body = body_as(Patch, call.body)
    if is_empty(body):
        msg = "send at least one field that is to be changed"
        raise Malformed(msg)
    return await _edited(services, call, partial(patch_edit, body), _alone, _told_v2)


async def delete(services: Services, call: CounterCall) -> ApiResponse:
    """Remove a counter for everyone."""
    function = partial(
        counters.delete, version=version_in(call.header(b"if-match")), hide_foreign=services.sharing.hide_foreign
    )
    await _today(call)
    return await once(services, call, function, call.account.id, call.place["id"], call.now, tell=nothing)


async def _edited(
    services: Services,
    call: CounterCall,
    edit_of: Callable[[SharedCounter], Edit],
    shown: Callable[[Session, SharedCounter], Any],
    tell: Callable[[dt.date, Any], KeptAnswer],
) -> ApiResponse:
    today = await _today(call)
    version = version_in(call.header(b"if-match"))
    edit = partial(_edit, edit_of=edit_of, shown=shown, version=version, hide_foreign=services.sharing.hide_foreign)
    return await once(services, call, edit, call.account.id, call.place["id"], call.now, tell=partial(tell, today))


def _edit(  # noqa: PLR0913  # who changes what, when, and on which conditions
    session: Session,
    account: int,
    uid: str,
    now: int,
    *,
    edit_of: Callable[[SharedCounter], Edit],
    shown: Callable[[Session, SharedCounter], Any],
    version: int | None,
    hide_foreign: bool,
) -> Any:  # noqa: ANN401  # what is shown
    found = role_of(session, account, uid)
    if found is None:
        raise not_found()
    before, role = found
    require_role(role, "member", hide_foreign=hide_foreign)
    try:
        after = counters.edit(session, account, uid, edit_of(before), now, version=version, hide_foreign=hide_foreign)
    except SharingRefused as refused:
        if refused.reason is not SharingReason.CHANGED_MEANWHILE:
            require_role(role, "admin")  # whoever may not change anything is told that first
        raise
    return shown(session, after)


def _create(session: Session, account: int, body: NewBody, now: int) -> Shared:
    return _with_members(session, counters.create(session, account, new_counter(body), now))


def _shared(session: Session, account: int, uid: str) -> Shared:
    return _with_members(session, seen(session, account, uid))


def _all_shared(session: Session, account: int) -> list[Shared]:
    found = counters_of(session, account)
    members = members_of(session, [counter.id for counter in found])
    return [(counter, members[counter.id]) for counter in found]


def _with_members(session: Session, counter: SharedCounter) -> Shared:
    return counter, members_of(session, [counter.id])[counter.id]


def _alone(_session: Session, counter: SharedCounter) -> SharedCounter:
    return counter


def told_v1(today: dt.date, shared: Shared) -> KeptAnswer:
    """A counter, as v1 answers it."""
    counter, members = shared
    return _told_one(counter, wire.json(wire.v1_counter(counter, members, today)))


def _told_v2(today: dt.date, counter: SharedCounter) -> KeptAnswer:
    return _told_one(counter, wire.json(wire.flat(counter, today)))


def _told_new(today: dt.date, shared: Shared) -> KeptAnswer:
    known = told_v1(today, shared)
    return KeptAnswer(201, known.body, known.headers | {"location": f"/v1/counters/{shared[0].uid}"})


def _told_one(counter: SharedCounter, body: bytes) -> KeptAnswer:
    return KeptAnswer(200, body, {"etag": f'"{counter.version}-{_digest(body)[:8]}"'})


def _one_answer(call: CounterCall, known: KeptAnswer) -> ApiResponse:
    return _unless_known(call, known.body, known.headers["etag"])


def _list_answer(call: CounterCall, listed: object) -> ApiResponse:
    body = wire.json(listed)
    return _unless_known(call, body, f'W/"{_digest(body)[:16]}"')


def _unless_known(call: CounterCall, body: bytes, etag: str) -> ApiResponse:
    headers = ((b"etag", etag.encode()),)
    known = etags_in(call.header(b"if-none-match") or "")
    if known & {"*", *etags_in(etag)}:
        return ApiResponse(304, b"", headers)
    return ApiResponse(200, body, headers)


def _digest(body: bytes) -> str:
    return sha256(body).hexdigest()


async def _today(call: CounterCall) -> dt.date:
    return today_in(await zone_of(call.query, call.account), call.now)
