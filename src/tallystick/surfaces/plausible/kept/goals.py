"""``/api/v2/sites/{domain}/goals``."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from tallystick.model.goal import Goal
from tallystick.services.accounts.audit import done_by
from tallystick.services.analytics.kept.as_data import goal_as_data
from tallystick.services.analytics.kept.goals import GoalChanges, change_goal, create_goal, delete_goal
from tallystick.services.analytics.kept.keeping import changed_fields
from tallystick.services.services import Services
from tallystick.surfaces.plausible.judging import StatsCall, as_json
from tallystick.surfaces.plausible.kept.decoding import (
    decoded,
    number_of,
    person_of,
    require_changing,
    times,
)
from tallystick.web.answers import ApiResponse


class GoalBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body that creates or changes a goal; null is nothing."""

    name: str | UnsetType | None = UNSET
    page: str | UnsetType | None = UNSET
    event: str | UnsetType | None = UNSET
    props: dict[str, str] | UnsetType | None = UNSET

    def fields(self) -> dict[str, Any]:
        """What it says, in the words of ``Goal``."""
        said: dict[str, Any] = {name: value or "" for name, value in changed_fields(self).items()}
        if "props" in said:
            said["props"] = tuple(dict(said["props"] or {}).items())
        return said


async def list_goals(services: Services, call: StatsCall) -> ApiResponse:
    """All goals, oldest first."""
    goals = (await services.goals.of_sites([call.site.id]))[call.site.id]
    return as_json({"goals": [described(goal) for goal in goals]})


async def get_goal(services: Services, call: StatsCall) -> ApiResponse:
    """One goal."""
    return as_json(described(await services.goals.get(call.site.id, number_of(call, "goal"))))


async def post_goal(services: Services, call: StatsCall) -> ApiResponse:
    """Create a goal."""
    require_changing(call, None)
    new = Goal(site=call.site.id, **{"name": "", **decoded(call, GoalBody).fields()})
    goal = await services.ledger.write(done_by, call.principal, create_goal, new, call.now)
    return as_json(described(goal), 201)


async def patch_goal(services: Services, call: StatsCall) -> ApiResponse:
    """Change a goal."""
    require_changing(call, None)
    number, changes = number_of(call, "goal"), GoalChanges(**decoded(call, GoalBody).fields())
    changed = await services.ledger.write(done_by, call.principal, change_goal, call.site.id, number, changes, call.now)
    return as_json(described(changed))


async def remove_goal(services: Services, call: StatsCall) -> ApiResponse:
    """Delete a goal."""
    require_changing(call, None)
    number = number_of(call, "goal")
    await services.ledger.write(done_by, call.principal, delete_goal, call.site.id, number, call.now, person_of(call))
    return as_json({"deleted": True})


def described(goal: Goal) -> Mapping[str, Any]:
    """A goal as it is sent."""
    return {**goal_as_data(goal), **times(goal)}
