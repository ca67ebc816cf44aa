"""``/api/v2/sites/{domain}/segments``. A person's own are for that person only, whatever access others have."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from tallystick.errors import InputRefused
from tallystick.model.kept_rules import segment_problems
from tallystick.model.segment import Segment
from tallystick.services.accounts.audit import done_by
from tallystick.services.analytics.kept.as_data import segment_as_data
from tallystick.services.analytics.kept.keeping import check
from tallystick.services.analytics.kept.segments import SegmentChanges, change_segment, create_segment, delete_segment
from tallystick.services.inquiries.expressions import check_expressions, expressions_in
from tallystick.services.services import Services
from tallystick.surfaces.plausible.judging import StatsCall, as_json
from tallystick.surfaces.plausible.kept.decoding import (
    decoded,
    number_of,
    owned_changes,
    person_of,
    require_changing,
    times,
)
from tallystick.web.answers import ApiResponse

MOST_EXPRESSIONS = 100


class NewSegmentBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body that creates a segment."""

    name: str
    filters: list[Any]
    personal: bool = False


class SegmentBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body that changes a segment."""

    name: str | UnsetType = UNSET
    filters: list[Any] | UnsetType = UNSET
    personal: bool | UnsetType = UNSET


async def list_segments(services: Services, call: StatsCall) -> ApiResponse:
    """All segments that the person sees, oldest first."""
    segments = await services.segments.visible(call.site.id, person_of(call))
    return as_json({"segments": [described(segment) for segment in segments]})


async def get_segment(services: Services, call: StatsCall) -> ApiResponse:
    """One segment."""
    return as_json(described(await services.segments.get(call.site.id, number_of(call, "segment"), person_of(call))))


async def post_segment(services: Services, call: StatsCall) -> ApiResponse:
    """Create a segment."""
    body = decoded(call, NewSegmentBody)
    owner = call.principal.account.id if body.personal else None
    require_changing(call, owner)
    new = Segment(site=call.site.id, name=body.name, owner=owner, filters=body.filters)
    await _check_expressions(services, new)
    segment = await services.ledger.write(done_by, call.principal, create_segment, new, call.now)
    return as_json(described(segment), 201)


async def patch_segment(services: Services, call: StatsCall) -> ApiResponse:
    """Change a segment."""
    number, person = number_of(call, "segment"), person_of(call)
    before = await services.segments.get(call.site.id, number, person)
    said = owned_changes(call, decoded(call, SegmentBody), before.owner)
    await _check_expressions(services, replace(before, **said))
    changed = await services.ledger.write(
        done_by, call.principal, change_segment, call.site.id, number, person, SegmentChanges(**said), call.now
    )
    return as_json(described(changed))


async def remove_segment(services: Services, call: StatsCall) -> ApiResponse:
    """Delete a segment."""
    number, person = number_of(call, "segment"), person_of(call)
    require_changing(call, (await services.segments.get(call.site.id, number, person)).owner)
    await services.ledger.write(done_by, call.principal, delete_segment, call.site.id, number, person, call.now)
    return as_json({"deleted": True})


async def _check_expressions(services: Services, segment: Segment) -> None:
    """Refuse expressions that no question could use.

    Raises:
        InvalidFields: a field is not valid; before, because an expression costs a statement each.
        InputRefused: an RE2 expression is not valid, or there are too many.
    """
    check(segment_problems(segment))
    expressions = expressions_in(segment.filters)
    if len(expressions) > MOST_EXPRESSIONS:
        msg = f"#/filters: a segment takes at most {MOST_EXPRESSIONS} expressions"
        raise InputRefused(msg)
    await check_expressions(services.questions, expressions)


def described(segment: Segment) -> Mapping[str, Any]:
    """A segment as it is sent."""
    return {**segment_as_data(segment), **times(segment)}
