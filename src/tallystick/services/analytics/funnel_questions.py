"""Answers questions about funnels, with names in place of ids, in turns with other questions."""

from collections.abc import Collection, Mapping

from msgspec.structs import replace

from tallystick.errors import InputRefused
from tallystick.ledger import Ledger, Session
from tallystick.model.dimensions import BOT, NEXT_PAGE, PREVIOUS_PAGE, Scope
from tallystick.model.funnel import (
    MAX_STEPS,
    MIN_STEPS,
    AskedStep,
    FunnelAnswer,
    FunnelQuestion,
    FunnelStep,
    LeftTo,
    StepFigures,
)
from tallystick.model.goal import Goal
from tallystick.model.goal_conditions import condition_of, event_condition, page_condition
from tallystick.model.question import AllOf, AnyOf, FilterExpression, HasDone, Match, Not
from tallystick.services.analytics.names import paths_of
from tallystick.services.analytics.questions import Questions, check_conditions
from tallystick.warehouse import Warehouse, WarehouseSession

_NOT_OF_ONE_HIT = frozenset({NEXT_PAGE.name, PREVIOUS_PAGE.name, BOT.name})


class FunnelQuestions:
    """Answers questions about funnels. Used from one event loop."""

    def __init__(self, ledger: Ledger, warehouse: Warehouse, questions: Questions) -> None:
        self._ledger, self._warehouse, self._questions = ledger, warehouse, questions

    async def answer(self, question: FunnelQuestion) -> FunnelAnswer:
        """The answer, with names in place of ids.

        Raises:
            InputRefused: the question cannot be answered; the message says why.
            QuestionTooLong: it takes longer than it may, and was given up.
            StoreUnavailable: a store is busy or has failed, or other questions take too long.
        """
        check_funnel(question)
        return await self._questions.shared(question, lambda: self._answer(question))

    async def _answer(self, question: FunnelQuestion) -> FunnelAnswer:
        # All together, so that a name that stands in several steps is looked up once.
        conditions = AllOf((question.condition, *(step.condition for step in question.steps)))
        stored = await self._questions.stored([question.site], conditions)
        assert isinstance(stored, AllOf)
        condition, *of_steps = stored.parts
        steps = tuple(replace(step, condition=each) for step, each in zip(question.steps, of_steps, strict=True))
        answer = await self._warehouse.read(ask_funnel, replace(question, condition=condition, steps=steps))
        ids = {int(each.name) for step in answer.steps for each in step.left_to or ()}
        names = await self._ledger.read(_names, question.site, ids) if ids else {}
        return replace(answer, steps=tuple(_named(step, names) for step in answer.steps))


def ask_funnel(session: WarehouseSession, question: FunnelQuestion) -> FunnelAnswer:
    """The answer in ids."""
    return session.answer_funnel(question)


def _names(session: Session, site: int, ids: Collection[int]) -> dict[int, str]:
    return {number: path.path for number, path in paths_of(session, site, list(ids)).items()}


def _named(step: StepFigures, names: Mapping[int, str]) -> StepFigures:
    """A step with names; those that are being deleted are left out."""
    if step.left_to is None:
        return step
    named = ((names.get(int(each.name)), each) for each in step.left_to)
    found = [LeftTo(name, each.event, each.visits) for name, each in named if name is not None]
    return replace(step, left_to=tuple(sorted(found, key=lambda each: (-each.visits, str(each.name), each.event))))


def steps_of(steps: Collection[FunnelStep], goals: Collection[Goal], site: int) -> tuple[AskedStep, ...]:
    """The steps of a site's funnel as a question has them.

    Args:
        goals: of the site.

    Raises:
        InputRefused: a step has a goal that is not among them.
    """
    by_id = {goal.id: goal for goal in goals}
    return tuple(_asked(step, by_id, site) for step in steps)


def _asked(step: FunnelStep, goals: Mapping[int, Goal], site: int) -> AskedStep:
    if not step.goal:
        condition = page_condition(step.page, site) if step.page else event_condition(step.event, site)
        return AskedStep(name=step.name or step.page or step.event, condition=condition, optional=step.optional)
    goal = goals.get(step.goal)
    if goal is None:
        msg = f"the site has no goal {step.goal}"
        raise InputRefused(msg)
    return AskedStep(name=step.name or goal.name, condition=condition_of(goal), optional=step.optional)


def check_funnel(question: FunnelQuestion) -> None:
    """Refuse a question that has no answer.

    Raises:
        InputRefused: the message says why.
    """
    steps = question.steps
    if not MIN_STEPS <= len(steps) <= MAX_STEPS:
        msg = f"a funnel has {MIN_STEPS} to {MAX_STEPS} steps; this one has {len(steps)}"
        raise InputRefused(msg)
    if steps[0].optional or steps[-1].optional:
        msg = "the first and the last step cannot be optional"
        raise InputRefused(msg)
    check_conditions(question)
    for step in steps:
        _check_step(step.condition)


def _check_step(condition: FilterExpression) -> None:
    match condition:
        case Match(dimension=dimension):
            if dimension.scope is not Scope.HIT or dimension.name in _NOT_OF_ONE_HIT:
                msg = f"a step takes filters on pages, events, properties and hosts only, not on {dimension.name}"
                raise InputRefused(msg)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                _check_step(part)
        case Not(part):
            _check_step(part)
        case HasDone():
            msg = "a step cannot have has done: it is one hit"
            raise InputRefused(msg)
