"""``/count``: hits that servers, programs and logs send."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

from msgspec import Struct
from msgspec.json import decode
from msgspec.structs import replace

from tallystick.model.hit import is_bot
from tallystick.services.idempotency import KeyedRequest, find_hits_record, hits_record, meaning
from tallystick.services.ingest.ingest import Arrival, Dropped, DropReason, InvalidHit, Keep, Refusal, Result
from tallystick.services.services import Services
from tallystick.surfaces.goatcounter import wire
from tallystick.surfaces.goatcounter.api.calling import SiteCall
from tallystick.surfaces.goatcounter.wire.decoding import LONGEST_BODY_AT_ONCE, body_as
from tallystick.surfaces.goatcounter.wire.hit_bodies import CountBody, arrivals_of
from tallystick.warehouse import IdempotencyRecord, Stored
from tallystick.web.address import bare_host
from tallystick.web.answers import ApiResponse
from tallystick.web.idempotency import key_in
from tallystick.web.refusals import ApiRefused, Headers

MOST_HITS = 500
REPLAYED: Headers = ((b"idempotent-replayed", b"true"),)
OK = b'{"status":"ok"}'
FILTERS = frozenset(
    {
        DropReason.IGNORED_ADDRESS,
        DropReason.IGNORED_COUNTRY,
        DropReason.IGNORED_PAGE,
        DropReason.IGNORED_HOST,
        DropReason.IGNORED_CAMPAIGN,
    }
)
"""Reasons that the body's ``filter`` turns on and off together."""


class BatchOutcome(Struct, frozen=True):
    """The outcome of a request, in a form that can be recorded.

    Attributes:
        errors: index of a hit -> message.
        filtered: indexes of hits that the site leaves out.
        notes: hits that were dropped, by reason, and bots' hits, for imports.
    """

    errors: dict[str, str]
    filtered: list[int]
    notes: dict[str, int] = {}


async def count(services: Services, call: SiteCall) -> ApiResponse:
    """Store up to 500 hits. The response lists those that are not valid; all others are stored."""
    header = call.header(b"idempotency-key")
    if header is None:
        return _answer(call, await _stored(services, call, None))
    key_in(header, bare_texts=True)  # before a large body is parsed in vain
    if len(call.body) <= LONGEST_BODY_AT_ONCE:
        keyed = _keyed(call, header)
    else:
        keyed = await asyncio.to_thread(_keyed, call, header)
    with services.in_flight.alone(keyed):
        recorded = await find_hits_record(services.warehouse, keyed)
        if recorded is None:
            return _answer(call, await _stored(services, call, keyed))
    replayed = _answer(call, decode(recorded, type=BatchOutcome))
    return replace(replayed, headers=replayed.headers + REPLAYED)


def _keyed(call: SiteCall, header: str) -> KeyedRequest:
    """The identity of a keyed request: token, site, and the meaning of its body.

    Raises:
        InputRefused: the key is malformed.
    """
    token, site = call.principal.token.id, call.site.id
    older = KeyedRequest(f"{token}/{site}/{header}".encode(), blake2b(call.body, digest_size=16).hexdigest().encode())
    return KeyedRequest.of(
        f"goatcounter/{token}",
        "POST",
        f"/{site}/count",
        key_in(header, bare_texts=True),
        rest=meaning((), call.body),
        older=older,
    )


def _recording(keyed: KeyedRequest, arrivals: Sequence[Arrival], passed: int) -> Keep:
    def record(refused: Sequence[Refusal | None]) -> IdempotencyRecord:
        return hits_record(keyed, wire.compact(_outcome(arrivals, refused)).decode(), passed)

    return record


async def _stored(services: Services, call: SiteCall, keyed: KeyedRequest | None) -> BatchOutcome:
    body = await body_as(CountBody, call.body)
    hits = body.hits or ()
    if not hits:
        msg = "no hits"
        raise ApiRefused(msg)
    if len(hits) > MOST_HITS:
        msg = f"maximum amount of pageviews in one batch is {MOST_HITS}"
        raise ApiRefused(msg)
    if unknown := [name for name in body.filter or () if name != "ip"]:
        msg = f"unknown value in Filter: [{' '.join(unknown)}]"
        raise ApiRefused(msg)
    arrivals = arrivals_of(body, call.now // 1000)
    keep = _recording(keyed, arrivals, services.ledger.passed()) if keyed else None
    results = await services.ingest.record(call.site, arrivals, keep)
    host = bare_host(call.header(b"host") or "")
    if services.sites.is_new_host(host) and any(isinstance(result, Stored) for result in results):
        await services.sites.remember(call.site, host)
    return _outcome(arrivals, results)


def _outcome(arrivals: Sequence[Arrival], results: Sequence[Result | Refusal | None]) -> BatchOutcome:
    notes = Counter(str(result.reason) for result in results if isinstance(result, Dropped))
    judged = zip(arrivals, results, strict=True)
    bots = sum(is_bot(arrival.bot) for arrival, result in judged if not isinstance(result, Dropped | InvalidHit))
    return BatchOutcome(
        errors={str(index): str(result) for index, result in enumerate(results) if isinstance(result, InvalidHit)},
        filtered=[
            index for index, result in enumerate(results) if isinstance(result, Dropped) and result.reason in FILTERS
        ],
        notes={**notes, "bots": bots} if bots else dict(notes),
    )


def _answer(call: SiteCall, outcome: BatchOutcome) -> ApiResponse:
    indexes = ", ".join(map(str, outcome.filtered)).encode()
    headers: Headers = ((b"x-goatcounter-filter", indexes),) if indexes else ()
    if b"x-goatcounter-import" in call.headers:
        headers = (*headers, (b"x-tallystick-notes", wire.compact(outcome.notes)))
    if outcome.errors:
        return ApiResponse(400, wire.json({"errors": outcome.errors}), headers)
    return ApiResponse(202, OK, headers)
