"""``/api/v1/sites/goals``: goals in the form of Plausible's Sites API. A goal that is there already is no error."""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct, field

from tallystick.ledger import Session
from tallystick.model.goal import Goal
from tallystick.model.site import Site
from tallystick.services.accounts.audit import done_by
from tallystick.services.analytics.kept.goals import create_goal, goals_of
from tallystick.services.annotating import hold_kept
from tallystick.services.services import Services
from tallystick.surfaces.plausible.judging import StatsCall, as_json
from tallystick.surfaces.plausible.kept.decoding import decoded, require_changing
from tallystick.surfaces.plausible.v1.parameters import whole_number
from tallystick.web.answers import ApiResponse
from tallystick.web.refusals import ApiRefused

MOST, USUAL = 1_000, 100
LARGEST_ID = 10**18


class OlderGoal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body that creates a goal. Of the event's name and the page's path the one of the type is read.

    ``page_path`` is what kctl-plausible sends in place of ``page``.
    """

    site_id: str
    goal_type: Literal["event", "page", "page_path"]
    event_name: str | None = None
    page_path: str | None = None
    display_name: str | None = None
    custom_props: dict[str, str] = field(default_factory=dict)


async def list_older_goals(services: Services, call: StatsCall) -> ApiResponse:
    """List the goals. ``after`` and ``before`` are ids, as ``meta`` has them."""
    limit = whole_number(call.query, "limit", USUAL, 1, MOST)
    after = whole_number(call.query, "after", 0, 0, LARGEST_ID)
    before = whole_number(call.query, "before", LARGEST_ID, 0, LARGEST_ID)
    goals = (await services.goals.of_sites([call.site.id]))[call.site.id]
    within = [goal for goal in goals if after < goal.id < before]
    page = within[-limit:] if before < LARGEST_ID and not after else within[:limit]
    meta = {
        "after": page[-1].id if page and page[-1] != goals[-1] else None,
        "before": page[0].id if page and page[0] != goals[0] else None,
        "limit": limit,
    }
    return as_json({"goals": [_described(goal) for goal in page], "meta": meta})


async def put_older_goal(services: Services, call: StatsCall) -> ApiResponse:
    """Create a goal, or find the one that is there."""
    require_changing(call, None)
    body = decoded(call, OlderGoal)
    of_event = body.goal_type == "event"
    if not (body.event_name if of_event else body.page_path):
        msg = f"#/{'event_name' if of_event else 'page_path'}: is missing, for the goal_type {body.goal_type}"
        raise ApiRefused(msg)
    new = Goal(
        site=call.site.id,
        name=body.display_name or "",
        event=body.event_name or "" if of_event else "",
        page="" if of_event else body.page_path or "",
        props=tuple(body.custom_props.items()),
    )
    goal = await services.ledger.write(done_by, call.principal, _found_or_created, new, call.now)
    return as_json({"domain": _name(call.site), **_described(goal)})


def _found_or_created(session: Session, new: Goal, now: int) -> Goal:
    hold_kept(session)
    for goal in goals_of(session, new.site):
        if (goal.page, goal.event, dict(goal.props)) == (new.page.strip(), new.event.strip(), dict(new.props)):
            return goal
    return create_goal(session, new, now)


def _name(site: Site) -> str:
    return site.address_name


def _described(goal: Goal) -> Mapping[str, Any]:
    """A goal as it is sent."""
    return {
        "id": goal.id,
        "display_name": goal.name,
        "goal_type": "event" if goal.event else "page",
        "event_name": goal.event or None,
        "page_path": goal.page or None,
        "custom_props": dict(goal.props),
    }
