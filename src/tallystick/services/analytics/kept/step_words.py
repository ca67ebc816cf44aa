"""Steps of funnels as people write them: a page (``/pricing``), the name of an event, or ``goal:`` and a goal."""

from collections.abc import Collection

from tallystick.model.funnel import FunnelStep
from tallystick.model.goal import Goal
from tallystick.services.analytics.kept.keeping import id_or_name, pick_named

GOAL = "goal:"
"""Stands before the name or the id of a goal."""


def step_of(text: str, goals: Collection[Goal], *, optional: bool = False) -> FunnelStep:
    """The step that a text stands for.

    Args:
        goals: of the site.

    Raises:
        NotThere: the site has no such goal.
    """
    if text.startswith(GOAL):
        goal = pick_named(goals, id_or_name(text.removeprefix(GOAL)), "goal")
        return FunnelStep(goal=goal.id, optional=optional)
    if text.startswith(("/", "*")):
        return FunnelStep(page=text, optional=optional)
    return FunnelStep(event=text, optional=optional)


def step_text(step: FunnelStep, goals: Collection[Goal]) -> str:
    """A step as people write it, without its name.

    Args:
        goals: of the site.
    """
    goal = next((goal for goal in goals if goal.id == step.goal), None)
    if goal is not None:
        return goal_text(goal)
    return f"{GOAL}{step.goal}" if step.goal else step.page or step.event


def goal_text(goal: Goal) -> str:
    """A goal as a step; by its id where its name could be read as the id of another."""
    return f"{GOAL}{goal.id if isinstance(id_or_name(goal.name), int) else goal.name}"
