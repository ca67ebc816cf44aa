"""Goals and funnels as JSON has them, on every surface; each adds its own times."""

from typing import Any

from tallystick.model.funnel import Funnel
from tallystick.model.goal import Goal


def goal_as_data(goal: Goal) -> dict[str, Any]:
    """A goal without its times; None for what it does not have."""
    return {
        "id": goal.id,
        "name": goal.name,
        "page": goal.page or None,
        "event": goal.event or None,
        "props": dict(goal.props),
    }


def funnel_as_data(funnel: Funnel) -> dict[str, Any]:
    """A funnel without its times; None for what a step does not have."""
    return {
        "id": funnel.id,
        "name": funnel.name,
        "steps": [
            {
                "goal": step.goal or None,
                "page": step.page or None,
                "event": step.event or None,
                "name": step.name or None,
                "optional": step.optional,
            }
            for step in funnel.steps
        ],
        "strict": funnel.strict,
    }
