"""Compares texts with the values of a filter: columns in questions, and names of the ledger."""

import re
from collections.abc import Iterable, Sequence

import duckdb

from tallystick.errors import InputRefused
from tallystick.model.question import Match, Operator
from tallystick.warehouse.duckdb.queried import QuerySession
from tallystick.warehouse.duckdb.questions.parameters import BoundValues

LONGEST_SHOWN = 100
FEW = 16
"""More values are one parameter: DuckDB needs 0.2 ms and 50 kB to plan each comparison."""


def names_matching(session: QuerySession, names: Sequence[str], match: Match) -> list[int]:
    """The positions of names that one of the match's values fits; ``negated`` is not looked at.

    Raises:
        InputRefused: an RE2 expression is not valid.
    """
    check_expressions(session, match)
    parameters = BoundValues()
    listed = parameters.add(list(names))
    query = (
        "SELECT position FROM (SELECT unnest(each) AS name, unnest(range(len(each))) AS position"  # noqa: S608  # no text of a request is in the SQL
        f" FROM (SELECT CAST({listed} AS VARCHAR[]) AS each)) WHERE {one_fits('name', match, parameters)}"
        " ORDER BY position"
    )
    return [int(row[0]) for row in session.run(query, parameters.values).fetchall()]


def one_fits(value: str, match: Match, parameters: BoundValues) -> str:
    """The SQL of whether one of the values fits a text.

    Args:
        value: the SQL of the text; never NULL.
    """
    if match.operator is Operator.IS and not match.caseless and len(match.values) > FEW:
        listed = parameters.add([str(each) for each in match.values])
        return f"{value} IN (SELECT unnest(CAST({listed} AS VARCHAR[])))"
    texts = [parameters.add(str(each)) for each in match.values]
    if match.operator is Operator.MATCHES:
        options = "'i'" if match.caseless else "''"
        without = [parameters.add(_without_word_borders(str(each))) for each in match.values]
        return any_of(_matches(value, *each, options) for each in zip(texts, without, strict=True))
    if match.caseless:
        value, texts = f"lower({value})", [f"lower({text})" for text in texts]
    if match.operator is Operator.CONTAINS:
        return any_of(f"contains({value}, {text})" for text in texts)
    return any_of(f"{value} = {text}" for text in texts)


def _matches(value: str, expression: str, without_borders: str, options: str) -> str:
    """The SQL of whether an expression matches a part of a text.

    DuckDB extracts a match once for each text of a block's dictionary, but asks each row whether there is one, which
    takes ten times as long. An extracted match may be empty only if the expression also matches the empty text, where
    every assertion but that of a word's border holds.
    """
    return (
        f"CASE WHEN regexp_full_match('', {without_borders}, {options})"
        f" THEN regexp_matches({value}, {expression}, {options})"
        f" ELSE regexp_extract({value}, {expression}, 0, {options}) <> '' END"
    )


def _without_word_borders(expression: str) -> str:
    """The same expression, which takes any place for the border of a word."""
    return re.sub(r"\\(.)", lambda escape: "(?:)" if escape[1] == "b" else escape[0], expression, flags=re.DOTALL)


def any_of(conditions: Iterable[str]) -> str:
    """The disjunction of conditions."""
    return f"({' OR '.join(conditions) or 'false'})"


def check_expressions(session: QuerySession, match: Match) -> None:
    """Refuse expressions that RE2 does not understand.

    Raises:
        InputRefused
    """
    if match.operator is not Operator.MATCHES:
        return
    for value in match.values:
        try:
            for expression in (str(value), _without_word_borders(str(value))):
                session.connection.execute("SELECT regexp_matches('', $expression, '')", {"expression": expression})
        except duckdb.InvalidInputException as error:
            reason = str(error).removeprefix("Invalid Input Error: ")
            msg = f"the expression '{str(value)[:LONGEST_SHOWN]}' is not valid: {reason[:LONGEST_SHOWN]}"
            raise InputRefused(msg) from error
