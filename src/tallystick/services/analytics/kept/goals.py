"""Goals of sites. Functions of ``(session, ...)``; times in ms."""

from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from tallystick.errors import Conflicting
from tallystick.ledger import Session
from tallystick.model.goal import MAX_GOALS, Goal
from tallystick.model.kept_rules import goal_problems, goals_named, with_goal_renamed
from tallystick.model.segment import Segment
from tallystick.services.accounts.audit import EventKind
from tallystick.services.analytics.kept.funnels import funnels_of
from tallystick.services.analytics.kept.keeping import (
    KeptCache,
    begin,
    changed_fields,
    check,
    check_name,
    check_room,
    log_change,
    pick,
    pick_named,
)
from tallystick.services.analytics.kept.segments import is_visible, segments_of, store_segment
from tallystick.services.analytics.kept.shared_links import links_with, rename_goal_in_links

_encode = msgspec.json.Encoder().encode
_decode_props = msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode


class GoalChanges(Struct, frozen=True, kw_only=True):
    """Changes of a goal; unset fields stay as they are."""

    name: str | UnsetType = UNSET
    page: str | UnsetType = UNSET
    event: str | UnsetType = UNSET
    props: tuple[tuple[str, str], ...] | UnsetType = UNSET


def goals_of(session: Session, site: int) -> tuple[Goal, ...]:
    """The goals of a site, oldest first."""
    return tuple(
        Goal(
            id=number,
            site=of,
            name=name,
            page=page,
            event=event,
            props=_decode_props(props),
            created=created,
            updated=updated,
        )
        for number, of, name, page, event, props, created, updated in session.common.goals_of(
            session.connection, site=site
        )
    )


def create_goal(session: Session, new: Goal, now: int) -> Goal:
    """Store a new goal. Without a name it is called like its event, or ``Visit`` and its page.

    Raises:
        InvalidFields: a field is not valid.
        Conflicting: another goal has the name.
        NotThere: there is no such site.
        InputRefused: the site has too many goals.
    """
    place, goals = begin(session, new.site), goals_of(session, new.site)
    new = _normal(new)
    check(goal_problems(new))
    check_name(goals, new, "goal")
    check_room(len(goals), MAX_GOALS, "goals")
    goal = replace(new, id=session.take_numbers("goal"), created=now, updated=now)
    session.common.add_goal(session.connection, site=goal.site, created=now, **_columns(goal))
    log_change(session, EventKind.GOAL_CREATED, now, place, goal)
    return goal


def change_goal(session: Session, site: int, number: int, changes: GoalChanges, now: int) -> Goal:
    """Change a goal. Segments and shared links that name it get its new name.

    Raises:
        InvalidFields, Conflicting: as of ``create_goal``.
        NotThere: there is no such goal.
    """
    place, goals = begin(session, site), goals_of(session, site)
    before = pick(goals, number, "goal")
    goal = _normal(replace(before, **changed_fields(changes), updated=now))
    check(goal_problems(goal))
    check_name(goals, goal, "goal")
    session.common.change_goal(session.connection, site=site, **_columns(goal))
    if goal.name != before.name:
        for segment in _segments_with(session, before):
            renamed = with_goal_renamed(segment.filters, before.name, goal.name)
            store_segment(session, replace(segment, filters=renamed, updated=now))
        rename_goal_in_links(session, before, goal.name, now)
    log_change(session, EventKind.GOAL_CHANGED, now, place, goal)
    return goal


def delete_goal(session: Session, site: int, number: int, now: int, person: int | None = None) -> None:
    """Delete a goal.

    Args:
        person: an account, whose own segments are treated like those of the site. Segments of other people do not
            keep a goal from being deleted: their names are nobody else's business.

    Raises:
        Conflicting: a funnel, a segment or a shared link uses it; the message names it.
        NotThere: there is no such goal.
    """
    place = begin(session, site)
    goal = pick(goals_of(session, site), number, "goal")
    for funnel in funnels_of(session, site):
        if any(step.goal == number for step in funnel.steps):
            _refuse_used(goal, f"the funnel {funnel.name!r}")
    for segment in _segments_with(session, goal):
        if is_visible(segment, person):
            _refuse_used(goal, f"the segment {segment.name!r}")
    for link in links_with(session, goal):
        _refuse_used(goal, f"the shared link {link.name!r}")
    session.common.delete_goal(session.connection, id=number, site=site)
    log_change(session, EventKind.GOAL_DELETED, now, place, goal)


class Goals:
    """The goals of sites, behind a cache."""

    def __init__(self, cache: KeptCache) -> None:
        self._cache = cache

    async def of_sites(self, site_ids: Collection[int]) -> dict[int, tuple[Goal, ...]]:
        """The goals of sites by site, oldest first.

        Raises:
            StoreUnavailable
        """
        return await self._cache.of_sites(goals_of, site_ids)

    async def get(self, site_id: int, which: int | str) -> Goal:
        """The goal with an id or a name.

        Raises:
            NotThere: there is none.
            StoreUnavailable
        """
        return pick_named((await self.of_sites([site_id]))[site_id], which, "goal")


def _normal(goal: Goal) -> Goal:
    goal = replace(goal, name=goal.name.strip(), page=goal.page.strip(), event=goal.event.strip())
    return goal if goal.name else replace(goal, name=goal.event or (f"Visit {goal.page}" if goal.page else ""))


def _columns(goal: Goal) -> dict[str, Any]:
    return {
        "id": goal.id,
        "name": goal.name,
        "folded": goal.name.casefold(),
        "page": goal.page,
        "event": goal.event,
        "props": _encode(goal.props).decode(),
        "updated": goal.updated,
    }


def _segments_with(session: Session, goal: Goal) -> list[Segment]:
    folded = goal.name.casefold()
    return [
        segment
        for segment in segments_of(session, goal.site)
        if any(name.casefold() == folded for name in goals_named(segment.filters))
    ]


def _refuse_used(goal: Goal, user: str) -> None:
    msg = f"the goal {goal.name!r} is used by {user}; change or delete that first"
    raise Conflicting(msg)
