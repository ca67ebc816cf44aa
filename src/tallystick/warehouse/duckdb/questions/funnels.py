"""Answers questions about funnels (``model/funnel.py``), in one statement.

A hit's position is one number: its second in the period, and behind it its id. So ``min`` finds the first hit.

- ``going_on``: visits that have a hit of the first step, and one of a step that may come next. Most visits that take
  the first step do not go on, and are only counted.
- ``taken``: these visits with a position for each step, NULL where it is not taken.
"""

# ruff: noqa: S608  # the text consists of constants, numbers and names of parameters

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from msgspec.structs import replace

from tallystick.model.dimensions import EVENT_NAME, PAGE, PAGEVIEW_ID, Scope
from tallystick.model.funnel import MOST_LEFT_TO, FunnelAnswer, FunnelQuestion, LeftTo, StepFigures
from tallystick.model.metrics import Metric
from tallystick.model.question import (
    EVERYTHING,
    AllOf,
    AnyOf,
    FilterExpression,
    Match,
    Question,
    matches_in,
)
from tallystick.warehouse.duckdb.queried import QuerySession
from tallystick.warehouse.duckdb.questions.conditions import (
    FEW_IDS,
    NEIGHBOURS,
    about_visits,
    condition_of,
    is_among,
)
from tallystick.warehouse.duckdb.questions.names import any_of, check_expressions
from tallystick.warehouse.duckdb.questions.parameters import BoundValues
from tallystick.warehouse.duckdb.questions.positions import positions_in
from tallystick.warehouse.duckdb.questions.relations import Relation, Relations, with_clause


def answer_funnel(session: QuerySession, question: FunnelQuestion) -> FunnelAnswer:
    """The answer to a question about a funnel; names of ``LeftTo`` are ids.

    Raises:
        InputRefused: an RE2 expression is not valid.
    """
    for expression in (question.condition, *(step.condition for step in question.steps)):
        for match in matches_in(expression):
            check_expressions(session, match)
    statement = _Statement(session, question)
    row = session.run(statement.text(), statement.parameters.values).fetchone()
    assert row is not None
    return _answer(question, row)


class _Statement:
    """The statement of a question."""

    def __init__(self, session: QuerySession, question: FunnelQuestion) -> None:
        self._question, self.parameters = question, BoundValues()
        self._relations = self._about_visits(session)
        period = question.period
        site = self.parameters.add(question.site)
        since, until = self.parameters.add(period.first), self.parameters.add(max(period.first, period.after))
        self._in_period = f"site = {site} AND created >= {since} AND created < {until} AND bot = 0"
        self._position, self._span = positions_in(session, period, self.parameters)
        self._passes = [self._passing(step.condition) for step in question.steps]
        self._required = [number for number, step in enumerate(question.steps) if not step.optional]
        self._last = len(question.steps) - 1

    def text(self) -> str:
        """The statement, which has one row."""
        first = f"first_step AS NOT MATERIALIZED (SELECT session, {self._position} AS pos FROM {self._step_hits([0])})"
        taken = self._taken_strictly() if self._question.strict else self._taken_in_order()
        ctes = [*self._visits(), first, self._going_on(), *taken, *self._left()]
        return with_clause(ctes, f"SELECT {', '.join(self._figures())} FROM taken")

    # The visits that take part.

    def _about_visits(self, session: QuerySession) -> Relations:
        question = self._question
        matches = list(matches_in(question.condition))
        asked = Question(
            sites=(question.site,), period=question.period, metrics=(Metric.VISITS,), condition=question.condition
        )
        neighbours = NEIGHBOURS & {match.dimension.name for match in matches}
        columns = [column for match in matches for column in match.dimension.columns]
        return Relations(session, asked, self.parameters, general=False, neighbours=neighbours, columns=columns)

    def _visits(self) -> list[Relation | str]:
        """``joining``: the visits that take part."""
        relations, condition = self._relations, self._question.condition
        ctes: list[Relation | str] = [*relations.hits(), *relations.visits(), relations.rows()]
        if condition == EVERYTHING:
            return [*ctes, "joining AS NOT MATERIALIZED (SELECT session FROM visits WHERE NOT alone)"]
        if about_visits(condition):
            source = "visits WHERE NOT alone"
        elif any(match.dimension.scope is Scope.VISIT for match in matches_in(condition)):
            source = "rows WHERE NOT alone"
        else:
            source = "hits WHERE session <> 0"
        passes = condition_of(condition, self.parameters, self._has_done)
        return [*ctes, f"joining AS MATERIALIZED (SELECT DISTINCT session FROM {source} AND {passes})"]

    def _has_done(self, part: FilterExpression) -> str:
        return self._relations.in_visits(f"hits WHERE session <> 0 AND {self._passing(part)}")

    def _passing(self, expression: FilterExpression) -> str:
        return condition_of(expression, self.parameters, self._has_done)

    # Hits that take steps.

    def _hits(self) -> str:
        """What follows FROM: the hits of all visits that take part, with a condition at the end."""
        joining = "" if self._question.condition == EVERYTHING else " AND session IN (SELECT session FROM joining)"
        return f"hit WHERE {self._in_period} AND session <> 0{joining}"

    def _step_hits(self, numbers: Iterable[int]) -> str:
        """The same of hits that pass one of some steps."""
        listed = list(numbers)
        found = [_paths_of(self._question.steps[number].condition) for number in listed]
        read = ""
        if (paths := _union(found)) is not None and len(paths) <= FEW_IDS:
            # DuckDB skips rows by this while it reads them, and not by alternatives.
            read = f" AND {is_among('path', sorted(paths), self.parameters)}"
        return f"{self._hits()}{read} AND {any_of(self._passes[number] for number in listed)}"

    def _next(self, number: int) -> range:
        """The steps that may come next: optional ones, and the first one behind them."""
        behind = next(each for each in self._required if each > number)
        return range(number + 1, behind + 1)

    def _going_on(self) -> str:
        following = f"SELECT session FROM {self._step_hits(self._next(0))}"
        return (
            "going_on AS MATERIALIZED (SELECT session, min(pos) AS p0 FROM first_step"
            f" WHERE session IN ({following}) GROUP BY session)"
        )

    def _taken_in_order(self) -> list[str]:
        further = range(1, self._last + 1)
        columns = ", ".join(f"{self._passes[number]} AS is{number}" for number in further)
        # Few rows: DuckDB may then build the tables of joins from either side.
        later = (
            f"later AS MATERIALIZED (SELECT session, {self._position} AS pos, {columns}"
            f" FROM {self._step_hits(further)} AND session IN (SELECT session FROM going_on))"
        )
        ctes = [later, "taken0 AS NOT MATERIALIZED (SELECT session, p0 AS pos FROM going_on)"]
        before = 0
        for number in self._required[1:]:
            ctes.append(self._step_after(number, f"SELECT session, pos AS begin FROM taken{before}", "true"))
            before = number
        for number, step in enumerate(self._question.steps):
            if step.optional:
                ctes.append(self._optional(number))
        positions = ", ".join(["p0", *(f"taken{number}.pos AS p{number}" for number in further)])
        joined = " ".join(f"LEFT JOIN taken{number} USING (session)" for number in further)
        return [*ctes, f"taken AS MATERIALIZED (SELECT session, {positions} FROM going_on {joined})"]

    def _step_after(self, number: int, begin: str, until: str) -> str:
        """``taken`` with the step's number: the first hits that pass it after the times that ``begin`` selects."""
        return (
            f"taken{number} AS MATERIALIZED (SELECT later.session, min(later.pos) AS pos FROM later"
            f" JOIN ({begin}) AS bounds USING (session) WHERE is{number} AND later.pos > begin AND {until}"
            " GROUP BY later.session)"
        )

    def _optional(self, number: int) -> str:
        before = max(each for each in self._required if each < number)
        behind = min(each for each in self._required if each > number)
        taken = [f"taken{each}.pos" for each in (*range(number - 1, before, -1), before)]
        others = " ".join(f"LEFT JOIN taken{each} USING (session)" for each in (*range(before + 1, number), behind))
        begin = f"SELECT session, coalesce({', '.join(taken)}) AS begin, taken{behind}.pos AS until"
        return self._step_after(number, f"{begin} FROM taken{before} {others}", "(until IS NULL OR later.pos < until)")

    def _taken_strictly(self) -> list[str]:
        further = range(1, self._last + 1)
        bits = " + ".join(f"CAST({passes} AS INTEGER) * {1 << step}" for step, passes in enumerate(self._passes))
        hits = (
            f"SELECT session, {self._position} AS pos, {bits} AS steps"
            f" FROM {self._hits()} AND session IN (SELECT session FROM going_on)"
        )
        behind = "".join(
            f", lead(pos, {n}) OVER visit AS q{n}, lead(steps, {n}) OVER visit AS steps{n}" for n in further
        )
        window = "WINDOW visit AS (PARTITION BY session ORDER BY pos)"
        relation = f"SELECT session, pos AS p0, 0 AS s0, steps{behind} FROM ({hits}) {window}"
        relation = f"SELECT * FROM ({relation}) WHERE steps % 2 = 1"
        for number in further:
            relation = f"SELECT *, {self._state_after(number)} AS s{number} FROM ({relation})"
        at = ", ".join(
            f"CASE {' '.join(f'WHEN s{n} = {step} THEN q{n}' for n in range(1, step + 1))} END AS p{step}"
            for step in further
        )
        farthest = f"greatest({', '.join(f's{number}' for number in (0, *further))})"
        best = f"SELECT DISTINCT ON (session) session, p0, {at} FROM ({relation}) ORDER BY session, {farthest} DESC, p0"
        return [f"taken AS MATERIALIZED ({best})"]

    def _state_after(self, hits: int) -> str:
        """The SQL of the step that is taken by the n-th hit after the first step; NULL for none."""
        cases = []
        for step in range(self._last):
            takes = " ".join(f"WHEN steps{hits} & {1 << after} <> 0 THEN {after}" for after in self._next(step))
            cases.append(f"WHEN {step} THEN CASE {takes} END")
        return f"CASE s{hits - 1} {' '.join(cases)} END"

    # Where visits left to.

    def _left(self) -> list[str]:
        """``left_to``: for each step the most frequent next hits of visits that did not go on."""
        if not self._question.left_to:
            return []
        steps = range(self._last - 1, 0, -1)
        last = f"CASE {' '.join(f'WHEN p{step} IS NOT NULL THEN {step}' for step in steps)} ELSE 0 END"
        last = last if self._last > 1 else "0"
        latest = f"greatest({', '.join(f'p{step}' for step in range(self._last))})"
        left_at = (
            f"SELECT session, {last} AS step, {latest} AS left_pos FROM taken WHERE p{self._last} IS NULL"
            " UNION ALL SELECT session, 0 AS step, min(pos) AS left_pos FROM first_step"
            " WHERE session NOT IN (SELECT session FROM taken) GROUP BY session"
        )
        following = (
            "SELECT any_value(step) AS step, arg_min(path * 2::BIGINT + event::BIGINT, pos) AS what"
            f" FROM (SELECT session, path, event, {self._position} AS pos FROM {self._hits()}) AS hits"
            " JOIN left_at USING (session) WHERE pos > left_pos GROUP BY session"
        )
        ranked = (
            "SELECT *, sum(visits) OVER (PARTITION BY step) AS went,"
            " row_number() OVER (PARTITION BY step ORDER BY visits DESC, what) AS place"
            f" FROM (SELECT step, what, count(*) AS visits FROM ({following}) GROUP BY step, what)"
        )
        return [
            f"left_at AS MATERIALIZED ({left_at})",
            f"left_to AS (SELECT * FROM ({ranked}) WHERE place <= {MOST_LEFT_TO} ORDER BY step, place)",
        ]

    # The row.

    def _figures(self) -> list[str]:
        steps = range(1, self._last + 1)
        further = f"count(*) FILTER (coalesce({', '.join(f'p{step}' for step in steps)}) IS NOT NULL)"
        left = "(SELECT list([step, what // 2, what % 2, visits, went]) FROM left_to)"
        of_steps = chain.from_iterable(map(self._figures_of, steps))
        return [
            "(SELECT count(*) FROM joining)",
            f"EXISTS (SELECT 1 FROM hit WHERE {self._in_period} AND session = 0)",
            "(SELECT count(DISTINCT session) FROM first_step)",
            further,
            left if self._question.left_to else "NULL",
            *of_steps,
        ]

    def _figures_of(self, step: int) -> Sequence[str]:
        before = f"greatest({', '.join(f'p{each}' for each in range(step))})"
        seconds = f"CAST(p{step} // {self._span} - {before} // {self._span} AS BIGINT)"
        later = "".join(f" AND p{each} IS NULL" for each in range(step + 1, self._last + 1))
        return (
            f"count(p{step})",
            f"count(*) FILTER (p{step} IS NOT NULL{later})",
            f"median({seconds}) FILTER (p{step} IS NOT NULL)",
            f"avg({seconds}) FILTER (p{step} IS NOT NULL)",
        )


def _answer(question: FunnelQuestion, row: Sequence[Any]) -> FunnelAnswer:
    visits, sessionless, first, further, left, *figures = row
    numbers = [(first, first - further, None, None), *(figures[at : at + 4] for at in range(0, len(figures), 4))]
    last, steps = len(numbers) - 1, []
    for position, (step, (taken, dropped, median, average)) in enumerate(zip(question.steps, numbers, strict=True)):
        figures_of_step = StepFigures(
            name=step.name,
            optional=step.optional,
            visits=int(taken),
            dropped=int(dropped) if position < last else 0,
            median=None if median is None else float(median),
            average=None if average is None else float(average),
        )
        of_step = [each for each in left or () if each[0] == position]
        steps.append(_with_left_to(figures_of_step, of_step) if question.left_to else figures_of_step)
    return FunnelAnswer(visits=int(visits), steps=tuple(steps), sessionless=bool(sessionless))


def _with_left_to(figures: StepFigures, rows: Sequence[Sequence[int]]) -> StepFigures:
    went = rows[0][4] if rows else 0
    left_to = tuple(LeftTo(int(path), bool(event), int(times)) for _, path, event, times, _ in rows)
    return replace(figures, left_to=left_to, exits=figures.dropped - int(went))


def _paths_of(expression: FilterExpression) -> set[int] | None:
    """Ids of paths of which every hit that passes has one; None if they are not known."""
    match expression:
        case Match():
            named = expression.dimension.name == EVENT_NAME.name and not expression.negated
            return set(map(int, expression.values)) if named and PAGEVIEW_ID not in expression.values else None
        case AllOf(parts):
            found = [_paths_of(part) for part in parts]
            if any(_is_pageview(part) for part in parts):
                # Of an event, the page is not its path.
                found += [_pages_of(part) for part in parts]
            return min((each for each in found if each is not None), key=len, default=None)
        case AnyOf(parts):
            return _union([_paths_of(part) for part in parts])
        case _:
            return None


def _is_pageview(expression: FilterExpression) -> bool:
    return (
        isinstance(expression, Match)
        and expression.dimension.name == EVENT_NAME.name
        and not expression.negated
        and tuple(expression.values) == (PAGEVIEW_ID,)
    )


def _pages_of(expression: FilterExpression) -> set[int] | None:
    if isinstance(expression, Match) and expression.dimension.name == PAGE.name and not expression.negated:
        return set(map(int, expression.values))
    return None


def _union(found: Iterable[set[int] | None]) -> set[int] | None:
    listed = [each for each in found if each is not None]
    return set().union(*listed) if len(listed) == len(list(found)) else None
