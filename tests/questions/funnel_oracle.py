"""Follows each visit through the steps of a funnel, hit by hit, as ``model/funnel.py`` defines it. No SQL."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean, median

from questions.oracle import Hit, Row, Visit, hits_of, passes
from tallystick.model.funnel import MOST_LEFT_TO, FunnelAnswer, FunnelQuestion, LeftTo, StepFigures
from tallystick.model.metrics import Metric
from tallystick.model.question import Question

Taken = dict[int, int]
"""The position in the visit of the hit that takes a step, by the step's number."""


def funnel_answer(rows: Iterable[Row], question: FunnelQuestion) -> FunnelAnswer:
    """The answer, with ids in ``LeftTo``."""
    period, condition = question.period, question.condition
    asked = Question(sites=(question.site,), period=period, metrics=(Metric.VISITS,), condition=condition)
    hits = hits_of(rows, asked)
    joining = {id(hit.visit): hit.visit for hit in hits if hit.visit.followed and passes(condition, hit)}
    follow = _strictly if question.strict else _in_order
    followed = [(visit, follow(visit, question)) for visit in joining.values()]
    return FunnelAnswer(
        visits=len(joining),
        steps=tuple(_figures(number, followed, question) for number in range(len(question.steps))),
        sessionless=any(not hit.visit.followed for hit in hits),
    )


def _takes(visit: Visit, position: int, question: FunnelQuestion, step: int) -> bool:
    return passes(question.steps[step].condition, Hit(visit.hits[position], visit))


def _in_order(visit: Visit, question: FunnelQuestion) -> Taken:
    def first(step: int, after: int, before: int) -> int | None:
        between = range(after + 1, before)
        return next((each for each in between if _takes(visit, each, question, step)), None)

    end, taken = len(visit.hits), Taken()
    required = [number for number, step in enumerate(question.steps) if not step.optional]
    position = -1
    for step in required:
        found = first(step, position, end)
        if found is None:
            break
        taken[step] = position = found
    for step, asked in enumerate(question.steps):
        if asked.optional and (earlier := [each for each in range(step) if each in taken]):
            behind = next(each for each in required if each > step)
            if max(each for each in required if each < step) in taken:
                found = first(step, taken[max(earlier)], taken.get(behind, end))
                taken |= {} if found is None else {step: found}
    return taken


def _strictly(visit: Visit, question: FunnelQuestion) -> Taken:
    best = Taken()
    for position in range(len(visit.hits)):
        taken = _strictly_from(visit, position, question)
        if taken and (not best or max(taken) > max(best)):
            best = taken
    return best


def _strictly_from(visit: Visit, position: int, question: FunnelQuestion) -> Taken:
    if not _takes(visit, position, question, 0):
        return {}
    taken = {0: position}
    while (position := position + 1) < len(visit.hits):
        step = max(taken) + 1
        while step < len(question.steps) and not _takes(visit, position, question, step):
            step = step + 1 if question.steps[step].optional else len(question.steps)
        if step == len(question.steps):
            break
        taken[step] = position
    return taken


def _figures(step: int, followed: Sequence[tuple[Visit, Taken]], question: FunnelQuestion) -> StepFigures:
    have = [(visit, taken) for visit, taken in followed if step in taken]
    last = len(question.steps) - 1
    left = [(visit, taken[step]) for visit, taken in have if max(taken) == step and step < last]
    seconds = [
        visit.hits[taken[step]]["created"] - visit.hits[max(taken[each] for each in taken if each < step)]["created"]
        for visit, taken in have
        if step > 0
    ]
    following = [visit.hits[position + 1] for visit, position in left if position + 1 < len(visit.hits)]
    next_hits = Counter((hit["path"], bool(hit["event"])) for hit in following)
    ranked = sorted(next_hits.items(), key=lambda each: (-each[1], each[0]))[:MOST_LEFT_TO]
    return StepFigures(
        name=question.steps[step].name,
        optional=question.steps[step].optional,
        visits=len(have),
        dropped=len(left),
        median=median(seconds) if seconds else None,
        average=fmean(seconds) if seconds else None,
        left_to=tuple(LeftTo(path, event, times) for (path, event), times in ranked) if question.left_to else None,
        exits=len(left) - len(following) if question.left_to else None,
    )
