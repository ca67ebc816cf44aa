"""Goals as SQL: which hits reach which of a question's goals, in one pass over the hits.

Most goals name pages or events. The paths of their hits are known, so hits are joined with a small table of paths and
goals, and only what a goal asks for beyond that is judged of the hits that are left.
"""

# ruff: noqa: S608  # the text consists of constants, numbers and names of parameters

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tallystick.model.dimensions import EVENT_NAME, PAGE, PAGEVIEW_ID
from tallystick.model.question import AllOf, FilterExpression, Match, NamedCondition
from tallystick.warehouse.duckdb.questions.conditions import has_pageviews_only
from tallystick.warehouse.duckdb.questions.parameters import BoundValues


class GoalPaths(NamedTuple):
    """The paths of all hits that reach a goal, and what else these have to pass."""

    event: bool
    paths: tuple[int, ...]
    others: tuple[FilterExpression, ...]


def reached(
    goals: Sequence[NamedCondition], hits: str, condition: Callable[[FilterExpression], str], parameters: BoundValues
) -> str:
    """The SELECT of hits with the position of a ``goal``, a row for each goal that a hit reaches.

    Args:
        hits: a relation.
        condition: the SQL of a condition.
    """
    known = {number: paths_of(goal.condition) for number, goal in enumerate(goals)}
    rows = [(path, each.event, number) for number, each in known.items() if each for path in each.paths]
    paths, events, numbers = (parameters.add(list(column)) for column in zip(*rows, strict=True)) if rows else ("",) * 3
    parts = []
    if rows:
        # Distinct: a filter may name a path twice.
        of_paths = (
            f"SELECT DISTINCT unnest(CAST({paths} AS INTEGER[])) AS path, unnest(CAST({events} AS BOOLEAN[])) AS event,"
            f" unnest(CAST({numbers} AS INTEGER[])) AS goal"
        )
        asked = {number: AllOf(each.others) for number, each in known.items() if each and each.others}
        where = f" WHERE {_case(asked, condition, otherwise='true')}" if asked else ""
        parts.append(f"SELECT * FROM {hits} JOIN ({of_paths}) AS of_paths USING (path, event){where}")
    if anywhere := {number: goals[number].condition for number, each in known.items() if each is None}:
        listed = ", ".join(map(str, anywhere))
        parts.append(
            f"SELECT * FROM {hits}, (SELECT CAST(unnest([{listed}]) AS INTEGER) AS goal)"
            f" WHERE {_case(anywhere, condition, otherwise='false')}"
        )
    # By name: a join puts the columns that it uses first.
    return " UNION ALL BY NAME ".join(parts) or f"SELECT *, CAST(0 AS INTEGER) AS goal FROM {hits} WHERE false"


def _case(
    conditions: Mapping[int, FilterExpression], condition: Callable[[FilterExpression], str], *, otherwise: str
) -> str:
    cases = " ".join(f"WHEN {number} THEN {condition(each)}" for number, each in conditions.items())
    return f"CASE goal {cases} ELSE {otherwise} END"


def paths_of(condition: FilterExpression) -> GoalPaths | None:
    """The paths of the hits that pass a condition; None where it does not name them."""
    parts = list(_parts(condition))
    pageviews = has_pageviews_only(AllOf(tuple(parts)))
    for part in parts:
        if not isinstance(part, Match) or part.negated or part.dimension.name not in {PAGE.name, EVENT_NAME.name}:
            continue
        ids = tuple(int(value) for value in part.values)
        if part.dimension.name == PAGE.name and pageviews:
            return GoalPaths(event=False, paths=ids, others=_without(parts, part, pageviews=True))
        if part.dimension.name == EVENT_NAME.name and PAGEVIEW_ID not in ids:
            return GoalPaths(event=True, paths=ids, others=_without(parts, part, pageviews=False))
    return None


def _without(parts: Sequence[FilterExpression], named: Match, *, pageviews: bool) -> tuple[FilterExpression, ...]:
    """What is left to judge of hits of the kind and the paths that a part names."""
    return tuple(part for part in parts if part is not named and not _is_of_kind(part, pageviews=pageviews))


def _is_of_kind(part: FilterExpression, *, pageviews: bool) -> bool:
    """Whether all pageviews pass a part, or all events."""
    if not isinstance(part, Match) or part.dimension.name != EVENT_NAME.name:
        return False
    return part.values == (PAGEVIEW_ID,) and part.negated is not pageviews


def _parts(expression: FilterExpression) -> Sequence[FilterExpression]:
    if not isinstance(expression, AllOf):
        return (expression,)
    return tuple(each for part in expression.parts for each in _parts(part))


def has_one_known_path(condition: FilterExpression) -> bool:
    """Whether all hits of one path pass a condition, and no others."""
    known = paths_of(condition)
    return known is not None and len(set(known.paths)) == 1 and not known.others
