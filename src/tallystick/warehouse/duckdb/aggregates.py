"""Imported aggregates: functions of ``(session, ...)``.

An import arrives in parts, each in a transaction of its own. Questions read only imports that are done, so one that was
interrupted is not there; its rows are removed with the next one of the same file, or after a day.
"""

# ruff: noqa: S608  # the text consists of constants and names of parameters

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC

import msgspec

from tallystick.errors import Conflicting, NotThere
from tallystick.model.aggregates import (
    AGGREGATES,
    BY_NAME,
    EVENTS,
    PAGES,
    VISITORS,
    Aggregate,
    AggregateFigures,
    AggregateImport,
    AggregateQuestion,
    Row,
    TableSpan,
    overlapping,
    without_slash,
)
from tallystick.model.dimensions import PAGEVIEW, Dimension, ValueKind
from tallystick.model.period import DAY_S, exact_period
from tallystick.model.question import AllOf, AnyOf, FilterExpression, Grouping, HasDone, Match, Not, Operator, TimeUnit
from tallystick.warehouse.duckdb.queried import QuerySession
from tallystick.warehouse.duckdb.questions.buckets import bucket
from tallystick.warehouse.duckdb.questions.names import any_of, check_expressions, one_fits
from tallystick.warehouse.duckdb.questions.parameters import BoundValues

UNFINISHED_KEPT_S = DAY_S
MOST_IMPORTS = 100
"""Of one site."""

_COLUMNS = "id, site, kind, name, digest, created, parts, done"
_SUMS = ("visitors", "visits", "pageviews", "events", "bounces", "visit_duration")
_UTC_DAYS = exact_period(0, 0, UTC)

_encode = msgspec.json.Encoder().encode


def aggregate_imports(session: QuerySession, site: int) -> list[AggregateImport]:
    """The imports of a site, those that are not done too, oldest first."""
    spans = " UNION ALL ".join(
        f"SELECT import, '{each.name}', count(*), min(day), max(day) FROM {each.table} WHERE site = $site GROUP BY 1"
        for each in AGGREGATES
    )
    tables: dict[int, dict[str, TableSpan]] = {}
    for number, name, *span in session.connection.execute(spans, {"site": site}).fetchall():
        tables.setdefault(number, {})[name] = TableSpan(*span)
    rows = session.connection.execute(
        f"SELECT {_COLUMNS} FROM aggregate_import WHERE site = $site ORDER BY id", {"site": site}
    ).fetchall()
    names = AggregateImport.__struct_fields__
    return [AggregateImport(**dict(zip(names, row, strict=False)), tables=tables.get(row[0], {})) for row in rows]


def first_counted(session: QuerySession, site: int) -> int | None:
    """The time of a site's first hit of people, Unix seconds; None without one."""
    text = (
        "SELECT least((SELECT min(started) FROM visit WHERE site = $site),"
        " (SELECT min(created) FROM hit WHERE session = 0 AND site = $site AND bot = 0))"
    )
    [(first,)] = session.connection.execute(text, {"site": site}).fetchall()
    return None if first is None else int(first)


def begin_aggregates(session: QuerySession, begun: AggregateImport) -> int:
    """Begin an import, which has no rows yet. Returns its id; the one in ``begun`` is not looked at.

    Raises:
        Conflicting: the site has too many.
    """
    others = aggregate_imports(session, begun.site)
    _remove(session, (each.id for each in others if not each.done and each.digest == begun.digest))
    if len(others) >= MOST_IMPORTS:
        msg = f"a site has at most {MOST_IMPORTS} imports; remove one first"
        raise Conflicting(msg)
    session.connection.execute("UPDATE mark SET last_import = last_import + 1")
    [(number,)] = session.connection.execute("SELECT last_import FROM mark").fetchall()
    values = [number, begun.site, begun.kind, begun.name, begun.digest, begun.created, 0, False]
    session.connection.execute(f"INSERT INTO aggregate_import ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    return int(number)


def add_aggregates(session: QuerySession, site: int, number: int, part: int, rows: Mapping[str, Sequence[Row]]) -> None:
    """Add a part to an import; one that has arrived before is not added again.

    Args:
        part: parts are numbered from 1.
        rows: by the aggregate's name.

    Raises:
        NotThere
        Conflicting: the import is done, or an earlier part is missing.
    """
    found = _unfinished(session, site, number)
    if part <= found.parts:
        return
    if part != found.parts + 1:
        msg = f"part {found.parts + 1} has to come before part {part}"
        raise Conflicting(msg)
    for name, of_table in rows.items():
        _insert(session, BY_NAME[name], site, number, of_table)
    session.connection.execute("UPDATE aggregate_import SET parts = ? WHERE id = ?", [part, number])


def _insert(session: QuerySession, aggregate: Aggregate, site: int, number: int, rows: Sequence[Row]) -> None:
    columns = {f"c{position}": column for position, column in enumerate(zip(*rows, strict=True))}
    if not columns:
        return
    kinds = ["INTEGER", *["VARCHAR"] * len(aggregate.texts), *["BIGINT"] * len(aggregate.numbers)]
    shape = _encode({name: [kind] for name, kind in zip(columns, kinds, strict=True)}).decode()
    listed = ", ".join(f"unnest(r.{name})" for name in columns)
    names = ", ".join(("day", *aggregate.columns[1:]))
    session.connection.execute(
        f"INSERT INTO {aggregate.table} (import, site, {names}) SELECT $import, $site, {listed}"
        f" FROM (SELECT from_json($rows, '{shape}') AS r)",
        {"import": number, "site": site, "rows": _encode(columns).decode()},
    )


def finish_aggregates(session: QuerySession, site: int, number: int, rows: int, *, replace: bool) -> AggregateImport:
    """Make an import one that questions read, if it is whole and no other has days of the same tables.

    Args:
        rows: how many it must have.
        replace: whether such others are removed.

    Raises:
        NotThere
        Conflicting: rows are missing, or another import has days of the same tables; nothing is changed.
    """
    _unfinished(session, site, number)
    found = aggregate_imports(session, site)
    whole = next(each for each in found if each.id == number)
    if whole.rows != rows:
        msg = f"the import should have {rows:,} rows, and {whole.rows:,} have arrived"
        raise Conflicting(msg)
    in_the_way = overlapping(whole.tables, [each for each in found if each.done])
    if in_the_way and not replace:
        listed = ", ".join(str(each.id) for each in in_the_way)
        msg = f"the site has imported days of the same tables before, with import {listed}"
        raise Conflicting(msg)
    _remove(session, (each.id for each in in_the_way))
    session.connection.execute("UPDATE aggregate_import SET done = true WHERE id = ?", [number])
    return msgspec.structs.replace(whole, done=True)


def no_import(number: int) -> NotThere:
    """The error about an import that there is not."""
    return NotThere(f"the site has no import {number}")


def remove_aggregates(session: QuerySession, site: int, number: int) -> AggregateImport:
    """Remove an import, whether done or not.

    Raises:
        NotThere
    """
    found = next((each for each in aggregate_imports(session, site) if each.id == number), None)
    if found is None:
        raise no_import(number)
    _remove(session, [number])
    return found


def delete_aggregates(session: QuerySession, site: int) -> None:
    """Remove all imports of a site."""
    for table in _tables():
        session.connection.execute(f"DELETE FROM {table} WHERE site = $site", {"site": site})


def expire_aggregates(session: QuerySession, limits: Iterable[tuple[int, int]]) -> None:
    """Remove days that are older than their sites' retention, and imports without any left."""
    for site, before in limits:
        for aggregate in AGGREGATES:
            session.connection.execute(
                f"DELETE FROM {aggregate.table} WHERE site = $site AND day < $day",
                {"site": site, "day": before // DAY_S},
            )
        left = [each.id for each in aggregate_imports(session, site) if each.done and not each.rows]
        _remove(session, left)


def count_expired_aggregates(session: QuerySession, limits: Iterable[tuple[int, int]]) -> int:
    """The number of rows that ``expire_aggregates`` would remove."""
    text = " + ".join(f"(SELECT count(*) FROM {each.table} WHERE site = $site AND day < $day)" for each in AGGREGATES)
    total = 0
    for site, before in limits:
        [(count,)] = session.connection.execute(f"SELECT {text}", {"site": site, "day": before // DAY_S}).fetchall()
        total += int(count)
    return total


def forget_unfinished(session: QuerySession, now: int) -> None:
    """Remove imports that were interrupted a day ago or earlier.

    Args:
        now: Unix seconds.
    """
    rows = session.connection.execute(
        "SELECT id FROM aggregate_import WHERE NOT done AND created < $before", {"before": now - UNFINISHED_KEPT_S}
    ).fetchall()
    _remove(session, (number for (number,) in rows))


def read_aggregates(session: QuerySession) -> None:
    """Read all values, so that damaged blocks fail their checksums."""
    for table in _tables():
        session.connection.execute(f"SELECT bit_xor(hash({table})) FROM {table}").fetchall()


def _tables() -> list[str]:
    return [*(each.table for each in AGGREGATES), "aggregate_import"]


def _remove(session: QuerySession, numbers: Iterable[int]) -> None:
    for number in numbers:
        for aggregate in AGGREGATES:
            session.connection.execute(f"DELETE FROM {aggregate.table} WHERE import = ?", [number])
        session.connection.execute("DELETE FROM aggregate_import WHERE id = ?", [number])


def _unfinished(session: QuerySession, site: int, number: int) -> AggregateImport:
    rows = session.connection.execute(
        f"SELECT {_COLUMNS} FROM aggregate_import WHERE id = ? AND site = ?", [number, site]
    ).fetchall()
    if not rows:
        raise no_import(number)
    found = AggregateImport(**dict(zip(AggregateImport.__struct_fields__, rows[0], strict=False)))
    if found.done:
        msg = f"import {number} is done"
        raise Conflicting(msg)
    return found


# Questions.


def aggregated(
    session: QuerySession, question: AggregateQuestion
) -> list[tuple[tuple[str | int, ...], AggregateFigures]]:
    """The sums of each group that has rows; without groupings one group, also without rows.

    Values are texts as questions show them, and for time units numbers as in ``AnswerRow.values``.

    Raises:
        InputRefused: an RE2 expression is not valid.
    """
    parameters = BoundValues()
    aggregate = question.aggregate
    values = [_value(aggregate, each, parameters) for each in question.groupings]
    names = [f"d{position}" for position in range(len(values))]
    condition = _condition(session, aggregate, question.condition, parameters)
    sites = " OR ".join(
        f"(site = {parameters.add(site)} AND day <= {parameters.add(last)})" for site, last in question.sites
    )
    first, last = parameters.add(question.first), parameters.add(question.last)
    sums = [f"coalesce(sum({name}), 0)" for name in _SUMS]
    listed = ", ".join([*(f"{value} AS {name}" for value, name in zip(values, names, strict=True)), *sums])
    text = (
        f"SELECT {listed} FROM ({_source(aggregate)}) WHERE day BETWEEN {first} AND {last} AND ({sites})"
        f" AND import IN (SELECT id FROM aggregate_import WHERE done) AND {condition}"
    )
    if names:
        text += f" GROUP BY {', '.join(names)} ORDER BY sum(visitors) DESC LIMIT {parameters.add(question.limit)}"
    rows = session.connection.execute(text, parameters.values).fetchall()
    width = len(names)
    return [(row[:width], AggregateFigures(*map(int, row[width:]))) for row in rows]


def _source(aggregate: Aggregate) -> str:
    """A table with all sums under the names of ``_SUMS``; 0 where it has none."""
    texts = "".join(f", {name}" for name in aggregate.texts)
    of_visits = {"visits": aggregate.visits} if aggregate.visits else {}
    known = {name: name for name in aggregate.numbers} | of_visits
    sums = ", ".join(f"{known.get(name, '0')} AS {name}" for name in _SUMS)
    text = f"SELECT import, site, day{texts}, {sums} FROM {aggregate.table}"
    if aggregate is PAGES:
        text = f"SELECT import, site, day{texts}, '{PAGEVIEW}' AS name, {sums} FROM {aggregate.table}"
    if aggregate is EVENTS:
        pageviews = "visitors, 0 AS visits, pageviews, pageviews AS events, 0 AS bounces, 0 AS visit_duration"
        text += f" UNION ALL SELECT import, site, day, '{PAGEVIEW}', '', '', {pageviews} FROM {VISITORS.table}"
    if aggregate is VISITORS:
        sums = sums.replace("0 AS events", "pageviews AS events")
        nothing = "0 AS visitors, 0 AS visits, 0 AS pageviews, events, 0 AS bounces, 0 AS visit_duration"
        text = f"SELECT import, site, day, {sums} FROM {VISITORS.table}"
        text += f" UNION ALL SELECT import, site, day, {nothing} FROM {EVENTS.table}"
    return text


def _value(aggregate: Aggregate, grouping: Grouping, parameters: BoundValues) -> str:
    if isinstance(grouping, TimeUnit):
        return bucket(grouping, f"(day * {DAY_S})", _UTC_DAYS)
    return _shown(aggregate, grouping, parameters)


def _shown(aggregate: Aggregate, dimension: Dimension, parameters: BoundValues) -> str:
    """A column with what its values show."""
    column = aggregate.dimensions[dimension.name]
    add = parameters.add
    cases = "".join(f" WHEN {add(value)} THEN {add(text)}" for value, text in dimension.shown)
    return f"CASE {column}{cases} ELSE {column} END" if cases else column


def _condition(
    session: QuerySession, aggregate: Aggregate, expression: FilterExpression, parameters: BoundValues
) -> str:
    match expression:
        case Match():
            return _match(session, aggregate, expression, parameters)
        case AllOf(parts):
            inner = [_condition(session, aggregate, part, parameters) for part in parts]
            return f"({' AND '.join(inner) or 'true'})"
        case AnyOf(parts):
            return any_of(_condition(session, aggregate, part, parameters) for part in parts)
        case Not(part):
            return f"(NOT {_condition(session, aggregate, part, parameters)})"
        case HasDone():
            msg = "aggregates have no visits"
            raise AssertionError(msg)


def _match(session: QuerySession, aggregate: Aggregate, match: Match, parameters: BoundValues) -> str:
    check_expressions(session, match)
    dimension = match.dimension
    if match.operator is Operator.IS and dimension.kind is ValueKind.ID:
        match = msgspec.structs.replace(match, values=tuple(without_slash(str(each)) for each in match.values))
    fits = one_fits(f"({_shown(aggregate, dimension, parameters)})", match, parameters)
    if match.sites:
        fits = f"({fits} AND {any_of(f'site = {parameters.add(each)}' for each in match.sites)})"
    if match.operator is Operator.IS and "" in match.values:
        # Filters have an empty text for no value, besides the words that are shown for it.
        fits = f"({fits} OR {aggregate.dimensions[dimension.name]} = '')"
    return f"(NOT {fits})" if match.negated else fits
