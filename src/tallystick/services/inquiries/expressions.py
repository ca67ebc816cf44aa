"""The RE2 expressions in filters, which only the warehouse understands."""

from collections.abc import Sequence
from contextlib import suppress

from tallystick.model.dimensions import PAGE
from tallystick.model.filter_lists import InvalidFilter, ListedMatch, read_filter
from tallystick.model.question import EVERYTHING, FilterExpression, Match, Operator
from tallystick.services.analytics.questions import Questions


def comparisons_in(filters: Sequence[object]) -> list[ListedMatch]:
    """Every comparison in filters on the wire; of one that has no known form, those before the fault."""
    found: list[ListedMatch] = []

    def gather(listed: ListedMatch) -> FilterExpression:
        found.append(listed)
        return EVERYTHING

    for each in filters:
        with suppress(InvalidFilter):
            read_filter(each, gather)
    return found


def expressions_in(filters: Sequence[object]) -> list[str]:
    """The expressions in filters on the wire."""
    return [
        each
        for listed in comparisons_in(filters)
        if listed.operator in {"matches", "matches_not"}
        for each in listed.values
        if isinstance(each, str)
    ]


async def check_expressions(questions: Questions, expressions: Sequence[str]) -> None:
    """Refuse expressions that no question could use. Each costs a statement, so callers bound them.

    Raises:
        InputRefused: one is not valid.
        StoreUnavailable
    """
    if expressions:
        await questions.matching([""], Match(dimension=PAGE, operator=Operator.MATCHES, values=tuple(expressions)))
