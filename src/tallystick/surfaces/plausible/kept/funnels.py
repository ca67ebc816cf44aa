"""``/api/v2/sites/{domain}/funnels``."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from tallystick.errors import InvalidFields, NotThere
from tallystick.model.funnel import MAX_STEPS, Funnel, FunnelStep
from tallystick.services.accounts.audit import done_by
from tallystick.services.analytics.kept.as_data import funnel_as_data
from tallystick.services.analytics.kept.funnels import FunnelChanges, change_funnel, create_funnel, delete_funnel
from tallystick.services.analytics.kept.keeping import changed_fields
from tallystick.services.services import Services
from tallystick.surfaces.plausible.judging import StatsCall, as_json
from tallystick.surfaces.plausible.kept.decoding import decoded, number_of, require_changing, times
from tallystick.web.answers import ApiResponse


class StepBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step; ``goal`` is a goal's id or its name."""

    goal: int | str | None = None
    page: str | None = None
    event: str | None = None
    name: str | None = None
    optional: bool = False


class FunnelBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body that changes a funnel."""

    name: str | UnsetType = UNSET
    steps: list[StepBody] | UnsetType = UNSET
    strict: bool | UnsetType = UNSET


class NewFunnelBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body that creates a funnel."""

    name: str
    steps: list[StepBody]
    strict: bool = False


async def list_funnels(services: Services, call: StatsCall) -> ApiResponse:
    """All funnels, oldest first."""
    return as_json({"funnels": [described(funnel) for funnel in await services.funnels.of_site(call.site.id)]})


async def get_funnel(services: Services, call: StatsCall) -> ApiResponse:
    """One funnel."""
    return as_json(described(await services.funnels.get(call.site.id, number_of(call, "funnel"))))


async def post_funnel(services: Services, call: StatsCall) -> ApiResponse:
    """Create a funnel."""
    require_changing(call, None)
    body = decoded(call, NewFunnelBody)
    steps = await steps_of(services, call.site.id, body.steps)
    new = Funnel(site=call.site.id, name=body.name, steps=steps, strict=body.strict)
    funnel = await services.ledger.write(done_by, call.principal, create_funnel, new, call.now)
    return as_json(described(funnel), 201)


async def patch_funnel(services: Services, call: StatsCall) -> ApiResponse:
    """Change a funnel; its steps are replaced together."""
    require_changing(call, None)
    number, said = number_of(call, "funnel"), changed_fields(decoded(call, FunnelBody))
    if "steps" in said:
        said["steps"] = await steps_of(services, call.site.id, said["steps"])
    changed = await services.ledger.write(
        done_by, call.principal, change_funnel, call.site.id, number, FunnelChanges(**said), call.now
    )
    return as_json(described(changed))


async def remove_funnel(services: Services, call: StatsCall) -> ApiResponse:
    """Delete a funnel."""
    require_changing(call, None)
    number = number_of(call, "funnel")
    await services.ledger.write(done_by, call.principal, delete_funnel, call.site.id, number, call.now)
    return as_json({"deleted": True})


async def steps_of(services: Services, site: int, steps: Sequence[StepBody]) -> tuple[FunnelStep, ...]:
    """The steps of a body, with ids of goals in place of names.

    Raises:
        InvalidFields: the site has no such goal.
    """
    found: list[FunnelStep] = []
    for number, step in enumerate(steps[: MAX_STEPS + 1]):
        try:
            goal = step.goal if step.goal is None else (await services.goals.get(site, step.goal)).id
        except NotThere as error:
            raise InvalidFields({f"steps/{number}": [str(error)]}) from error
        found.append(
            FunnelStep(
                goal=goal or 0,
                page=step.page or "",
                event=step.event or "",
                name=step.name or "",
                optional=step.optional,
            )
        )
    return tuple(found)


def described(funnel: Funnel) -> Mapping[str, Any]:
    """A funnel as it is sent."""
    return {**funnel_as_data(funnel), **times(funnel)}
