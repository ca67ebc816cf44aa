"""Dimensions and filters as SQL.

A row of ``rows`` is a hit with the values of its visit; a dimension's columns have the same names wherever it is read.
All conditions are true or false, never NULL.
"""

from collections.abc import Callable, Iterable

from tallystick.model.dimensions import (
    EVENT_NAME,
    HOST,
    NEXT_PAGE,
    PAGE,
    PAGEVIEW_ID,
    PREVIOUS_PAGE,
    Dimension,
    Scope,
    ValueKind,
)
from tallystick.model.question import NO_ID, AllOf, AnyOf, FilterExpression, HasDone, Match, Not, matches_in
from tallystick.warehouse.duckdb.questions.names import one_fits
from tallystick.warehouse.duckdb.questions.parameters import BoundValues
from tallystick.warehouse.duckdb.selecting import VALUES

NEIGHBOURS = frozenset({NEXT_PAGE.name, PREVIOUS_PAGE.name})
_OF_PATH = frozenset({PAGE.name, EVENT_NAME.name})
OF_PAGEVIEWS = frozenset({PAGE.name, NEXT_PAGE.name, PREVIOUS_PAGE.name})
"""Dimensions that do not apply to events."""


FEW_IDS = 16
"""Ids of a filter that are compared while a table is read. More are joined."""
_IDS = range(-(1 << 31), 1 << 31)
"""Those that a column can have."""


def value_of(dimension: Dimension) -> str:
    """The SQL of a dimension's value; never NULL for hits to which it applies."""
    if dimension.name == EVENT_NAME.name:
        return f"CASE WHEN event THEN path ELSE {PAGEVIEW_ID} END"
    value = VALUES[dimension.kind](dimension)
    return f"coalesce({value}, {NO_ID})" if dimension.kind is ValueKind.ID else value


def condition_of(
    expression: FilterExpression, parameters: BoundValues, has_done: Callable[[FilterExpression], str]
) -> str:
    """The SQL of whether a row passes.

    Args:
        has_done: the SQL of whether the row's visit has a hit that passes an expression.
    """
    match expression:
        case Match():
            return _match(expression, parameters)
        case AllOf(parts):
            each = [condition_of(part, parameters, has_done) for part in parts]
            return f"({' AND '.join(each) or 'true'})"
        case AnyOf(parts):
            each = [condition_of(part, parameters, has_done) for part in parts]
            return f"({' OR '.join(each) or 'false'})"
        case Not(part):
            return f"(NOT {condition_of(part, parameters, has_done)})"
        case HasDone(part):
            return has_done(part)


def _match(match: Match, parameters: BoundValues) -> str:
    dimension, value = match.dimension, value_of(match.dimension)
    if dimension.kind is ValueKind.ID:
        # DuckDB skips rows while it reads them only by a plain column; a path is never NULL where it is compared.
        column = "path" if dimension.name == PAGE.name else value
        fits = is_among(column, map(int, match.values), parameters)
    else:
        fits = one_fits(f"({value})", match, parameters)
    fits = f"(NOT {fits})" if match.negated else fits
    return f"(NOT event AND {fits})" if dimension.name in OF_PAGEVIEWS else fits


def is_among(value: str, ids: Iterable[int], parameters: BoundValues) -> str:
    """The SQL of whether a value, never NULL, is one of some ids."""
    possible = [int(each) for each in ids if int(each) in _IDS]
    if len(possible) <= FEW_IDS:
        # Numbers and no parameters: of these DuckDB makes a join, which takes longer.
        return f"{value} IN ({', '.join(map(str, possible))})" if possible else "false"
    return f"{value} IN (SELECT unnest(CAST({parameters.add(possible)} AS INTEGER[])))"


def about_visits(expression: FilterExpression) -> bool:
    """Whether all hits of a visit pass an expression, or none."""
    match expression:
        case Match():
            return expression.dimension.scope is Scope.VISIT
        case AllOf(parts) | AnyOf(parts):
            return all(map(about_visits, parts))
        case Not(part):
            return about_visits(part)
        case HasDone(part):
            return not any(match.dimension.name in NEIGHBOURS for match in matches_in(part))


def looks_at_others(expression: FilterExpression) -> bool:
    """Whether an expression looks at other hits of the visit."""
    match expression:
        case Match():
            return False
        case AllOf(parts) | AnyOf(parts):
            return any(map(looks_at_others, parts))
        case Not(part):
            return looks_at_others(part)
        case HasDone():
            return True


def about_hits(expression: FilterExpression) -> bool:
    """Whether an expression looks at nothing but the hit itself."""
    match expression:
        case Match():
            return expression.dimension.scope is Scope.HIT and expression.dimension.name not in NEIGHBOURS
        case AllOf(parts) | AnyOf(parts):
            return all(map(about_hits, parts))
        case Not(part):
            return about_hits(part)
        case HasDone():
            return False


def keeps_paths_whole(expression: FilterExpression) -> bool:
    """Whether all hits of a visit on one path pass an expression, or none."""
    match expression:
        case Match():
            return expression.dimension.scope is Scope.VISIT or expression.dimension.name in _OF_PATH
        case AllOf(parts) | AnyOf(parts):
            return all(map(keeps_paths_whole, parts))
        case Not(part):
            return keeps_paths_whole(part)
        case HasDone():
            return about_visits(expression)


def keeps_hosts_whole(expression: FilterExpression) -> bool:
    """Whether all hits of a visit on one host pass an expression, or none."""
    match expression:
        case Match():
            return expression.dimension.scope is Scope.VISIT or expression.dimension.name == HOST.name
        case AllOf(parts) | AnyOf(parts):
            return all(map(keeps_hosts_whole, parts))
        case Not(part):
            return keeps_hosts_whole(part)
        case HasDone():
            return about_visits(expression)


def has_one_path(expression: FilterExpression) -> bool:
    """Whether all hits that pass an expression have the same path."""
    parts = expression.parts if isinstance(expression, AllOf) else (expression,)
    return any(
        isinstance(part, Match)
        and not part.negated
        and len(part.values) == 1
        and (
            part.dimension.name == PAGE.name
            or (part.dimension.name == EVENT_NAME.name and PAGEVIEW_ID not in part.values)
        )
        for part in parts
    )


def has_events_only(expression: FilterExpression) -> bool:
    """Whether no pageview passes an expression."""
    parts = expression.parts if isinstance(expression, AllOf) else (expression,)
    return any(
        isinstance(part, Match)
        and part.dimension.name == EVENT_NAME.name
        and (PAGEVIEW_ID in part.values) is part.negated
        for part in parts
    )


def separated(expression: FilterExpression) -> tuple[FilterExpression, FilterExpression] | None:
    """An expression as one about visits and one about hits, which both have to hold; None if it cannot be divided."""
    parts = expression.parts if isinstance(expression, AllOf) else (expression,)
    of_visits = tuple(part for part in parts if about_visits(part))
    others = tuple(part for part in parts if not about_visits(part))
    return (AllOf(of_visits), AllOf(others)) if all(map(about_hits, others)) else None


def only_pages(expression: FilterExpression) -> tuple[int, ...] | None:
    """The pages whose pageviews pass, where nothing else decides; otherwise None."""
    parts = expression.parts if isinstance(expression, AllOf) else (expression,)
    return required_paths(expression) if len(parts) == 1 else None


def required_paths(expression: FilterExpression) -> tuple[int, ...] | None:
    """Paths of which every visit that passes has one; None if there are no such paths."""
    parts = expression.parts if isinstance(expression, AllOf) else (expression,)
    for part in parts:
        if isinstance(part, Match) and part.dimension.name == PAGE.name and not part.negated:
            return tuple(int(value) for value in part.values)
    return None
