"""Plans a question, runs it, and computes its figures.

A plan has parts, each a SELECT of groups with some numbers. They are joined by the values of the dimensions, and
figures are made of their numbers:

- ``counted``: hits and visitors. From ``visits`` where the question is only about visits, otherwise from hits.
- ``seen``: whole visits with a hit that passes. ``entered``: visits whose first pageview passes.
- ``gone``: visits whose last pageview passes.
"""

# ruff: noqa: S608  # the text consists of constants, numbers and names of parameters

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from msgspec.structs import replace

from tallystick.model.dimensions import EVENT_NAME, GOAL, HOST, PAGE, Dimension, Scope, ValueKind
from tallystick.model.metrics import BY_VISIT, Metric
from tallystick.model.period import DAY_S
from tallystick.model.question import (
    Answer,
    AnswerRow,
    FilterExpression,
    Grouping,
    Order,
    Question,
    TimeUnit,
    matches_in,
    ordered,
)
from tallystick.warehouse.duckdb.queried import QuerySession
from tallystick.warehouse.duckdb.questions.buckets import Steps, bucket, shortest_s, steps_of, unix_steps
from tallystick.warehouse.duckdb.questions.conditions import (
    FEW_IDS,
    NEIGHBOURS,
    about_visits,
    condition_of,
    has_events_only,
    has_one_of,
    has_one_path,
    has_pageviews_only,
    is_one_of,
    keeps_hosts_whole,
    keeps_pages_whole,
    keeps_paths_whole,
    looks_at_others,
    matches_of_hit,
    only_pages,
    required_paths,
    scanned_for,
    separated,
    value_of,
)
from tallystick.warehouse.duckdb.questions.goals import has_one_known_path, reached
from tallystick.warehouse.duckdb.questions.names import check_expressions
from tallystick.warehouse.duckdb.questions.parameters import BoundValues
from tallystick.warehouse.duckdb.questions.props import decoded_prop
from tallystick.warehouse.duckdb.questions.relations import Relation, Relations, with_clause
from tallystick.warehouse.duckdb.questions.times import VisitsInTime, buckets_at

_VISITS_IN_ALL = {"visits": "count(*)", "seconds": "sum(ended - started)", "viewed": "sum(pageviews)"}
_OF_HITS = {
    "pageviews": "count(*) FILTER (NOT event)",
    "events": "count(*)",
    "firsts": "count(*) FILTER (first)",
    "alone": "count(*) FILTER (session = 0)",
    "of_visits": "count(*) FILTER (NOT event AND session <> 0)",
}
"""Numbers of ``counted`` from hits, without visitors, which cannot be added up."""
_NUMBERS = {
    Metric.VISITORS: "visitors",
    Metric.VISITS: "visitors",
    Metric.PERCENTAGE: "visitors",
    Metric.PAGEVIEWS: "pageviews",
    Metric.EVENTS: "events",
    Metric.COUNT: "firsts",
    Metric.EXIT_RATE: "of_visits",
}
"""The number of ``counted`` that a metric needs."""
_SUMS = frozenset({Metric.PAGEVIEWS, Metric.EVENTS, Metric.COUNT, Metric.EXIT_RATE})
"""Metrics that need sums over hits."""
_BOUNCED = "pageviews <= 1 AND events = passive_events"
_BOUNCES = {"entries": "count(*)", "bounces": f"count(*) FILTER ({_BOUNCED})"}
_FIGURES = {
    Metric.VISITORS: "coalesce(visitors, 0)",
    Metric.VISITS: "coalesce(visitors, 0)",
    Metric.PAGEVIEWS: "coalesce(counted.pageviews, 0)",
    Metric.EVENTS: "coalesce(counted.events, 0)",
    Metric.COUNT: "coalesce(firsts, 0)",
    Metric.VIEWS_PER_VISIT: "1.0 * viewed / nullif(visits, 0)",
    Metric.BOUNCE_RATE: "100.0 * bounces / nullif(entries, 0)",
    Metric.VISIT_DURATION: "1.0 * seconds / nullif(visits, 0)",
    Metric.PERCENTAGE: "100.0 * coalesce(visitors, 0) / nullif((SELECT total FROM everyone), 0)",
    Metric.EXIT_RATE: "100.0 * coalesce(exits, 0) / nullif(of_visits, 0)",
}
"""Metrics, from the numbers of the parts."""
_FIGURES_OF_SEEN = dict.fromkeys((Metric.VISITORS, Metric.VISITS), "coalesce(visitors, 0) + coalesce(seen.visits, 0)")
"""The same where ``counted`` has only the visitors without a session."""
_PAGEVIEWS_ONLY = " WHERE NOT event"
FREQUENT, FREQUENT_ALONE, FREQUENT_DONE = 1 / 8, 1 / 12, 1 / 32
"""The share of several pages, of one, or of one that visits must have had, among all hits from which on it takes less
time to look at the pages of all visits than to look the visits up that have their hits."""
_OF_STEPS = frozenset({Metric.PAGEVIEWS, Metric.EVENTS, Metric.VISITORS, Metric.VISITS})
"""Metrics of pageviews by their neighbours that can be read from visits."""
_OF_PATH = frozenset({PAGE.name, EVENT_NAME.name})
_OF_STEP = frozenset({PAGE.name, *NEIGHBOURS})
_OF_ENTRY = frozenset({PAGE.name, HOST.name})
"""Dimensions of hits by which visits are grouped as well: by their first pageview."""


def answer(session: QuerySession, question: Question, *, general: bool = False) -> Answer:
    """The answer to a question in ids, without its comparison.

    Args:
        general: whether to read hits only, as in the plan that answers every question; for tests.

    Raises:
        InputRefused: an RE2 expression is not valid.
    """
    for match in matches_in(question.condition):
        check_expressions(session, match)
    for goal in question.goals:
        for match in matches_in(goal.condition):
            check_expressions(session, match)
    everyone = None
    if GOAL in question.dimensions and Metric.PERCENTAGE in question.metrics:
        whole = replace(question, metrics=(Metric.VISITORS,), dimensions=(), goals=(), order=(), limit=1, offset=0)
        everyone = int(answer(session, replace(whole, total_rows=False), general=general).rows[0].figures[0] or 0)
    plan = _Plan(session, question, general=general, everyone=everyone)
    text = plan.text()
    rows = session.run(text, plan.parameters.values).fetchall()
    width, total = len(question.dimensions), None
    if question.total_rows:
        total = int(rows[0][-2]) if rows else _count(session, question, general=general, everyone=everyone)
    answered = tuple(AnswerRow(row[:width], tuple(map(_number, row[width:-2]))) for row in rows)
    return Answer(rows=answered, total_rows=total, sessionless=any(row[-1] for row in rows))


def _count(session: QuerySession, question: Question, *, general: bool, everyone: int | None) -> int:
    """The number of rows of all pages, where the requested one is empty."""
    plan = _Plan(session, question, general=general, everyone=everyone)
    text = plan.text(paged=False)
    row = session.run(f"SELECT count(*) FROM ({text})", plan.parameters.values).fetchone()
    return int(row[0]) if row else 0


def _number(value: Any) -> int | float | None:  # noqa: ANN401  # DuckDB's sums are HUGEINT, read as int
    return value if value is None or isinstance(value, float) else int(value)


def _of_visits(*, has_alone: bool) -> dict[str, str]:
    """Numbers of ``counted`` and ``seen``, from rows of visits.

    Args:
        has_alone: whether hits without a session may be among them.
    """
    visitor, followed = (" FILTER (visitor)", " FILTER (NOT alone)") if has_alone else ("", "")
    numbers = {
        "visitors": f"count(*){visitor}",
        "pageviews": "sum(pageviews)",
        "events": "sum(pageviews + events)",
        "firsts": "sum(firsts)",
        "of_visits": f"sum(pageviews){followed}",
        **{name: f"{sql}{followed}" for name, sql in _VISITS_IN_ALL.items()},
        "entries": f"count(*){followed}",
        "bounces": f"count(*) FILTER (NOT alone AND {_BOUNCED})",
    }
    return numbers | ({"alone": "count(*) FILTER (alone)"} if has_alone else {})


def _is_of_hits(grouping: Grouping) -> bool:
    """Whether hits of one visit may have several values."""
    return isinstance(grouping, TimeUnit) or grouping.scope is Scope.HIT


class _Seen(NamedTuple):
    """Some of the visits with a hit that passes.

    Attributes:
        source: what follows FROM.
        entered: the SQL of whether the first pageview passes.
    """

    source: str
    entered: str

    @property
    def bounces(self) -> dict[str, str]:
        """The numbers of those whose first pageview passes."""
        if self.entered == "true":
            return _BOUNCES
        if self.entered == "false":
            return dict.fromkeys(_BOUNCES, "0")
        bounced = f"{self.entered} AND {_BOUNCED}"
        return {"entries": f"count(*) FILTER ({self.entered})", "bounces": f"count(*) FILTER ({bounced})"}


class _Plan:
    """The statement of a question.

    Args:
        everyone: visitors of all rows, where rows overlap.
    """

    def __init__(
        self, session: QuerySession, question: Question, *, general: bool, everyone: int | None = None
    ) -> None:
        self._everyone = everyone
        self._shares: dict[tuple[int, ...], float] = {}
        self._question, self.parameters = question, BoundValues()
        self._times = [each for each in question.dimensions if isinstance(each, TimeUnit)]
        self._dimensions = [each for each in question.dimensions if isinstance(each, Dimension)]
        self._names = [f"d{number}" for number in range(len(question.dimensions))]
        matched = [match.dimension for match in matches_in(question.condition)]
        self._by_goal = any(each.name == GOAL.name for each in self._dimensions)
        self._of_goals = [match.dimension for goal in question.goals for match in matches_in(goal.condition)]
        self._of_goals = self._of_goals if self._by_goal else []
        used = {each.name for each in [*self._dimensions, *matched, *self._of_goals]}
        self._filters_pages = any(each.name == PAGE.name for each in matched)
        self._by_entry = any(each.name in _OF_ENTRY for each in self._dimensions)
        self._about_visits = about_visits(question.condition)
        self._reads_visits = any(each.scope is Scope.VISIT for each in [*self._dimensions, *matched, *self._of_goals])
        self._metrics = metrics = set(question.metrics)
        exits_by_time = Metric.EXIT_RATE in metrics and bool(self._times)
        neighbours = used & NEIGHBOURS
        if general or exits_by_time or self._reads_ends() or (neighbours and metrics & {*BY_VISIT, Metric.EXIT_RATE}):
            neighbours = set(NEIGHBOURS)
        self._by_steps = not general and self._is_by_steps(matched)
        self._relations = Relations(
            session,
            question,
            self.parameters,
            general=general,
            neighbours=() if self._by_steps else neighbours,
            beside=neighbours if self._by_steps else (),
            columns=[column for each in [*self._dimensions, *matched, *self._of_goals] for column in each.columns],
            paths=None if general else required_paths(question.condition),
            only_paths=not self._by_goal and not looks_at_others(question.condition),
        )
        self._general = general
        self._separated = None if general or self._relations.neighbours else separated(question.condition)
        # To tell visits apart takes most of the time of a plan over hits.
        self._counts_visitors = bool(metrics & {Metric.VISITORS, Metric.VISITS, Metric.PERCENTAGE})
        needed = {_NUMBERS[metric] for metric in metrics if metric in _NUMBERS}
        self._needed = {*needed, "alone"}
        self._of_hits = {name: sql for name, sql in _OF_HITS.items() if name in self._needed}

    @cached_property
    def _of_visits(self) -> dict[str, str]:
        """The numbers of ``counted`` that are needed, from rows of visits."""
        numbers = _of_visits(has_alone=self._relations.has_alone)
        return {name: sql for name, sql in numbers.items() if name in self._needed}

    def _is_by_steps(self, matched: Iterable[Dimension]) -> bool:
        """Whether pageviews of a few pages are counted by their neighbours, and nothing else of a hit matters."""
        question, paths = self._question, required_paths(self._question.condition)
        groupings = question.dimensions
        return (
            any(isinstance(each, Dimension) and each.name in NEIGHBOURS for each in groupings)
            and all(
                isinstance(each, Dimension) and (each.scope is Scope.VISIT or each.name in _OF_STEP)
                for each in [*groupings, *matched]
            )
            and self._metrics <= _OF_STEPS
            and paths is not None
            and 0 < len(paths) <= FEW_IDS
            and not looks_at_others(question.condition)
            and not question.bots
        )

    def _reads_ends(self) -> bool:
        """Whether first or last pageviews have to be read: the rows of visits lack their properties."""
        groupings = [*self._dimensions, *(match.dimension for match in matches_of_hit(self._question.condition))]
        if all(each.kind is not ValueKind.PROP and each.name != GOAL.name for each in groupings):
            return False
        of_entries = self._metrics & BY_VISIT and (self._by_entry or self._filters_pages)
        return bool(of_entries) or Metric.EXIT_RATE in self._metrics

    @cached_property
    def _seen_has_visitors(self) -> bool:
        """Whether ``seen`` has all visitors with a session, so that they need not be counted once more."""
        if self._by_entry or Metric.PERCENTAGE in self._metrics:
            return False
        dimensions = self._question.dimensions
        if not self._metrics & BY_VISIT or not self._counts_visitors or self._plan_of(dimensions) != self._counted_seen:
            return False
        return not (self._with_visits(dimensions) and self._metrics & _SUMS)

    @cached_property
    def _counted_has_seen(self) -> bool:
        """Whether ``counted`` has the numbers of whole visits as well, so that visits are read once."""
        dimensions = self._question.dimensions
        if not self._metrics & BY_VISIT or (self._filters_pages and Metric.BOUNCE_RATE in self._metrics):
            return False
        return self._plan_of(dimensions) == self._counted_visits and not self._only_hits(dimensions)

    def text(self, *, paged: bool = True) -> str:
        """The statement. Its last two columns: the number of all rows, and whether hits without a session count."""
        question, relations = self._question, self._relations
        parts, everyone = self._parts(self._names), None
        if self._everyone is not None:
            everyone = f"SELECT {self.parameters.add(self._everyone)} AS total"
        elif Metric.PERCENTAGE in self._metrics:
            everyone = f"SELECT coalesce(sum(visitors), 0) AS total FROM ({self._counted([], [])})"
        # Behind the parts, which decide which relations there are.
        ctes = [*relations.hits(), *relations.visits(), *relations.irregular(), relations.rows(), *self._passing()]
        ctes += parts.as_relations()
        if everyone is not None:
            ctes.append(Relation("everyone", everyone, ""))
        of_metrics = _FIGURES | (_FIGURES_OF_SEEN if self._seen_has_visitors else {})
        figures = [of_metrics[metric] for metric in question.metrics]
        figures += ["coalesce(visits, 0)"] if question.averaged else []
        shown = (
            f"{decoded_prop(name)} AS {name}" if isinstance(each, Dimension) and each.kind is ValueKind.PROP else name
            for name, each in zip(self._names, question.dimensions, strict=True)
        )
        listed = ", ".join([*shown, *(f"{sql} AS f{number}" for number, sql in enumerate(figures))])
        has_alone = "counted" in parts.names and not question.bots and relations.has_alone
        sessionless = f"{'coalesce(alone, 0) > 0' if has_alone else 'false'} AS alone"
        ctes.append(Relation("grouped", f"SELECT {listed}, {sessionless} FROM {parts.joined(self._names)}", ""))
        columns = ", ".join([*self._names, *(f"f{number}" for number in range(len(figures)))])
        of_all = f"{'count(*) OVER ()' if question.total_rows else '0'}, "
        of_all += "bool_or(alone) OVER ()" if has_alone else "false"
        text = f"SELECT {columns}, {of_all} FROM grouped"
        if paged:
            if order := ", ".join(self._ordered(order) for order in ordered(question)):
                text += f" ORDER BY {order}"
            limit, offset = self.parameters.add(question.limit), self.parameters.add(question.offset)
            text += f" LIMIT {limit} OFFSET {offset}"
        return with_clause(ctes, text)

    def _parts(self, names: Sequence[str]) -> "_Parts":
        metrics, parts = self._metrics, _Parts()
        if metrics - BY_VISIT:
            parts.add("counted", self._counted(names, self._question.dimensions))
        if metrics & BY_VISIT and not (parts.names and self._counted_has_seen):
            if self._by_entry:
                parts.add("seen", self._entered(names, _VISITS_IN_ALL | _BOUNCES))
            elif self._filters_pages and Metric.BOUNCE_RATE in metrics and self._seen_with_entered:
                parts.add("seen", self._seen_and_entered(names))
            elif self._filters_pages and Metric.BOUNCE_RATE in metrics:
                parts.add("seen", self._seen(names, _VISITS_IN_ALL))
                parts.add("entered", self._entered(names, _BOUNCES))
            else:
                parts.add("seen", self._seen(names, _VISITS_IN_ALL | _BOUNCES))
        if Metric.EXIT_RATE in metrics:
            parts.add("gone", self._gone(names))
        return parts

    # The condition, and the values of dimensions, read from a relation whose columns have the names of ``rows``.

    def _passes(self, expression: FilterExpression | None = None) -> str:
        expression = self._question.condition if expression is None else expression
        return self._condition(expression, self._has_done)

    def _condition(self, expression: FilterExpression, has_done: Callable[[FilterExpression], str]) -> str:
        return condition_of(expression, self.parameters, has_done, plain_pages=self._relations.plain_pages)

    def _has_done(self, part: FilterExpression) -> str:
        if not self._relations.has_alone:
            return self._has_done_in_visit(part)
        return f"CASE WHEN alone THEN {self._has_done_alone(part)} ELSE {self._has_done_in_visit(part)} END"

    def _has_done_alone(self, part: FilterExpression) -> str:
        return self._condition(part, self._has_done_alone)

    def _has_done_in_visit(self, part: FilterExpression) -> str:
        return self._relations.in_visits(f"hits WHERE session <> 0 AND {self._has_done_alone(part)}")

    def _has_done_by_row(self, part: FilterExpression) -> str:
        """The same for a row of ``visits`` with a session, by the pages in that row where they are frequent ones."""
        pages = None if self._general or not self._relations.plain_pages else only_pages(part)
        if pages is None or not self._are_frequent(pages, FREQUENT_DONE):
            return self._has_done_in_visit(part)
        inside = f"coalesce({has_one_of('inner_pages', pages)}, false)"
        done = f"{is_one_of('entry_page', pages)} OR {is_one_of('exit_page', pages)} OR {inside}"
        if self._relations.has_long:
            done += f" OR (inner_pages IS NULL AND {self._has_done_in_visit(part)})"
        return f"({done})"

    def _passing_visits(self) -> str:
        """What follows FROM: visits that pass, where the condition is about visits."""
        condition = self._question.condition
        if not looks_at_others(condition):
            return f"visits WHERE {self._passes()}"
        if not self._relations.has_alone:
            return f"visits WHERE {self._followed_pass(condition)}"
        # Apart, because DuckDB cannot make a semi join of a membership inside of a CASE.
        followed = f"SELECT * FROM visits WHERE NOT alone AND {self._followed_pass(condition)}"
        alone = f"SELECT * FROM visits WHERE alone AND {self._condition(condition, self._has_done_alone)}"
        return f"({followed} UNION ALL {alone}) WHERE true"

    def _followed_pass(self, expression: FilterExpression) -> str:
        """An expression about visits, for rows of ``visits`` with a session."""
        return self._condition(expression, self._has_done_by_row)

    def _passing(self) -> list[Relation]:
        if self._by_steps:
            return [*self._relations.steps(), Relation("passing", f"SELECT * FROM steps WHERE {self._passes()}")]
        source = "rows" if self._reads_visits else "hits"
        passing = f"SELECT * FROM {source} WHERE {self._passes()}"
        if not self._by_goal:
            return [Relation("passing", passing, "MATERIALIZED " if self._reads_passing_twice else "NOT MATERIALIZED ")]
        select = reached(self._question.goals, "passing_any", self._passes, self.parameters)
        return [Relation("passing_any", passing), Relation("passing", select)]

    def _values(self, groupings: Sequence[Grouping], time: str) -> list[str]:
        period = self._question.period
        return [self._value(each) if isinstance(each, Dimension) else bucket(each, time, period) for each in groupings]

    def _value(self, dimension: Dimension) -> str:
        return value_of(dimension, self.parameters, plain_pages=self._plain_pages)

    @property
    def _plain_pages(self) -> bool:
        """Whether no event that passes has a page."""
        return self._relations.plain_pages or has_pageviews_only(self._question.condition)

    @staticmethod
    def _grouped(values: Sequence[str], names: Sequence[str], numbers: str, source: str) -> str:
        listed = ", ".join([*(f"{value} AS {name}" for value, name in zip(values, names, strict=True)), numbers])
        return f"SELECT {listed} FROM {source}" + (f" GROUP BY {', '.join(names)}" if names else "")

    # The parts.

    def _counted(self, names: Sequence[str], groupings: Sequence[Grouping]) -> str:
        """Hits and visitors."""
        if self._by_goal and GOAL in groupings:
            return self._counted_by_goal(names, groupings)
        return self._plan_of(groupings)(names, groupings)

    def _plan_of(self, groupings: Sequence[Grouping]) -> Callable[[Sequence[str], Sequence[Grouping]], str]:
        """The cheapest plan of ``counted`` that fits, but for goals."""
        if self._general or self._question.bots:
            return self._counted_hits
        plans = {
            self._counted_firsts: self._is_by_path,
            self._counted_on_hosts: self._is_by_host,
            self._counted_visits: self._is_by_visit,
            self._counted_seen: self._is_by_seen,
        }
        return next((plan for plan, fits in plans.items() if fits(groupings)), self._counted_hits)

    def _with_visits(self, groupings: Sequence[Grouping]) -> bool:
        """Whether values of visits are needed."""
        return self._reads_visits or any(
            isinstance(each, Dimension) and each.scope is Scope.VISIT for each in groupings
        )

    def _is_by_seen(self, groupings: Sequence[Grouping]) -> bool:
        """Whether visits and their hits can be judged apart."""
        if self._separated is None or any(_is_of_hits(each) for each in groupings):
            return False
        return self._counts_visitors or self._with_visits(groupings)

    def _counted_seen(self, names: Sequence[str], groupings: Sequence[Grouping]) -> str:
        """Visitors as visits that have a hit that passes."""
        with_visits, with_sums = self._with_visits(groupings), bool(self._metrics & _SUMS)
        if with_visits and (with_sums or not self._counts_visitors):
            return self._summed(names, groupings, self._of_visits, "started", f"({self._counted_by_visit()})")
        values, sums = self._values(groupings, "created"), dict.fromkeys(("visitors", "alone"), "0")
        of_alone = "count(*) FILTER (first) AS visitors, count(*) AS alone"
        parts = [self._grouped(values, names, of_alone, "passing WHERE alone")]
        if not self._seen_has_visitors:
            parts += (self._grouped(values, names, "count(*) AS visitors", seen.source) for seen in self._seen_visits())
        if with_sums:
            sums |= {name: sql for name, sql in self._of_hits.items() if name != "alone"}
            listed = ", ".join(f"{sql} AS {name}" for name, sql in sums.items())
            parts.append(self._grouped(values, names, listed, "passing"))
        summed = ", ".join(f"sum({name}) AS {name}" for name in sums)
        return self._grouped(names, names, summed, f"({' UNION ALL BY NAME '.join(parts)})")

    def _is_by_visit(self, groupings: Sequence[Grouping]) -> bool:
        """Whether visits pass as a whole, and are in groups as a whole but for times."""
        return self._about_visits and not any(
            isinstance(each, Dimension) and each.scope is Scope.HIT for each in groupings
        )

    def _counted_visits(self, names: Sequence[str], groupings: Sequence[Grouping]) -> str:
        """Hits and visitors of visits that pass as a whole."""
        numbers = dict(self._of_visits)
        if self._counted_has_seen:
            whole = _of_visits(has_alone=self._relations.has_alone)
            numbers |= {name: whole[name] for name in _VISITS_IN_ALL | _BOUNCES}
        times = [each for each in groupings if isinstance(each, TimeUnit)]
        if not times:
            return self._summed(names, groupings, numbers, "started", self._passing_visits())
        if self._only_hits(groupings):
            return self._summed(names, groupings, self._of_hits, "created", "passing")
        named, period = dict(zip(names, groupings, strict=True)), self._question.period
        values = {name: self._value(each) for name, each in named.items() if isinstance(each, Dimension)}
        sums = {name: sql for name, sql in self._of_hits.items() if name != "alone"}
        # Many visits lie in several hours, but few in several days.
        by_hits = bool(sums) and (self._with_visits(groupings) or shortest_s(times) == DAY_S)
        steps = steps_of(times, period) if by_hits else unix_steps(times, period)
        visits = VisitsInTime(period, times, steps, values, self._passing_visits(), self._relations.key)
        if by_hits:
            spread = [name for name in self._of_visits if name != "alone"]
            return self._summed_at(named, numbers, steps, visits.by_hits(numbers, spread))
        by_ends = visits.by_ends({name: sql for name, sql in numbers.items() if name not in sums})
        if not sums:
            return self._summed_at(named, numbers, steps, by_ends)
        listed = ", ".join(f"{sql} AS {name}" for name, sql in sums.items())
        of_hits = self._grouped([steps.step("created")], ["moment"], listed, "passing")
        return self._summed_at(named, numbers, steps, f"({by_ends}) UNION ALL BY NAME {of_hits}")

    def _only_hits(self, groupings: Sequence[Grouping]) -> bool:
        """Whether hits are counted by time, and nothing is needed of their visits."""
        times = any(isinstance(each, TimeUnit) for each in groupings)
        return times and not self._counts_visitors and not self._with_visits(groupings)

    def _summed(
        self, names: Sequence[str], groupings: Sequence[Grouping], numbers: Mapping[str, str], time: str, source: str
    ) -> str:
        """Groups of numbers that can be added up.

        They are counted by steps of time first: of these there are few, and only they are converted to buckets.
        """
        listed = ", ".join(f"{sql} AS {name}" for name, sql in numbers.items())
        times = [each for each in groupings if isinstance(each, TimeUnit)]
        if not times:
            return self._grouped(self._values(groupings, time), names, listed, source)
        named = dict(zip(names, groupings, strict=True))
        inner = {name: self._value(each) for name, each in named.items() if isinstance(each, Dimension)}
        steps = steps_of(times, self._question.period)
        inner["moment"] = steps.step(time)
        return self._summed_at(named, numbers, steps, self._grouped(list(inner.values()), list(inner), listed, source))

    def _summed_at(self, named: Mapping[str, Grouping], numbers: Iterable[str], steps: Steps, by_step: str) -> str:
        sums = ", ".join(f"sum({name}) AS {name}" for name in numbers)
        return self._grouped(buckets_at(named, steps), list(named), sums, f"({by_step})")

    def _counted_by_visit(self) -> str:
        """Visits with the numbers of their hits that pass, where a hit's visit and the hit are judged apart."""
        assert self._separated is not None
        (of_visit, of_hit), key = self._separated, self._relations.key
        columns = sorted({column for each in self._dimensions for column in each.columns})
        listed = "".join(f", {column}" for column in columns)
        followed = (
            "SELECT false AS alone, true AS visitor, started, passed.pageviews, passed.events, passed.firsts"
            f"{''.join(f', visits.{column}' for column in columns)}"
            f" FROM (SELECT * FROM visits WHERE NOT alone AND {self._followed_pass(of_visit)}) AS visits JOIN ("
            f"SELECT {key}, count(*) FILTER (NOT event) AS pageviews, count(*) FILTER (event) AS events,"
            " count(*) FILTER (first) AS firsts"
            f" FROM hits WHERE session <> 0 AND {self._passes(of_hit)} GROUP BY {key}"
            f") AS passed USING ({key})"
        )
        alone = (
            f"SELECT alone, visitor, started, pageviews, events, firsts{listed} FROM visits"
            f" WHERE alone AND {self._passes(of_visit)} AND {self._passes(of_hit)}"
        )
        return f"{followed} UNION ALL {alone}"

    def _counted_by_goal(self, names: Sequence[str], groupings: Sequence[Grouping]) -> str:
        """Hits and visitors by goal: of goals with one path, firsts are counted as in ``_counted_firsts``."""
        question, whole = self._question, ""
        of_visits = all(
            each == GOAL or (isinstance(each, Dimension) and each.scope is Scope.VISIT) for each in groupings
        )
        if self._counts_visitors and of_visits and not self._general and not question.bots:
            plain = self._relations.plain_pages or not self._filters_pages
            if keeps_paths_whole(question.condition) and plain:
                numbers = (str(n) for n, goal in enumerate(question.goals) if has_one_known_path(goal.condition))
                whole = ", ".join(numbers)
        if not whole:
            return self._counted_hits(names, groupings)
        parts = [
            self._counted_firsts(names, groupings, f"passing WHERE goal IN ({whole})"),
            self._counted_hits(names, groupings, f"passing WHERE goal NOT IN ({whole})"),
        ]
        return " UNION ALL BY NAME ".join(f"({part})" for part in parts)

    def _counted_hits(self, names: Sequence[str], groupings: Sequence[Grouping], source: str = "passing") -> str:
        visitor = self._relations.visitor
        numbers = ", ".join(f"{sql} AS {name}" for name, sql in self._of_hits.items())
        if self._counts_visitors:
            distinct = f"count(DISTINCT {visitor}) FILTER (session <> 0)"
            numbers += f", {distinct} + count(*) FILTER (session = 0 AND first) AS visitors"
        source = f"(SELECT * FROM {source})"
        return self._grouped(
            self._values(groupings, "created"), names, numbers, f"{source}{self._where_pages(groupings)}"
        )

    # Where visits are regular, their hits need not be told apart, which takes most of the time of ``_counted_hits``.

    def _is_by_path(self, groupings: Sequence[Grouping]) -> bool:
        """Whether a visit has hits of at most one path in a group, and all of these.

        False also where values of visits would have to be joined to the hits of one path: ``_counted_seen`` does that
        faster.
        """
        if not self._counts_visitors:
            return False
        named = {each.name for each in groupings if isinstance(each, Dimension)}
        condition = self._question.condition
        # Events of a page may have several names, and those of a name several pages.
        paths, keep_whole = _OF_PATH, keeps_paths_whole
        if self._counts_pages(groupings):
            paths, keep_whole = frozenset({PAGE.name}), keeps_pages_whole
        only_one = PAGE.name in named or (has_one_path(condition) and not self._with_visits(groupings))
        return (
            (only_one or (EVENT_NAME.name in named and has_events_only(condition)))
            and all(
                isinstance(each, Dimension) and (each.scope is Scope.VISIT or each.name in paths) for each in groupings
            )
            and keep_whole(condition)
        )

    def _counts_pages(self, groupings: Sequence[Grouping]) -> bool:
        """Whether pages matter, and events may have some."""
        compared = {match.dimension.name for match in matches_of_hit(self._question.condition)}
        grouped = {each.name for each in groupings if isinstance(each, Dimension)}
        return PAGE.name in compared | grouped and not self._plain_pages

    def _counted_firsts(self, names: Sequence[str], groupings: Sequence[Grouping], source: str = "passing") -> str:
        """Hits and visitors by path: of regular visits, each first hit is a visitor."""
        irregular_times = self._relations.irregular_times
        values, where = self._values(groupings, "created"), self._where_pages(groupings)
        numbers = {name: sql for name, sql in self._of_hits.items() if name != "alone"}
        if where == _PAGEVIEWS_ONLY and "pageviews" in numbers:
            numbers["pageviews"] = "count(*)"  # to look at each hit once more takes a fifth of the time
        # Of a regular visit, an event is on a page that has a pageview, which counts.
        is_visitor = "first AND (NOT event OR alone)" if self._counts_pages(groupings) else "first"
        numbers["visitors"] = f"count(*) FILTER ({is_visitor})"
        listed = ", ".join(f"{sql} AS {name}" for name, sql in numbers.items())
        passing = f"(SELECT * FROM (SELECT * FROM {source}){where})"
        parts = [self._grouped(values, names, listed, passing)]
        if self._relations.has_alone:
            # Apart, because DuckDB skips the blocks in which all hits have a session.
            parts.append(self._grouped(values, names, "count(*) AS alone", f"{passing} WHERE session = 0"))
        if irregular_times:
            surplus = f"count(DISTINCT {self._relations.visitor}) - {numbers['visitors']} AS visitors"
            parts.append(self._grouped(values, names, surplus, f"({self._irregular_hits(passing)})"))
        names_of_sums = [*numbers, *(["alone"] if self._relations.has_alone else [])]
        sums = ", ".join(f"sum({name}) AS {name}" for name in names_of_sums)
        return self._grouped(names, names, sums, f"({' UNION ALL BY NAME '.join(parts)})")

    def _irregular_hits(self, hits: str) -> str:
        """The hits of irregular visits."""
        among = f"session <> 0 AND {self._relations.in_visits('irregular')}"
        return " UNION ALL ".join(
            f"SELECT * FROM {hits} WHERE {among} AND {self._relations.created_in(span)}"
            for span in self._relations.irregular_times
        )

    def _is_by_host(self, groupings: Sequence[Grouping]) -> bool:
        """Whether all hits of a visit on one host are in one group, or none."""
        if not self._counts_visitors:
            return False
        matched = [match.dimension for match in matches_in(self._question.condition)]
        return (
            HOST in {*groupings, *matched}
            and all(
                isinstance(each, Dimension) and (each.scope is Scope.VISIT or each.name == HOST.name)
                for each in groupings
            )
            and keeps_hosts_whole(self._question.condition)
        )

    def _counted_on_hosts(self, names: Sequence[str], groupings: Sequence[Grouping]) -> str:
        """Hits and visitors by host: of regular visits, all hits are on the host of the first pageview."""
        irregular_times = self._relations.irregular_times
        values, key = self._values(groupings, "created"), self._relations.key
        without_page = f"SELECT {key} FROM visits WHERE NOT alone AND entry_page IS NULL"
        others = f"{without_page} UNION ALL SELECT {key} FROM irregular" if irregular_times else without_page
        on_host = "SELECT * REPLACE (entry_host AS host) FROM visits WHERE NOT alone AND entry_page IS NOT NULL"
        if irregular_times:
            on_host = f"SELECT * FROM ({on_host}) ANTI JOIN irregular USING ({key})"
        alone = " UNION ALL SELECT * FROM visits WHERE alone" if self._relations.has_alone else ""
        of_visits = ", ".join(f"{sql} AS {name}" for name, sql in self._of_visits.items())
        of_hits = ", ".join(f"{sql} AS {name}" for name, sql in self._of_hits.items())
        distinct = f"count(DISTINCT {self._relations.visitor}) AS visitors"
        parts = [
            self._grouped(
                values,
                names,
                of_visits,
                f"({on_host}{alone}) WHERE {self._passes()}",
            ),
            self._grouped(
                values,
                names,
                f"{distinct}, {of_hits}",
                f"passing WHERE session <> 0 AND {self._relations.in_visits('others')}",
            ),
        ]
        sums = ", ".join(f"sum({name}) AS {name}" for name in self._of_visits)
        summed = self._grouped(names, names, sums, f"({' UNION ALL BY NAME '.join(parts)})")
        return f"WITH others AS MATERIALIZED ({others}) {summed}"

    def _where_pages(self, groupings: Iterable[Grouping]) -> str:
        """Only hits to which the dimensions apply."""
        named = {each.name for each in groupings if isinstance(each, Dimension)}
        if named & NEIGHBOURS or (PAGE.name in named and self._plain_pages):
            return _PAGEVIEWS_ONLY
        return " WHERE (NOT event OR page IS NOT NULL)" if PAGE.name in named else ""

    def _seen(self, names: Sequence[str], numbers: Mapping[str, str]) -> str:
        """Whole visits with a hit that passes."""
        if self._about_visits:
            sources = [f"visits WHERE NOT alone AND {self._followed_pass(self._question.condition)}"]
        elif self._separated is not None:
            sources = [seen.source for seen in self._seen_visits()]
        else:
            sources = [f"visits WHERE NOT alone AND {self._relations.in_visits('passing WHERE session <> 0')}"]
        return self._added_up(names, numbers, dict.fromkeys(sources, numbers))

    @cached_property
    def _seen_pages(self) -> tuple[int, ...] | None:
        """The pages whose pageviews pass, where nothing else about a hit decides; otherwise None."""
        pages = None if self._separated is None else only_pages(self._separated[1])
        return pages if pages is not None and len(pages) <= FEW_IDS else None

    @cached_property
    def _seen_with_entered(self) -> bool:
        """Whether entries are counted among visits that have seen a page. Of a rare page that takes longer."""
        pages = self._seen_pages or ()
        return len(pages) > 1 or self._are_frequent(pages)

    def _seen_and_entered(self, names: Sequence[str]) -> str:
        """Whole visits with a hit that passes, of which those count as entries whose first pageview does."""
        sources = {seen.source: _VISITS_IN_ALL | seen.bounces for seen in self._seen_visits()}
        return self._added_up(names, _VISITS_IN_ALL | _BOUNCES, sources)

    def _added_up(self, names: Sequence[str], numbers: Iterable[str], sources: Mapping[str, Mapping[str, str]]) -> str:
        """Groups of visits from several sources, each of which has the SQL of its numbers."""
        selects = [self._summed(names, self._question.dimensions, of, "started", each) for each, of in sources.items()]
        if len(selects) == 1:
            return selects[0]
        sums = ", ".join(f"sum({name}) AS {name}" for name in numbers)
        return self._grouped(names, names, sums, f"({' UNION ALL BY NAME '.join(f'({each})' for each in selects)})")

    def _seen_visits(self) -> list[_Seen]:
        """Visits with a hit that passes, where a visit and its hits are judged apart."""
        assert self._separated is not None
        of_visit, of_hit = self._separated
        pages = self._seen_pages
        visits = f"visits WHERE NOT alone AND {self._followed_pass(of_visit)}"
        passing = "passing WHERE session <> 0"
        if not self._reads_passing_twice:
            passing = f"hits WHERE session <> 0 AND {self._passes(of_hit)}"
        hits = self._relations.in_visits(passing)
        entered = "false" if pages is None else is_one_of("entry_page", pages)
        if pages is None or not self._are_frequent(pages):
            return [_Seen(f"{visits} AND {hits}", entered)]
        # Each kind of visits is counted apart: while DuckDB reads them it looks at one column much faster than at two.
        entry, exit_ = (scanned_for(column, pages, self.parameters) for column in ("entry_page", "exit_page"))
        known = f"({entered} OR {is_one_of('exit_page', pages)})"
        inside = has_one_of("inner_pages", pages)
        seen = [
            _Seen(f"{visits} AND {entry}", "true"),
            _Seen(f"{visits} AND {exit_} AND NOT {entered}", "false"),
            _Seen(f"{visits} AND pageviews > 2 AND NOT {known} AND {inside}", "false"),
        ]
        if self._relations.has_long:
            seen.append(_Seen(f"{visits} AND inner_pages IS NULL AND NOT {known} AND {hits}", "false"))
        if not self._relations.plain_pages:
            # An event may tell a page that its visit has not viewed.
            events = self._relations.in_visits(f"hits WHERE session <> 0 AND event AND {self._passes(of_hit)}")
            seen.append(_Seen(f"{visits} AND events > 0 AND NOT {known} AND NOT {inside} AND {events}", "false"))
        return seen

    @cached_property
    def _reads_passing_twice(self) -> bool:
        """Whether the few hits of rare pages are counted and their visits looked up: they are found once for both."""
        dimensions, pages = self._question.dimensions, self._seen_pages
        return (
            pages is not None
            and bool(self._metrics & _SUMS)
            and not self._with_visits(dimensions)
            and self._plan_of(dimensions) == self._counted_seen
            and not self._are_frequent(pages)
        )

    def _are_frequent(self, pages: tuple[int, ...], alone: float = FREQUENT_ALONE) -> bool:
        """Whether visits that have seen one of some pages are found by looking at the pages of all visits.

        Args:
            alone: the least share of one page.
        """
        if not 0 < len(pages) <= FEW_IDS:
            return False
        if pages not in self._shares:
            self._shares[pages] = self._relations.share_of(pages)
        return self._shares[pages] >= (FREQUENT if len(pages) > 1 else alone)

    def _entered(self, names: Sequence[str], numbers: Mapping[str, str]) -> str:
        """Whole visits whose first pageview passes, by the values of that pageview."""
        if self._relations.neighbours:
            return self._grouped_ends(names, numbers, "previous_page")
        first = "SELECT * REPLACE (entry_page AS path, false AS event, entry_host AS host) FROM visits"
        source = f"({first} WHERE NOT alone AND entry_page IS NOT NULL) WHERE {self._passes()}"
        return self._summed(names, self._question.dimensions, numbers, "started", source)

    def _grouped_ends(self, names: Sequence[str], numbers: Mapping[str, str], neighbour: str) -> str:
        """Whole visits by the hits that have no pageview before or after them."""
        ends = f"SELECT * EXCLUDE (created) FROM passing WHERE session <> 0 AND NOT event AND {neighbour} = 0"
        of_visits = (
            "SELECT site, session, started, ended, pageviews, events, passive_events FROM visits WHERE NOT alone"
        )
        source = f"({ends}) JOIN ({of_visits}) USING ({self._relations.key})"
        return self._summed(names, self._question.dimensions, numbers, "started", source)

    def _gone(self, names: Sequence[str]) -> str:
        """Pageviews that were the last of their visit."""
        if self._relations.neighbours:
            numbers = "count(*) AS exits"
            source = "passing WHERE session <> 0 AND NOT event AND next_page = 0"
            return self._grouped(self._values(self._question.dimensions, "created"), names, numbers, source)
        last = "SELECT * REPLACE (exit_page AS path, false AS event, exit_host AS host) FROM visits"
        source = f"({last} WHERE NOT alone AND exit_page IS NOT NULL) WHERE {self._passes()}"
        return self._grouped(self._values(self._question.dimensions, "started"), names, "count(*) AS exits", source)

    # The figures.

    def _ordered(self, order: Order) -> str:
        if isinstance(order.by, Metric):
            name = f"f{self._question.metrics.index(order.by)}"
        else:
            name = self._names[self._question.dimensions.index(order.by)]
            if isinstance(order.by, Dimension) and order.by.shown and order.by.kind is not ValueKind.ID:
                add = self.parameters.add
                cases = "".join(f" WHEN {add(value)} THEN {add(text)}" for value, text in order.by.shown)
                name = f"CASE {name}{cases} ELSE {name} END"
        return f"{name} DESC NULLS LAST" if order.descending else f"{name} ASC NULLS FIRST"


class _Parts:
    """The parts of a plan, by name."""

    def __init__(self) -> None:
        self._selects: dict[str, str] = {}

    @property
    def names(self) -> list[str]:
        return list(self._selects)

    def add(self, name: str, select: str) -> None:
        """Add a part."""
        self._selects[name] = select

    def as_relations(self) -> list[Relation]:
        """The parts."""
        return [Relation(name, select, "") for name, select in self._selects.items()]

    def joined(self, names: Sequence[str]) -> str:
        """What follows FROM: all parts, joined by the values of dimensions."""
        first, *others = self._selects
        joins = (f" FULL JOIN {other} USING ({', '.join(names)})" if names else f", {other}" for other in others)
        return first + "".join(joins)
