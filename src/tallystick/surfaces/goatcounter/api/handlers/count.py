"""``/count``: hits that a server, a program or a log tells of."""

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

from msgspec import Struct
from msgspec.json import decode

from tallystick.model.hit import is_bot
from tallystick.services.ingest.ingest import Arrival, Dropped, DropReason, InvalidHit, Keep, Refusal, Result
from tallystick.services.services import Services
from tallystick.surfaces.goatcounter import wire
from tallystick.surfaces.goatcounter.api.calling import SiteCall
from tallystick.surfaces.goatcounter.wire.decoding import body_as
from tallystick.surfaces.goatcounter.wire.hit_bodies import CountBody, arrivals_of
from tallystick.warehouse import KeptRequest, Stored
from tallystick.web.address import bare_host
from tallystick.web.answers import ApiResponse
from tallystick.web.refusals import ApiRefused, Headers

MOST_HITS = 500
LONGEST_KEY = 255
OK = b'{"status":"ok"}'


class BatchOutcome(Struct, frozen=True):
    """What became of a request, in a form that can be kept.

    Attributes:
        errors: index of a hit -> what is wrong with it.
        filtered: indexes of hits whose address is ignored.
        notes: hits that were dropped, by reason, and bots' hits, for imports.
    """

    errors: dict[str, str]
    filtered: list[int]
    notes: dict[str, int] = {}


async def count(services: Services, call: SiteCall) -> ApiResponse:
    """Store up to 500 hits. Those that are wrong are told; all others are stored."""
    key = call.header(b"idempotency-key")
    if key is None:
        return _answer(call, await _stored(services, call, None))
    if not 0 < len(key) <= LONGEST_KEY or not key.isprintable():
        msg = f"Idempotency-Key must have 1 to {LONGEST_KEY} printable characters"
        raise ApiRefused(msg)
    return await _once(services, call, f"{call.principal.token.id}/{call.site.id}/{key}")


async def _once(services: Services, call: SiteCall, key: str) -> ApiResponse:
    fingerprint = blake2b(call.body, digest_size=16).hexdigest()
    async with services.keyed_requests.turn(key) as kept:
        if kept is None:
            return _answer(call, await _stored(services, call, (key, fingerprint)))
        if kept.fingerprint != fingerprint:
            msg = "this Idempotency-Key was used for another request"
            raise ApiRefused(msg, 422)
        return _answer(call, decode(kept.answer, type=BatchOutcome))


def _keeping(key: str, fingerprint: str, arrivals: Sequence[Arrival], passed: int) -> Keep:
    def keep(refused: Sequence[Refusal | None]) -> KeptRequest:
        return KeptRequest(key, fingerprint, wire.compact(_outcome(arrivals, refused)).decode(), passed // 1000)

    return keep


async def _stored(services: Services, call: SiteCall, keyed: tuple[str, str] | None) -> BatchOutcome:
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
    keep = _keeping(*keyed, arrivals, services.ledger.passed()) if keyed else None
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
            index
            for index, result in enumerate(results)
            if isinstance(result, Dropped) and result.reason is DropReason.IGNORED_ADDRESS
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
