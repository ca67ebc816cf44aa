"""Goals, funnels, notes and segments as JSON has them, on every surface; each adds its own times."""

from typing import Any

from tallystick.model.annotation import Annotation
from tallystick.model.funnel import Funnel
from tallystick.model.goal import Goal
from tallystick.model.segment import Segment


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


def annotation_as_data(note: Annotation) -> dict[str, Any]:
    """An annotation without its times; None for no link."""
    return {
        "id": note.id,
        "at": note.at,
        "text": note.text,
        "link": note.link or None,
        "kind": note.kind,
        "personal": note.owner is not None,
    }


def segment_as_data(segment: Segment) -> dict[str, Any]:
    """A segment without its times."""
    return {
        "id": segment.id,
        "name": segment.name,
        "personal": segment.owner is not None,
        "filters": segment.filters,
    }
