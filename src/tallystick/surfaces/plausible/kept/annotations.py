"""``/api/v2/sites/{domain}/annotations``. A person's own are for that person only, whatever access others have."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, get_args

from msgspec import UNSET, Struct, UnsetType

from tallystick.model.annotation import Annotation, AnnotationKind
from tallystick.model.kept_rules import is_date, is_moment
from tallystick.services.accounts.audit import done_by
from tallystick.services.analytics.kept.annotations import (
    MOST_AT_ONCE,
    AnnotationChanges,
    AnnotationsAsked,
    change_annotation,
    create_annotation,
    delete_annotation,
)
from tallystick.services.analytics.kept.as_data import annotation_as_data
from tallystick.services.annotating import moment_of
from tallystick.services.inquiries.filters import as_json as quoted
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
from tallystick.surfaces.plausible.v1.parameters import whole_number
from tallystick.web.answers import ApiResponse
from tallystick.web.refusals import ApiRefused

USUAL = 100

_place = re.compile(r"(?P<at>[0-9: -]{10,16})/(?P<id>[0-9]{1,18})", re.ASCII)


class NewAnnotationBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body that creates an annotation; without ``at`` it is of this minute."""

    text: str
    at: str | None = None
    link: str | None = None
    personal: bool = False


class AnnotationBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body that changes an annotation."""

    at: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    link: str | UnsetType | None = UNSET
    personal: bool | UnsetType = UNSET


async def list_annotations(services: Services, call: StatsCall) -> ApiResponse:
    """Annotations that the person sees, by time; ``after`` of the answer is where the next page begins."""
    asked = _asked(call.query)
    found = await services.annotations.visible(call.site.id, person_of(call), asked)
    after = f"{found[-1].at}/{found[-1].id}" if len(found) == asked.limit else None
    meta = {"after": after, "limit": asked.limit}
    return as_json({"annotations": [described(each) for each in found], "meta": meta})


async def get_annotation(services: Services, call: StatsCall) -> ApiResponse:
    """One annotation."""
    number = number_of(call, "annotation")
    return as_json(described(await services.annotations.get(call.site.id, number, person_of(call))))


async def post_annotation(services: Services, call: StatsCall) -> ApiResponse:
    """Create an annotation."""
    body = decoded(call, NewAnnotationBody)
    owner = call.principal.account.id if body.personal else None
    require_changing(call, owner)
    at = body.at
    if at is None:
        at = await asyncio.to_thread(moment_of, call.now, call.site.user_defaults.timezone)
    new = Annotation(site=call.site.id, at=at, text=body.text, link=body.link or "", owner=owner)
    made = await services.ledger.write(done_by, call.principal, create_annotation, new, call.now)
    return as_json(described(made), 201)


async def patch_annotation(services: Services, call: StatsCall) -> ApiResponse:
    """Change an annotation."""
    number, person = number_of(call, "annotation"), person_of(call)
    before = await services.annotations.get(call.site.id, number, person)
    said = owned_changes(call, decoded(call, AnnotationBody), before.owner)
    if "link" in said:
        said["link"] = said["link"] or ""
    changed = await services.ledger.write(
        done_by, call.principal, change_annotation, call.site.id, number, person, AnnotationChanges(**said), call.now
    )
    return as_json(described(changed))


async def remove_annotation(services: Services, call: StatsCall) -> ApiResponse:
    """Delete an annotation."""
    number, person = number_of(call, "annotation"), person_of(call)
    require_changing(call, (await services.annotations.get(call.site.id, number, person)).owner)
    await services.ledger.write(done_by, call.principal, delete_annotation, call.site.id, number, person)
    return as_json({"deleted": True})


def described(one: Annotation) -> Mapping[str, Any]:
    """An annotation as it is sent."""
    return {**annotation_as_data(one), **times(one)}


def _asked(query: Mapping[str, str]) -> AnnotationsAsked:
    for name in ("from", "to"):
        if query.get(name) and not is_date(query[name]):
            msg = f"{name}: {quoted(query[name])} is not a date such as 2026-03-10"
            raise ApiRefused(msg)
    kinds = get_args(AnnotationKind)
    kind: Any = query.get("kind") or None
    if kind is not None and kind not in kinds:
        msg = f"kind: {quoted(kind)} is not one of {', '.join(kinds)}"
        raise ApiRefused(msg)
    after = query.get("after", "")
    place = _place.fullmatch(after)
    if after and not (place and is_moment(place["at"])):
        msg = f"after: {quoted(after)} is not what meta.after was"
        raise ApiRefused(msg)
    return AnnotationsAsked(
        first=query.get("from", ""),
        last=query.get("to", ""),
        kind=kind,
        after=(place["at"], int(place["id"])) if place else ("", 0),
        limit=whole_number(query, "limit", USUAL, 1, MOST_AT_ONCE),
    )
