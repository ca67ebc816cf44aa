"""Carries out a query about a funnel, and writes its answer: how many visits take each step."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from tallystick.errors import InputRefused
from tallystick.model.funnel import AskedStep, Funnel, FunnelAnswer, FunnelQuestion, FunnelStep, LeftTo
from tallystick.model.goal import Goal
from tallystick.model.kept_rules import funnel_problems
from tallystick.model.site import Site
from tallystick.services.analytics.funnel_questions import FunnelQuestions, steps_of
from tallystick.services.analytics.kept.funnels import Funnels
from tallystick.services.analytics.questions import Questions
from tallystick.services.inquiries.asking import moments, today_of
from tallystick.services.inquiries.bodies import MOST_FAULTS, DecodedQuery, decode_query
from tallystick.services.inquiries.configured import Configured
from tallystick.services.inquiries.filters import as_json as shown
from tallystick.services.inquiries.inquiry import require_goals

KEYS = ("site_id", "funnel", "date_range", "filters", "include", "timezone")
OF_FUNNEL, OF_STEP = ("steps", "strict"), ("goal", "page", "event", "name", "optional")
PERCENT_DIGITS, SECONDS_DIGITS = 2, 1
INLINE = "-"
"""The name with which steps in a body are checked; a funnel has one."""

WITHOUT_SESSION = {
    "code": "hits_without_session",
    "warning": "Some hits have no session. They are no part of any visit, and left out.",
}


class FunnelServices(Struct, frozen=True):
    """What answers a question about a funnel."""

    questions: Questions
    funnel_questions: FunnelQuestions
    funnels: Funnels


async def funnel_answered(
    services: FunnelServices, site: Site, known: Configured, body: Mapping[str, Any], now: int
) -> dict[str, Any]:
    """The answer to a query about a funnel.

    Args:
        known: the goals of the site, and the segments that filters may refer to.
        now: Unix milliseconds.

    Raises:
        InputRefused: the query cannot be answered; the message is for the client.
        QuestionTooLong: it takes longer than it may.
        StoreUnavailable
    """
    goals = known.goals[site.id]
    query, inline = await asyncio.to_thread(_decoded, site, known, body, now)
    await require_goals(services.questions, query.inquiry)
    funnel = inline or await services.funnels.get(site.id, body["funnel"])
    question = FunnelQuestion(
        site=site.id,
        period=query.inquiry.period,
        steps=steps_of(funnel.steps, goals, site.id),
        strict=funnel.strict,
        condition=query.inquiry.filters.both,
        left_to=bool(body.get("include", {}).get("left_to")),
    )
    answer = await services.funnel_questions.answer(question)
    return {
        "results": _results(question.steps, answer),
        "meta": {"warnings": [WITHOUT_SESSION]} if answer.sessionless else {},
        "query": {
            "site_id": body.get("site_id") or site.address_name,
            "funnel": body["funnel"] if inline else {"id": funnel.id, "name": funnel.name, "strict": funnel.strict},
            "date_range": moments(query.inquiry.period, query.zone),
            "filters": query.filters,
            "include": {"left_to": True} if question.left_to else {},
        },
    }


# The body.


def _decoded(site: Site, known: Configured, body: Mapping[str, Any], now: int) -> tuple[DecodedQuery, Funnel | None]:
    """The period and filters of a body, and its funnel if that stands there. Reads from disk at first.

    Raises:
        InputRefused: all faults of form, one a line, or else the first one of meaning.
    """
    faults = [
        f"#: The key {shown(key)} is not known; there are {', '.join(sorted(KEYS))}" for key in body if key not in KEYS
    ]
    faults += _faults_of_include(body.get("include", {}))
    funnel = _funnel_in(site, known.goals[site.id], body, faults)
    alike = {key: body[key] for key in ("date_range", "filters", "timezone") if key in body}
    try:
        today = today_of([site], now)
        query = decode_query({"metrics": ["visitors"], **alike}, (site.id,), known, today, extended=True)
    except InputRefused as error:
        if faults and not str(error).startswith("#"):
            raise InputRefused("\n".join(faults[:MOST_FAULTS])) from error
        raise InputRefused("\n".join([*faults, *str(error).split("\n")][:MOST_FAULTS])) from error
    if faults:
        raise InputRefused("\n".join(faults[:MOST_FAULTS]))
    return query, funnel


def _faults_of_include(include: object) -> list[str]:
    match include:
        case dict():
            unknown = [key for key in include if key != "left_to"]
            faults = [f"#/include: The key {shown(key)} is not known; there is left_to" for key in unknown]
            if type(include.get("left_to", False)) is not bool:
                faults.append(f"#/include/left_to: {shown(include['left_to'])} is not true or false")
            return faults
        case _:
            return [f"#/include: {shown(include)} is not an object"]


def _funnel_in(site: Site, goals: Sequence[Goal], body: Mapping[str, Any], faults: list[str]) -> Funnel | None:
    """The funnel whose steps stand in a body; None where its id or its name does, or where it is faulty."""
    if "funnel" not in body:
        faults.append("#: The key funnel is missing")
        return None
    match body["funnel"]:
        case bool():
            pass
        case int() | str():
            return None
        case {"steps": [*steps], **others}:
            before = len(faults)
            faults += [
                f"#/funnel: The key {shown(key)} is not known; there are {', '.join(OF_FUNNEL)}"
                for key in others
                if key not in OF_FUNNEL
            ]
            strict = others.get("strict", False)
            if type(strict) is not bool:
                faults.append(f"#/funnel/strict: {shown(strict)} is not true or false")
            read = tuple(_step_in(step, number, goals, faults) for number, step in enumerate(steps))
            funnel = Funnel(site=site.id, name=INLINE, steps=read, strict=bool(strict))
            if len(faults) == before:
                problems = funnel_problems(funnel)
                faults += [f"#/funnel/{field}: {text}" for field, texts in problems.items() for text in texts]
            return funnel
        case _:
            pass
    faults.append(f"#/funnel: {shown(body['funnel'])} is not the id or the name of a funnel, or an object with steps")
    return None


def _step_in(step: object, number: int, goals: Sequence[Goal], faults: list[str]) -> FunnelStep:
    place = f"#/funnel/steps/{number}"
    if not isinstance(step, dict):
        faults.append(f"{place}: {shown(step)} is not an object")
        return FunnelStep()
    before = len(faults)
    faults += [
        f"{place}: The key {shown(key)} is not known; there are {', '.join(OF_STEP)}"
        for key in step
        if key not in OF_STEP
    ]
    texts = {key: step.get(key) or "" for key in ("page", "event", "name")}
    faults += [
        f"{place}/{key}: {shown(text)} is not a text" for key, text in texts.items() if not isinstance(text, str)
    ]
    optional = step.get("optional", False)
    if type(optional) is not bool:
        faults.append(f"{place}/optional: {shown(optional)} is not true or false")
    goal = _goal_in(step.get("goal"), place, goals, faults)
    if len(faults) > before:
        return FunnelStep()
    return FunnelStep(goal=goal, optional=optional, **{key: text.strip() for key, text in texts.items()})


def _goal_in(which: object, place: str, goals: Sequence[Goal], faults: list[str]) -> int:
    """The id of a goal that is given by its id or its name; 0 for none."""
    found: int | None = None
    match which:
        case None | "":
            return 0
        case bool():
            pass
        case int():
            found = next((goal.id for goal in goals if goal.id == which), None)
        case str():
            folded = which.strip().casefold()
            found = next((goal.id for goal in goals if goal.name.casefold() == folded), None)
    if found is None:
        faults.append(f"{place}/goal: the site has no goal {shown(which)}")
    return found or 0


# The answer.


def _results(steps: Sequence[AskedStep], answer: FunnelAnswer) -> dict[str, Any]:
    return {
        "visits": answer.visits,
        "entered": _rounded(answer.entered, PERCENT_DIGITS),
        "steps": [_step(answer, number) for number in range(len(steps))],
    }


def _step(answer: FunnelAnswer, number: int) -> dict[str, Any]:
    step = answer.steps[number]
    left = {} if step.left_to is None else {"left_to": [_left_to(each) for each in step.left_to], "exits": step.exits}
    return {
        "name": step.name,
        "optional": step.optional,
        "visits": step.visits,
        "of_first": _rounded(answer.of_first(number), PERCENT_DIGITS),
        "of_previous": _rounded(answer.of_previous(number), PERCENT_DIGITS),
        "dropped": step.dropped,
        "median_seconds": _rounded(step.median, SECONDS_DIGITS),
        "average_seconds": _rounded(step.average, SECONDS_DIGITS),
        **left,
    }


def _left_to(left_to: LeftTo) -> dict[str, Any]:
    return {"event" if left_to.event else "page": left_to.name, "visits": left_to.visits}


def _rounded(figure: float | None, digits: int) -> float | None:
    return None if figure is None else round(figure, digits)
