"""Dimensions and filters as SQL.

A row of ``rows`` is a hit with the values of its visit; a dimension's columns have the same names wherever it is read.
All conditions are true or false, never NULL.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from tallystick.model.dimensions import (
    EVENT_NAME,
    GOAL,
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
from tallystick.warehouse.duckdb.questions.props import encoded_prop, prop_fits
from tallystick.warehouse.duckdb.selecting import VALUES

NEIGHBOURS = frozenset({NEXT_PAGE.name, PREVIOUS_PAGE.name})
"""Dimensions that do not apply to events."""
_OF_PATH = frozenset({PAGE.name, EVENT_NAME.name})


FEW_IDS = 16
"""Ids of a filter that are compared while a table is read. More are joined."""
MOST_COMPARED = 2
"""More ids than these are looked up by DuckDB in a table of its own, unless they are a span."""
MOST_BITS = 4_096
"""The greatest distance of ids that are looked up as bits."""
IDS = range(-(1 << 31), 1 << 31)
"""Those that a column can have."""


def value_of(dimension: Dimension, parameters: BoundValues, *, plain_pages: bool = False) -> str:
    """The SQL of a dimension's value; never NULL for hits to which it applies.

    Args:
        plain_pages: whether only pageviews have a page.
    """
    if dimension.name == EVENT_NAME.name:
        return f"CASE WHEN event THEN path ELSE {PAGEVIEW_ID} END"
    if dimension.name == PAGE.name:
        return "path" if plain_pages else "CASE WHEN event THEN page ELSE path END"
    if dimension.name == GOAL.name:
        return "goal"
    if dimension.kind is ValueKind.PROP:
        return encoded_prop(dimension.key, parameters)
    value = VALUES[dimension.kind](dimension)
    return f"coalesce({value}, {NO_ID})" if dimension.kind is ValueKind.ID else value


def condition_of(
    expression: FilterExpression,
    parameters: BoundValues,
    has_done: Callable[[FilterExpression], str],
    *,
    plain_pages: bool = False,
) -> str:
    """The SQL of whether a row passes.

    Args:
        has_done: the SQL of whether the row's visit has a hit that passes an expression.
        plain_pages: whether only pageviews have a page, or only pageviews are looked at.
    """

    def condition(part: FilterExpression) -> str:
        return condition_of(part, parameters, has_done, plain_pages=plain)

    plain = plain_pages or has_pageviews_only(expression)
    match expression:
        case Match():
            return _match(expression, parameters, plain_pages=plain)
        case AllOf(parts):
            return f"({' AND '.join(map(condition, parts)) or 'true'})"
        case AnyOf(parts):
            return f"({' OR '.join(map(condition, parts)) or 'false'})"
        case Not(part):
            return f"(NOT {condition(part)})"
        case HasDone(part):
            return has_done(part)


def _match(match: Match, parameters: BoundValues, *, plain_pages: bool) -> str:
    dimension = match.dimension
    if dimension.name == PAGE.name:
        return _match_of_page(match, parameters, plain_pages=plain_pages)
    if dimension.kind is ValueKind.ID:
        fits = is_among(value_of(dimension, parameters), map(int, match.values), parameters)
    elif dimension.kind is ValueKind.PROP:
        fits = prop_fits(match, parameters)
    else:
        fits = one_fits(f"({value_of(dimension, parameters)})", match, parameters)
    fits = f"(NOT {fits})" if match.negated else fits
    return f"(NOT event AND {fits})" if dimension.name in NEIGHBOURS else fits


def _match_of_page(match: Match, parameters: BoundValues, *, plain_pages: bool) -> str:
    """An event of an unknown page passes neither way."""
    if plain_pages and not match.negated:
        return f"(NOT event AND {scanned_for('path', match.values, parameters)})"
    # DuckDB skips rows while it reads them only by a plain column.
    viewed, told = (is_among(column, map(int, match.values), parameters) for column in ("path", "page"))
    negation = "NOT " if match.negated else ""
    if plain_pages:
        return f"(NOT event AND {negation}{viewed})"
    return f"CASE WHEN event THEN page IS NOT NULL AND coalesce({negation}{told}, false) ELSE {negation}{viewed} END"


def is_among(value: str, ids: Iterable[int], parameters: BoundValues) -> str:
    """The SQL of whether a value, never NULL, is one of some ids."""
    possible = [int(each) for each in ids if int(each) in IDS]
    if len(possible) <= FEW_IDS:
        # Numbers and no parameters: of these DuckDB makes a join, which takes longer.
        return f"{value} IN ({', '.join(map(str, possible))})" if possible else "false"
    return f"{value} IN (SELECT unnest(CAST({parameters.add(possible)} AS INTEGER[])))"


def scanned_for(column: str, ids: Iterable[int | str], parameters: BoundValues) -> str:
    """The same as ``is_among``, for a column while its table is read.

    Of three or more numbers that are no span DuckDB makes a join that marks each row. By the join that is written
    here it skips rows while it reads them, which takes half of the time.
    """
    possible = sorted({int(each) for each in ids if int(each) in IDS})
    if not MOST_COMPARED < len(possible) <= FEW_IDS or _are_span(possible):
        return is_among(column, possible, parameters)
    return f"{column} IN (SELECT unnest([{', '.join(map(str, possible))}]))"


def is_one_of(value: str, ids: Collection[int]) -> str:
    """The SQL of whether a value, false for NULL, is one of a few ids.

    Where they are not far from one another it looks up a bit, which takes half of the time of comparisons. Other than
    by ``is_among`` DuckDB skips no rows.
    """
    possible = sorted({each for each in ids if each in IDS})
    if possible and _are_span(possible):
        return f"coalesce({value} BETWEEN {possible[0]} AND {possible[-1]}, false)"
    if not possible or possible[-1] - possible[0] > MOST_BITS:
        return f"coalesce({value} IN ({', '.join(map(str, possible))}), false)" if possible else "false"
    lowest, highest, among = possible[0], possible[-1], set(possible)
    bits = "".join("1" if each in among else "0" for each in range(lowest, highest + 1))
    inside = f"{value} >= {lowest} AND {value} <= {highest}"
    return f"CASE WHEN {inside} THEN get_bit(CAST('{bits}' AS BIT), {value} - ({lowest})) = 1 ELSE false END"


def has_one_of(values: str, ids: Collection[int]) -> str:
    """The SQL of whether a list of values has one of a few ids; NULL where there is no list."""
    if len(set(ids)) == 1:
        (only,) = set(ids)
        return f"list_contains({values}, {only})" if only in IDS else "false"
    return f"len(list_filter({values}, lambda each: {is_one_of('each', ids)})) > 0"


def _are_span(ids: Sequence[int]) -> bool:
    """Whether sorted ids are all numbers from the first to the last."""
    return ids[-1] - ids[0] == len(ids) - 1


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


def matches_of_hit(expression: FilterExpression) -> Iterator[Match]:
    """The comparisons that are made with the hit itself, not with others of its visit."""
    match expression:
        case Match():
            yield expression
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from matches_of_hit(part)
        case Not(part):
            yield from matches_of_hit(part)


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
    """Whether all hits of a visit on one path pass an expression, or none, where only pageviews have a page."""
    return _keeps_whole(expression, _OF_PATH)


def keeps_pages_whole(expression: FilterExpression) -> bool:
    """Whether all hits of a visit on one page pass an expression, or none."""
    return _keeps_whole(expression, {PAGE.name})


def keeps_hosts_whole(expression: FilterExpression) -> bool:
    """Whether all hits of a visit on one host pass an expression, or none."""
    return _keeps_whole(expression, {HOST.name})


def _keeps_whole(expression: FilterExpression, names: Collection[str]) -> bool:
    match expression:
        case Match():
            return expression.dimension.scope is Scope.VISIT or expression.dimension.name in names
        case AllOf(parts) | AnyOf(parts):
            return all(_keeps_whole(part, names) for part in parts)
        case Not(part):
            return _keeps_whole(part, names)
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


def has_pageviews_only(expression: FilterExpression) -> bool:
    """Whether no event passes an expression; false where it is not plain to see."""
    parts = expression.parts if isinstance(expression, AllOf) else (expression,)
    return any(
        isinstance(part, Match)
        and part.dimension.name == EVENT_NAME.name
        and not part.negated
        and part.values == (PAGEVIEW_ID,)
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
