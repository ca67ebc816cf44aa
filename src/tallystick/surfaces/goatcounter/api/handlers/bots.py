"""``/bots``, beyond the contract: hits that were filtered as bots, and relabelling them."""

from asyncio import to_thread
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from tallystick.model.dimensions import Dimension
from tallystick.model.filter_lists import filter_of
from tallystick.model.hit import Bot, is_bot
from tallystick.model.question import AllOf, FilterExpression
from tallystick.services.accounts.audit import done_by
from tallystick.services.analytics.bot_filters import Marking, mark_matching
from tallystick.services.analytics.bot_hits import FROM_THE_LATEST, BotHit, BotHitsQuery, bot_hits, reason, relabel
from tallystick.services.analytics.display_names import country_by_name
from tallystick.services.ingest.dropped_hits import dropped_hits, reason_name
from tallystick.services.jobs import Relabel
from tallystick.services.services import Services
from tallystick.surfaces.goatcounter import wire
from tallystick.surfaces.goatcounter.api.calling import SiteCall
from tallystick.surfaces.goatcounter.api.questions import PERIOD, ReportQuery
from tallystick.surfaces.goatcounter.wire.decoding import body_as
from tallystick.warehouse.types import EVERY_ID
from tallystick.web.answers import ApiResponse
from tallystick.web.refusals import ApiRefused


class RelabelBody(Struct, forbid_unknown_fields=True, rename={"from_": "from", "into": "to"}):
    """``POST /bots``: give the hits of one code, between two ids, another code."""

    from_: int
    into: int
    first_hit_id: int = EVERY_ID[0]
    last_hit_id: int = EVERY_ID[1]


class RelabelMatchingBody(Struct, forbid_unknown_fields=True, rename={"into": "to"}):
    """``POST /bots`` with filters: make bots' hits that pass all of them people's, or people's hits bots'."""

    into: int
    filters: list[Any]
    start: str = ""
    end: str = ""
    timezone: str = ""


class _MayHaveFilters(Struct):
    """Tells the two bodies apart."""

    filters: msgspec.Raw | UnsetType = UNSET


async def bots(services: Services, call: SiteCall) -> ApiResponse:
    """The number of filtered hits by reason, and the latest of them; and the number of dropped hits by reason."""
    parameters = ReportQuery(call, ("bot", "before", "limit"), filtered=False)
    query = BotHitsQuery(
        site=call.site.id,
        period=await parameters.period(),
        limit=parameters.limit(),
        bot=_bot(parameters),
        before=parameters.integer("before", FROM_THE_LATEST),
    )
    page = await bot_hits(services.ledger, services.warehouse, query)
    dropped = await services.ledger.read(dropped_hits, [call.site.id], query.period)
    body = {
        "bots": [{"bot": bot, "reason": reason(bot), "count": hits} for bot, hits in page.by_reason.items()],
        "hits": [_hit(hit) for hit in page.latest],
        "more": page.more,
        "dropped": [{"reason": reason_name(why), "count": hits} for why, hits in dropped.items()],
    }
    return ApiResponse(200, wire.json(body))


async def change(services: Services, call: SiteCall) -> ApiResponse:
    """Give hits another code; with 0 they count as people's."""
    if (await body_as(_MayHaveFilters, call.body)).filters is not UNSET:
        return await _change_matching(services, call)
    body = await body_as(RelabelBody, call.body)
    change = Relabel(call.site.id, body.from_, body.into, (body.first_hit_id, body.last_hit_id))
    await services.ledger.write(done_by, call.principal, relabel, change, call.now)
    return ApiResponse(202, wire.compact({"status": "ok"}))


async def _change_matching(services: Services, call: SiteCall) -> ApiResponse:
    body = await body_as(RelabelMatchingBody, call.body)
    country_name = await to_thread(country_by_name)
    given = {name: getattr(body, name) for name in PERIOD}
    marking = Marking(
        site=call.site.id,
        period=await ReportQuery(replace(call, query=given), (), filtered=False).period(),
        condition=AllOf(tuple(_filter(number, lists, country_name) for number, lists in enumerate(body.filters))),
        bots=not is_bot(body.into),
        into=body.into,
    )
    marked = await mark_matching(
        services.ledger, services.warehouse, services.questions, marking, call.now, actor=call.principal
    )
    return ApiResponse(202, wire.compact({"status": "ok", "hits": marked.hits}))


def _filter(number: int, lists: object, country_name: Dimension) -> FilterExpression:
    try:
        return filter_of(lists, country_name)
    except ValueError as error:
        msg = f"invalid filter {number}: {error}"
        raise ApiRefused(msg) from error


def _bot(parameters: ReportQuery) -> Bot | None:
    code = parameters.integer("bot", -1)
    if code == -1:
        return None
    if code not in set(Bot):
        msg = "invalid query parameters: field=bot: there is no such code"
        raise ApiRefused(msg)
    return Bot(code)


def _hit(hit: BotHit) -> dict[str, object]:
    return {
        "id": hit.id,
        "path_id": hit.path.id if hit.path else None,
        "path": hit.path.path if hit.path else "",
        "event": bool(hit.path and hit.path.event),
        "bot": hit.bot,
        "reason": reason(hit.bot),
        "ref": hit.ref,
        "ref_scheme": hit.ref_scheme,
        "browser": hit.browser,
        "system": hit.system,
        "location": hit.country,
        "created_at": wire.time(hit.created * 1000),
    }
