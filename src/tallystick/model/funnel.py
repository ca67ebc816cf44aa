"""Funnels: steps that visitors take one after the other in a visit, and how many take each."""

from msgspec import Struct

MAX_FUNNELS = 100
"""Of a site."""
MIN_STEPS, MAX_STEPS = 2, 8


class FunnelStep(Struct, frozen=True, kw_only=True):
    """A step: exactly one of a goal, a page and an event.

    Attributes:
        goal: id of a goal of the site; 0 for none.
        page, event: as in ``model.goal.Goal``.
        name: shown for the step; empty for the goal's name, the page or the event.
        optional: whether a visit may leave it out. The first and the last step are not optional.
    """

    goal: int = 0
    page: str = ""
    event: str = ""
    name: str = ""
    optional: bool = False


class Funnel(Struct, frozen=True, kw_only=True):
    """A funnel of a site. Times are Unix milliseconds.

    Attributes:
        id: 0 for one that is not stored yet.
        name: unique in its site; upper and lower case are the same.
        steps: ``MIN_STEPS`` to ``MAX_STEPS``.
        strict: whether nothing may lie between a step and the next; else anything may.
    """

    id: int = 0
    site: int
    name: str
    steps: tuple[FunnelStep, ...]
    strict: bool = False
    created: int = 0
    updated: int = 0
