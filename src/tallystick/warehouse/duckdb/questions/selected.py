"""Selects the hits that a question counts, to change them."""

# ruff: noqa: S608  # the text consists of constants, numbers and names of parameters

from tallystick.model.dimensions import Scope
from tallystick.model.question import FilterExpression, Question, matches_in
from tallystick.warehouse.duckdb.queried import QuerySession
from tallystick.warehouse.duckdb.questions.conditions import NEIGHBOURS, condition_of
from tallystick.warehouse.duckdb.questions.names import check_expressions
from tallystick.warehouse.duckdb.questions.parameters import BoundValues
from tallystick.warehouse.duckdb.questions.relations import Relations, with_clause


def passing_ids(session: QuerySession, question: Question) -> tuple[str, BoundValues]:
    """The SELECT of the ids of a question's hits that pass its condition, and the values of the plan (see ``of``).

    Raises:
        InputRefused: an RE2 expression is not valid.
    """
    matches = list(matches_in(question.condition))
    for match in matches:
        check_expressions(session, match)
    parameters = BoundValues()
    relations = Relations(
        session,
        question,
        parameters,
        general=False,
        neighbours=NEIGHBOURS & {match.dimension.name for match in matches},
        columns=[column for match in matches for column in match.dimension.columns],
    )

    def has_done(part: FilterExpression) -> str:
        passes = condition_of(part, parameters, has_done)
        others = relations.in_visits(f"hits WHERE session <> 0 AND {passes}")
        return f"CASE WHEN session = 0 THEN {passes} ELSE {others} END"

    source = "rows" if any(match.dimension.scope is Scope.VISIT for match in matches) else "hits"
    passes = condition_of(question.condition, parameters, has_done)
    ctes = [*relations.hits(), *relations.visits(), relations.rows()]
    text = with_clause(ctes, f"SELECT id FROM {source} WHERE {passes}")
    return text, parameters
