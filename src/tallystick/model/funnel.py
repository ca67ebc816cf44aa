"""Funnels: steps that visitors take one after the other in a visit, and how many take each."""

from msgspec import Struct

from tallystick.model.period import Period
from tallystick.model.question import EVERYTHING, FilterExpression

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


MOST_LEFT_TO = 10
"""Next pages and events that are listed for a step."""


class AskedStep(Struct, frozen=True, kw_only=True):
    """A step as a question has it.

    Attributes:
        condition: the hits that take the step. It looks at nothing but the hit: dimensions of ``Scope.HIT``, without
            neighbours and ``HasDone``.
    """

    name: str
    condition: FilterExpression
    optional: bool = False


class FunnelQuestion(Struct, frozen=True, kw_only=True):
    """How many visits of a site take the steps of a funnel in a period.

    A visit is its hits of people in the period, in the order of their times; hits of the same second in the order in
    which they arrived. One hit takes at most one step. Hits without a session are no part of a visit, and left out.

    - **In order**: the first step is taken by the visit's first hit that passes it. Each further step that is not
      optional is taken by the first hit after that which passes it, whatever lies between. Optional steps do not change
      this. One is taken by the first hit that passes it after the step taken before, and before the next step that is
      not optional, if the visit takes that.
    - **Strict**: each step is taken by the very next hit of the visit after the step taken before: a pageview or an
      event, also the same page once more. Where it passes several steps that may come next (optional ones and the one
      behind them), it takes the first of these. A visit may begin at any hit that passes the first step; that which
      gets farthest counts, and of several the earliest.

    Attributes:
        steps: ``MIN_STEPS`` to ``MAX_STEPS``; the first and the last are not optional.
        condition: which visits take part: those with at least one hit that passes, as in ``model.question.Question``.
            All hits of these may take steps.
        left_to: whether to find where visits went that did not go on.
    """

    site: int
    period: Period
    steps: tuple[AskedStep, ...]
    strict: bool = False
    condition: FilterExpression = EVERYTHING
    left_to: bool = False


class LeftTo(Struct, frozen=True):
    """What came next.

    Attributes:
        name: of a page or an event; its id where the warehouse returns it.
    """

    name: str | int
    event: bool
    visits: int


class StepFigures(Struct, frozen=True, kw_only=True):
    """A step of an answer.

    Attributes:
        visits: those that took the step.
        dropped: those of which it is the last step taken; 0 for the last step.
        median, average: seconds since the step taken before; None for the first step, and where no visit took it.
        left_to: the next hits of those that dropped, the most frequent ones, at most ``MOST_LEFT_TO``; None if not
            asked for.
        exits: those that dropped and had no further hit in the period; None if not asked for.
    """

    name: str
    optional: bool = False
    visits: int
    dropped: int
    median: float | None = None
    average: float | None = None
    left_to: tuple[LeftTo, ...] | None = None
    exits: int | None = None


class FunnelAnswer(Struct, frozen=True, kw_only=True):
    """How many visits took each step.

    Attributes:
        visits: all under the question's condition, whether they took the first step or not.
        sessionless: whether the period has hits of people without a session, which take no part.
    """

    visits: int
    steps: tuple[StepFigures, ...]
    sessionless: bool = False

    @property
    def entered(self) -> float | None:
        """The visits that took the first step, in percent of all; None without any."""
        return _percent(self.steps[0].visits, self.visits)

    def of_first(self, position: int) -> float | None:
        """The visits that took a step, in percent of those that took the first one; None without any."""
        return _percent(self.steps[position].visits, self.steps[0].visits)

    def of_previous(self, position: int) -> float | None:
        """The same in percent of those that took the step before, optional ones left out; None for the first step."""
        before = [step.visits for step in self.steps[:position] if not step.optional]
        return _percent(self.steps[position].visits, before[-1]) if before else None


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None
