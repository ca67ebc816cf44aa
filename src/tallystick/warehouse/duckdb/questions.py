"""Answers questions about visits and hits."""

from collections.abc import Sequence

from tallystick.model.question import Answer, Match, Question
from tallystick.warehouse.duckdb.queried import QuerySession


def answer(session: QuerySession, question: Question) -> Answer:
    """The answer to a question in ids, without its comparison."""
    raise NotImplementedError


def names_matching(session: QuerySession, names: Sequence[str], match: Match) -> list[int]:
    """The positions of names that one of the match's values fits; ``negated`` is not looked at."""
    raise NotImplementedError
