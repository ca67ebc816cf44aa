"""Tokens for counters of the principal's account; none may do more than the token of the request."""

from functools import partial, reduce
from operator import or_
from typing import Annotated, Literal

from msgspec import Meta, Struct

from tallystick.services.accounts import counter_tokens
from tallystick.services.accounts.counter_tokens import MadeToken
from tallystick.services.accounts.tokens import NAME_AT_MOST, OF_COUNTERS, NewToken, tokens_of
from tallystick.services.services import Services
from tallystick.surfaces.counttogether import wire
from tallystick.surfaces.counttogether.api.calling import CounterCall
from tallystick.surfaces.counttogether.api.handlers.keyed_changes import json_response, no_content, once
from tallystick.surfaces.counttogether.decoding import body_as, integer_in
from tallystick.web.answers import ApiResponse

Scope = Literal["read", "write"]


class TokenBody(Struct, frozen=True):
    """A token to be created."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_AT_MOST)]
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1)] = ("read", "write")


async def list_(services: Services, call: CounterCall) -> ApiResponse:
    """List the tokens with a permission for counters, oldest first."""
    tokens = await services.ledger.read(tokens_of, call.account.id)
    return ApiResponse(200, wire.json([wire.token_of(each) for each in tokens if each.permissions & OF_COUNTERS]))


async def create(services: Services, call: CounterCall) -> ApiResponse:
    """A new token; its secret is shown this once."""
    body = body_as(TokenBody, call.body)
    new = NewToken(name=body.name, permissions=reduce(or_, (wire.SCOPES[scope] for scope in body.scopes)))
    return await once(
        services,
        call,
        MadeToken,  # type: ignore[arg-type]  # a tuple
        counter_tokens.create,
        call.principal,
        new,
        call.now,
        encode=partial(_with_secret, 201),
        recorded=counter_tokens.without_secret,
    )


async def rotate(services: Services, call: CounterCall) -> ApiResponse:
    """Give a token a new secret; closes live connections that were opened with the old one."""
    return await once(
        services,
        call,
        MadeToken,  # type: ignore[arg-type]  # a tuple
        counter_tokens.rotate,
        call.principal,
        integer_in(call.place, "id"),
        encode=partial(_with_secret, 200),
        recorded=counter_tokens.without_secret,
    )


async def revoke(services: Services, call: CounterCall) -> ApiResponse:
    """Remove a token; closes live connections that were opened with it."""
    arguments = call.principal, integer_in(call.place, "id")
    return await once(services, call, type(None), counter_tokens.revoke, *arguments, encode=no_content)


def _with_secret(status: int, made: MadeToken, _at: int) -> ApiResponse:
    token, secret = made
    return json_response(status, wire.token_of(token) | {"token": secret})
