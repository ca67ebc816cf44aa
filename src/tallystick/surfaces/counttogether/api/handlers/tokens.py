"""Tokens of the principal's account, as far as they are about counters and may not do more than its own."""

from collections.abc import Iterable
from functools import partial, reduce
from operator import or_
from typing import Annotated, Literal

from msgspec import Meta, Struct

from tallystick.errors import SharingReason, SharingRefused
from tallystick.ledger import Session
from tallystick.model.account import Principal, Token
from tallystick.services.accounts.audit import done_by
from tallystick.services.accounts.tokens import (
    NAME_AT_MOST,
    OF_COUNTERS,
    NewToken,
    create_token,
    delete_token,
    made_with,
    rotate_token,
    token,
    tokens_of,
)
from tallystick.services.kept_answers import KeptAnswer
from tallystick.services.services import Services
from tallystick.surfaces.counttogether import wire
from tallystick.surfaces.counttogether.api.calling import CounterCall
from tallystick.surfaces.counttogether.api.handlers.carrying import nothing, once, told
from tallystick.surfaces.counttogether.decoding import body_as, integer_in
from tallystick.web.answers import ApiResponse

Scope = Literal["read", "write"]


class TokenBody(Struct, frozen=True):
    """What a token is to be."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_AT_MOST)]
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1)] = ("read", "write")


async def list_(services: Services, call: CounterCall) -> ApiResponse:
    """Those that may do something with counters, older ones first."""
    found = await services.ledger.read(tokens_of, call.account.id)
    return ApiResponse(200, wire.json([wire.token_of(each) for each in found if each.permissions & OF_COUNTERS]))


async def create(services: Services, call: CounterCall) -> ApiResponse:
    """A new token; it is told this once."""
    body = body_as(TokenBody, call.body)
    wanted = NewToken(name=body.name, permissions=reduce(or_, (wire.SCOPES[scope] for scope in body.scopes)))
    return await once(
        services,
        call,
        _create,
        call.principal,
        wanted,
        call.now,
        tell=partial(_told_secret, 201),
        kept=partial(_told_without, 201),
    )


async def rotate(services: Services, call: CounterCall) -> ApiResponse:
    """Another secret for a token; live connections that were opened by the old one are closed."""
    number = integer_in(call.place, "id")
    return await once(
        services,
        call,
        _rotate,
        call.principal,
        number,
        tell=partial(_told_secret, 200),
        kept=partial(_told_without, 200),
    )


async def revoke(services: Services, call: CounterCall) -> ApiResponse:
    """Remove a token; live connections that were opened by it are closed."""
    return await once(services, call, _revoke, call.principal, integer_in(call.place, "id"), tell=nothing)


def _create(session: Session, principal: Principal, wanted: NewToken, now: int) -> tuple[Token, str]:
    _require_no_more(principal, wanted.permissions)
    return done_by(session, principal, create_token, principal.account, wanted, now, principal.token.id)


def _rotate(session: Session, principal: Principal, number: int) -> tuple[Token, str]:
    _own(session, principal, number)
    secret = done_by(session, principal, rotate_token, number)
    return _own(session, principal, number), secret


def _revoke(session: Session, principal: Principal, number: int) -> None:
    own = _own(session, principal, number)
    done_by(session, principal, delete_token, own.id, principal.account.id)


def _own(session: Session, principal: Principal, number: int) -> Token:
    """The principal's own token, or one that was made with it. Others take the dashboard, and so a login.

    Raises:
        SharingRefused: NOT_FOUND or FORBIDDEN.
    """
    found = token(session, number)
    if found is None or found.account != principal.account.id or not found.permissions & OF_COUNTERS:
        raise SharingRefused(SharingReason.NOT_FOUND, "there is no such token")
    own = {principal.token.id, *(each.id for each in made_with(session, principal.token.id))}
    if number not in own:
        msg = "a token manages itself and those that were made with it; log in to the dashboard for others"
        raise SharingRefused(SharingReason.FORBIDDEN, msg)
    _require_no_more(principal, found.permissions, found.sites)
    return found


def _require_no_more(principal: Principal, permissions: int, sites: Iterable[int] = ()) -> None:
    """Refuse a token that may do, or reaches, more than the principal's own.

    Raises:
        SharingRefused: FORBIDDEN.
    """
    if permissions & ~principal.token.permissions or not all(map(principal.token.covers, sites)):
        msg = "your token may do less than that one; use another one, or the dashboard"
        raise SharingRefused(SharingReason.FORBIDDEN, msg)


def _told_secret(status: int, made: tuple[Token, str]) -> KeptAnswer:
    found, secret = made
    return told(status, wire.token_of(found) | {"token": secret})


def _told_without(status: int, made: tuple[Token, str]) -> KeptAnswer:
    return told(status, wire.token_of(made[0]) | {"token": None})
