"""The relations that questions read, as common table expressions.

``hits``: the hits of the period. ``visits``: one row for each visit in the period, and for each hit without a session,
which is a visit of its own and has that hit's ``path``, ``event`` and ``host``. They are made of the table ``visit``
where a visit lies within the period, otherwise of its hits in the period. ``rows``: hits with the columns of their
visits.
"""

# ruff: noqa: S608  # the text consists of constants, numbers and names of parameters

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from tallystick.model.dimensions import NEXT_PAGE, PAGE, PREVIOUS_PAGE
from tallystick.model.question import NO_ID, Question, matches_in
from tallystick.warehouse.duckdb import regular, visits
from tallystick.warehouse.duckdb.queried import QuerySession
from tallystick.warehouse.duckdb.questions.conditions import FEW_IDS, IDS, has_one_of, is_among, is_one_of, scanned_for
from tallystick.warehouse.duckdb.questions.parameters import BoundValues
from tallystick.warehouse.duckdb.questions.positions import positions_in

_HIT_COLUMNS = ("id", "site", "session", "first", "event", "path", "host", "created", "bot", "alone")

SAMPLED = 64
"""Of so many parts of the period the newest is looked at to estimate."""
MOST_CROSSING = 1_000
"""Visits that cross a border of the period: of so many the numbers are noted, so that they are not searched again."""
MOST_PAIRED = 32
"""Pageviews of a visit that are paired with one another: the pairs are as many as their square."""


class _Beside(NamedTuple):
    """How a neighbour is found.

    Attributes:
        window: the function of all pageviews in order.
        nearest: the aggregate of the pageviews on one side.
        side: the SQL of whether they are there.
    """

    window: str
    nearest: str
    side: str


_BESIDE = {
    NEXT_PAGE.name: _Beside("lead", "arg_min", "other.position > here.position"),
    PREVIOUS_PAGE.name: _Beside("lag", "arg_max", "other.position < here.position"),
}

_JUDGED_UNTIL = f"(SELECT coalesce(judged_until, {regular.BEFORE_ALL}) FROM mark)"

OWN_VISIT = (
    "CASE WHEN event THEN NULL ELSE path END AS entry_page, CASE WHEN event THEN NULL ELSE path END AS exit_page,"
    " CASE WHEN event THEN '' ELSE host END AS entry_host, CASE WHEN event THEN '' ELSE host END AS exit_host"
)
"""The columns of the visit that a hit without a session is, but for those with values of its first hit."""


class Relation(NamedTuple):
    """A common table expression."""

    name: str
    select: str
    hint: str = "NOT MATERIALIZED "

    def __str__(self) -> str:
        return f"{self.name} AS {self.hint}({self.select})"


class TimeRange(NamedTuple):
    """From ``begin`` until before ``end``, Unix seconds."""

    begin: int
    end: int


_BORDERS = ("before", "behind")


class _Border(NamedTuple):
    """The visits that cross a border of the period.

    Attributes:
        time: when the last one ends in the period, or the first one begins in it; None if there are none.
        sites: of each, or None if they are too many or not known.
        sessions: their numbers.
    """

    time: int | None
    sites: list[int] | None
    sessions: list[int] | None


class Relations:
    """Builds the relations of one question.

    Args:
        general: whether to take everything from hits and nothing from the table ``visit``.
        neighbours: which of ``next_page`` and ``previous_page`` hits have.
        columns: those of dimensions that are read: the relations have no others. DuckDB plans each.
        paths: only hits of visits that have had one of these paths are needed; None for all.
        only_paths: whether of these visits only the pageviews of these paths are needed, beside events.
        beside: as ``neighbours``, of ``steps``; the pageviews of ``paths`` are those.
    """

    def __init__(  # noqa: PLR0913  # the plan's properties
        self,
        session: QuerySession,
        question: Question,
        parameters: BoundValues,
        *,
        general: bool,
        neighbours: Iterable[str] = (),
        columns: Iterable[str] = (),
        paths: Sequence[int] | None = None,
        only_paths: bool = False,
        beside: Iterable[str] = (),
    ) -> None:
        self._question, self._general = question, general
        needed = set(columns)
        self._of_first = tuple(name for name in visits.OF_FIRST_HIT if name in needed)
        self._of_hit = tuple(name for name in ("page", "props") if name in needed)
        sites = list(question.sites)
        self._site = (
            f"site = {parameters.add(sites[0])}"
            if len(sites) == 1
            else f"site IN (SELECT unnest(CAST({parameters.add(sites)} AS INTEGER[])))"
        )
        period = question.period
        self._since, self._until = parameters.add(period.first), parameters.add(max(period.first, period.after))
        self.neighbours, self._beside = tuple(sorted(neighbours)), tuple(sorted(beside))
        self._paths, self._parameters = paths, parameters
        self._only_paths = only_paths and paths is not None and len(paths) <= FEW_IDS and not question.bots
        self._session = session
        self._tells_paths = bool(needed & {"path", "page", "host"})
        self._noted_values: dict[str, Any] = {}

    @property
    def visitor(self) -> str:
        """The SQL that tells visits apart."""
        return "session" if len(self._question.sites) == 1 else "(site, session)"

    @property
    def key(self) -> str:
        """The columns that tell visits apart."""
        return "session" if len(self._question.sites) == 1 else "site, session"

    def in_visits(self, those: str) -> str:
        """The SQL of whether a row's visit is among those of a relation.

        Args:
            those: what follows FROM.
        """
        return f"(site, session) IN (SELECT (site, session) FROM {those})".replace("(site, session)", self.visitor)

    @property
    def _columns(self) -> tuple[str, ...]:
        """The columns of ``hits``, without neighbours."""
        return (*visits.OWN_OF_HITS, *self._of_first, *self._of_hit, "bot", "alone")

    @cached_property
    def has_alone(self) -> bool:
        """Whether there may be hits without a session."""
        return self._general or self._question.bots or self._noted("alone") is not None

    @cached_property
    def plain_pages(self) -> bool:
        """Whether only pageviews have a page: no event in the period tells one."""
        if self._general or self._question.bots:
            return False
        return "page" not in self._of_hit or self._noted("paged") is None

    @cached_property
    def has_long(self) -> bool:
        """Whether there are visits whose rows lack ``inner_pages``; asked for where pages are filtered only."""
        return self._noted("long") is not None

    @cached_property
    def crossed(self) -> tuple[TimeRange, ...]:
        """Where the hits of visits lie that cross a border of the period."""
        if self._general or self._question.bots:
            return ()
        period, before, behind = self._question.period, *(self._border_noted(each).time for each in _BORDERS)
        spans = []
        if before is not None:
            spans.append(TimeRange(period.first, min(before + 1, period.after)))
        if behind is not None:
            spans.append(TimeRange(max(behind, period.first), period.after))
        if len(spans) == 2 and spans[0].end >= spans[1].begin:  # noqa: PLR2004
            return (TimeRange(period.first, period.after),)
        return tuple(spans)

    @cached_property
    def irregular_times(self) -> tuple[TimeRange, ...]:
        """Where the hits of ``irregular`` visits lie: none if there are no such visits.

        Their paths may have several first hits in the period, or none, and they may lie on several hosts.
        """
        period, spans, judged = self._question.period, list(self.crossed), self._judged_until
        # Of a ``min`` alone, DuckDB first asks a lake for the number of rows, to answer from statistics.
        alone = f" FILTER (WHERE ended > {judged})" if self._session.looks_take_long else ""
        self._note(
            newest=f"SELECT min(started){alone} FROM visit WHERE {self._in_part} AND ended > {judged}",
            # Both by one look at the table.
            irregular=f"SELECT [min(started), max(ended)] FROM irregular_visit WHERE {self._in_part}",
        )
        newest, (first, last) = self._noted("newest"), self._noted("irregular")
        if newest is not None:
            spans.append(TimeRange(max(period.first, newest), period.after))
        if first is not None:
            spans.append(TimeRange(max(period.first, first), min(period.after, last + 1)))
        return _merged(spans)

    @property
    def _judged_until(self) -> str:
        """The SQL of the time until which visits are known to be regular, but for those noted as irregular."""
        if not self._session.looks_take_long:
            return _JUDGED_UNTIL
        if "judged" not in self._noted_values:
            self._note(judged="SELECT judged_until FROM mark")
        judged = self._noted("judged")
        return str(regular.BEFORE_ALL if judged is None else judged)

    def _border(self, time: str, those: str) -> str:
        """The SELECT of a border of the period: of the time until which, or from which on, visits cross it.

        Args:
            time: an aggregate.
            those: the condition of these visits.
        """
        if self._session.looks_take_long:
            listed = (
                f", {name}s: CASE WHEN count(*) <= {MOST_CROSSING} THEN list({name}) END"
                for name in ("site", "session")
            )
            time = f"{{time: {time}{''.join(listed)}}}"
        return f"SELECT {time} FROM visit WHERE {self._site} AND {those}"

    def _border_noted(self, name: str) -> "_Border":
        noted = self._noted(name)
        return _Border(**noted) if isinstance(noted, dict) else _Border(noted, None, None)

    def _note(self, **selects: str) -> None:
        """Run SELECTs of one value each in one statement, together with those that every plan needs."""
        if "before" not in self._noted_values:
            hit = f"FROM hit WHERE {self._site}"
            selects |= {
                "before": self._border("max(ended)", self._before),
                "behind": self._border("min(started)", self._behind),
                "alone": f"SELECT 1 {hit} AND created >= {self._since} AND created < {self._until}"
                " AND bot = 0 AND session = 0 LIMIT 1",
            }
            if any(match.dimension.name == PAGE.name for match in matches_in(self._question.condition)):
                selects["long"] = f"SELECT 1 FROM visit WHERE {self._in_part} AND inner_pages IS NULL LIMIT 1"
                since = f"created >= {self._since}"
                newest = (
                    f" FILTER (WHERE {since}) FROM hit WHERE {since}" if self._session.looks_take_long else " FROM hit"
                )
                selects["newest_hit"] = f"SELECT max(created){newest}"
            if self._only_paths:
                selects["unpaired"] = f"SELECT 1 FROM visit WHERE {self._unpaired} LIMIT 1"
            if "page" in self._of_hit:
                in_period = f"{hit} AND created >= {self._since} AND created < {self._until} AND bot = 0"
                selects["paged"] = f"SELECT 1 {in_period} AND page IS NOT NULL LIMIT 1"
            if self._tells_paths and self._session.looks_take_long:
                selects["judged"] = "SELECT judged_until FROM mark"
        self._noted_values |= self._session.values_of(selects, self._parameters.values)

    def _noted(self, name: str) -> Any:  # noqa: ANN401  # a number, or values by name
        if name not in self._noted_values:
            self._note()
        return self._noted_values[name]

    def share_of(self, pages: Sequence[int]) -> float:
        """About which share of the period's hits are pageviews of some pages: that of its newest ones, or 0."""
        period = self._question.period
        until = min(period.after, (self._noted("newest_hit") or 0) + 1)
        since = until - (until - period.first) // SAMPLED
        share = (
            f"SELECT avg(CAST(NOT event AND {is_among('path', pages, self._parameters)} AS INTEGER)) FROM hit"
            f" WHERE {self._site} AND created >= {self._since} AND created < {self._until}"
            " AND created >= $newest_since AND created < $newest_until AND bot = 0"
        )
        values = self._parameters.values | {"newest_since": since, "newest_until": until}
        return self._session.values_of({"share": share}, values)["share"] or 0.0

    def created_in(self, span: TimeRange) -> str:
        """The SQL of whether a hit is in a range of time; see ``QuerySession.run`` for why its ends are parameters."""
        return f"created >= {self._parameters.add(span.begin)} AND created < {self._parameters.add(span.end)}"

    def irregular(self) -> list[Relation]:
        """``irregular``: the keys of visits that are not regular, and of those that cross a border of the period.

        Empty where ``irregular_times`` were not asked for, or are none.
        """
        if "irregular" not in self._noted_values or not self.irregular_times:
            return []
        # On a lake, each look at a table costs some milliseconds, also one that finds nothing.
        parts = [f"SELECT {self.key} FROM crossing"] if self.crossed else []
        if self._noted("irregular")[0] is not None:
            parts.append(f"SELECT {self.key} FROM irregular_visit WHERE {self._site}")
        if self._noted("newest") is not None:
            parts.append(f"SELECT {self.key} FROM visit WHERE {self._in_part} AND ended > {self._judged_until}")
        return [Relation("irregular", " UNION ALL ".join(parts), "MATERIALIZED ")]

    def hits(self) -> list[Relation]:
        """``hits``: the hits of the period."""
        bots = self._question.bots
        columns = visits.hit_columns(self._of_first)
        columns = columns.replace("session", "CAST(0 AS UBIGINT) AS session" if bots else "session")
        columns = ", ".join([columns, *self._of_hit])
        plain = (
            f"SELECT {columns}, bot, session = 0 AS alone FROM hit WHERE {self._site} AND created >= {self._since}"
            f" AND created < {self._until} AND {'bot > 0' if bots else 'bot = 0'}"
        )
        if not self.neighbours:
            return [Relation("hits", plain)]
        none = "".join(f", CASE WHEN event THEN NULL ELSE {NO_ID} END AS {name}" for name in self.neighbours)
        others = f"SELECT *{none} FROM each_hit WHERE event OR session = 0"
        relations, followed = [Relation("each_hit", plain)], self._in_order()
        if self._only_paths:
            followed = self._paired()
            if self._noted("unpaired") is not None:
                long = f"SELECT {self.key} FROM visit WHERE {self._unpaired}"
                relations.insert(0, Relation("long_visits", long, "MATERIALIZED "))
                followed = f"{self._paired('ANTI JOIN')} UNION ALL {self._in_order('SEMI JOIN')}"
        return [*relations, Relation("hits", f"{followed} UNION ALL {others}")]

    @property
    def _in_part(self) -> str:
        """The condition of visits that lie in the period, or in a part of it."""
        return f"{self._site} AND ended >= {self._since} AND started < {self._until}"

    @property
    def _before(self) -> str:
        """The condition of visits that began before the period and end in it, or behind it."""
        return f"started < {self._since} AND ended >= {self._since}"

    @property
    def _behind(self) -> str:
        """The condition of visits that began in the period, or before it, and end behind it."""
        return f"started < {self._until} AND ended >= {self._until}"

    @property
    def _unpaired(self) -> str:
        """The condition of visits with too many pageviews to pair them."""
        return f"{self._in_part} AND pageviews > {MOST_PAIRED}"

    def _in_order(self, join: str = "") -> str:
        """The SELECT of pageviews with their neighbours, from all pageviews of their visits in order.

        Args:
            join: how ``long_visits`` are joined.
        """
        joined, with_path = f"{join} long_visits USING ({self.key})" if join else "", ""
        if self._paths is not None:
            viewed = f"each_hit WHERE NOT event AND {scanned_for('path', self._paths, self._parameters)}"
            # With an alternative, DuckDB builds the join's table of the hits with a path, and never of all hits.
            with_path = f" AND (alone OR {self.in_visits(viewed)})"
        by_time = f"PARTITION BY {self.key} ORDER BY created, id"
        found = "".join(
            f", coalesce({_BESIDE[name].window}(path) OVER by_time, {NO_ID}) AS {name}" for name in self.neighbours
        )
        return (
            f"SELECT *{found} FROM each_hit {joined}"
            f" WHERE NOT event AND session <> 0{with_path} WINDOW by_time AS ({by_time})"
        )

    def _paired(self, join: str = "") -> str:
        """The SELECT of pageviews of some paths with their neighbours, from the pairs with others of their visits.

        That takes less than half of the time of ``_in_order``, where visits have few pageviews.

        Args:
            join: as of ``_in_order``.
        """
        assert self._paths is not None
        position = positions_in(self._session, self._question.period, self._parameters).sql
        joined = f"{join} long_visits USING ({self.key})" if join else ""
        pageviews = f"SELECT *, {position} AS position FROM each_hit {joined} WHERE NOT event AND session <> 0"
        here = f"{pageviews} AND {scanned_for('path', self._paths, self._parameters)}"
        same = " AND ".join(f"other.{name} = here.{name}" for name in self.key.split(", "))
        beside = " OR ".join(_BESIDE[name].side for name in self.neighbours)
        # Values that are known are not gathered, which is a part of the time.
        known = {"id": "here.id", "event": "false"}
        if len(self._paths) == 1 and self._paths[0] in IDS:
            known["path"] = f"CAST({self._paths[0]} AS INTEGER)"
        columns = [f"{known.get(name, f'any_value(here.{name})')} AS {name}" for name in self._columns]
        for name in self.neighbours:
            _, nearest, side = _BESIDE[name]
            only = f" FILTER ({side})" if len(self.neighbours) > 1 else ""
            columns.append(f"coalesce({nearest}(other.path, other.position){only}, {NO_ID}) AS {name}")
        return (
            f"SELECT {', '.join(columns)} FROM ({here}) AS here LEFT JOIN ({pageviews}) AS other"
            f" ON {same} AND ({beside}) GROUP BY here.id"
        )

    def visits(self) -> list[Relation]:
        """``visits``: one row for each visit in the period."""
        of_first, of_hit = ("".join(f", {name}" for name in names) for names in (self._of_first, self._of_hit))
        alone = (
            "SELECT site, session, created AS started, created AS ended, CAST(NOT event AS UINTEGER) AS pageviews,"
            f" CAST(event AS UINTEGER) AS events, CAST(first AS UINTEGER) AS firsts, {OWN_VISIT}{of_first},"
            " CAST(event AND NOT interactive AS UINTEGER) AS passive_events, CAST([] AS INTEGER[]) AS inner_pages,"
            " path, event, host"
            f"{of_hit}, true AS alone, first AS visitor FROM hits WHERE session = 0"
        )
        none = {"page": "CAST(NULL AS INTEGER)", "props": "''"}
        of_no_hit = "".join(f", {none[name]} AS {name}" for name in self._of_hit)
        no_hit = f"CAST(NULL AS INTEGER) AS path, false AS event, '' AS host{of_no_hit}"
        no_hit += ", false AS alone, true AS visitor"
        if self._question.bots:
            return [Relation("visits", alone)]
        if self._general:
            whole = visits.visits_of("(SELECT * FROM hits WHERE session <> 0)", self._of_first)
            return [Relation("visits", f"SELECT *, {no_hit} FROM ({whole}) UNION ALL {alone}")]
        inside = (
            f"SELECT {', '.join(visits.columns_with(self._of_first))}, {no_hit} FROM visit"
            f" WHERE {self._site} AND started >= {self._since} AND ended < {self._until}"
        )
        parts = [inside]
        if self.has_alone:
            parts.append(alone)
        if self.crossed:
            parts.append(f"SELECT *, {no_hit} FROM crossing_visits")
        return [*self._crossing(), Relation("visits", " UNION ALL ".join(parts))]

    def steps(self) -> list[Relation]:
        """``steps``: the pageviews of ``paths``, with neighbours and columns of their visits, of which they are read.

        They have no other columns of hits but ``path``, and what tells that they are pageviews; ``first`` is that of
        hits without a session.
        """
        assert self._paths is not None
        own = ["site", "session", "alone", *visits.OF_PAGEVIEWS, *self._of_first]
        listed = ", ".join([*own, "visitor AS first", "false AS event", "CAST(NULL AS INTEGER) AS page"])
        source = "visits WHERE inner_pages IS NOT NULL AND" if self.has_long else "visits WHERE"

        def read(path: str, beside: dict[str, str], where: str) -> str:
            found = "".join(f", {beside[name]} AS {name}" for name in self._beside)
            return f"SELECT {listed}, {path} AS path{found} FROM {source} {where}"

        entered, left = (scanned_for(name, self._paths, self._parameters) for name in ("entry_page", "exit_page"))
        before = "CASE WHEN pageviews > 1 THEN coalesce(inner_pages[-1], entry_page)"
        at_exit = {NEXT_PAGE.name: str(NO_ID), PREVIOUS_PAGE.name: f"{before} ELSE {NO_ID} END"}
        at_entry = {NEXT_PAGE.name: "coalesce(inner_pages[1], exit_page)", PREVIOUS_PAGE.name: str(NO_ID)}
        inside = {
            NEXT_PAGE.name: "unnest(list_append(inner_pages[2:], exit_page))",
            PREVIOUS_PAGE.name: "unnest(list_prepend(entry_page, inner_pages[:-2]))",
        }
        seen = has_one_of("inner_pages", self._paths)
        parts = [
            read("exit_page", at_exit, left),
            read("entry_page", at_entry, f"{entered} AND pageviews > 1"),
            f"SELECT * FROM ({read('unnest(inner_pages)', inside, seen)}) WHERE {is_one_of('path', self._paths)}",
        ]
        relations = [Relation("steps", " UNION ALL BY NAME ".join(parts))]
        if self.has_long:
            by_time = f"PARTITION BY {self.key} ORDER BY created, id"
            found = "".join(
                f", coalesce({_BESIDE[name].window}(path) OVER by_time, {NO_ID}) AS {name}" for name in self._beside
            )
            long = f"SELECT {listed} FROM visits WHERE inner_pages IS NULL"
            hits = (
                f"SELECT {self.key}, path{found} FROM hits WHERE NOT event AND {self.in_visits('long_visits')}"
                f" WINDOW by_time AS ({by_time})"
            )
            relations[0] = Relation(
                "steps",
                f"{relations[0].select} UNION ALL BY NAME SELECT * FROM long_visits JOIN ({hits}) USING ({self.key})",
            )
            relations.insert(0, Relation("long_visits", long, "MATERIALIZED "))
        return relations

    def rows(self) -> Relation:
        """``rows``: hits with the columns of their visits."""
        own = ", ".join([*_HIT_COLUMNS, *self._of_hit, *self.neighbours])
        of_visit = ", ".join(f"visits.{name}" for name in (*visits.OF_PAGEVIEWS, *self._of_first))
        of_hits = ", ".join(f"hits.{name.strip()}" for name in own.split(","))
        same = " AND ".join(f"hits.{name} = visits.{name}" for name in self.key.split(", "))
        joined = (
            f"SELECT {of_hits}, {of_visit} FROM hits JOIN visits ON {same} WHERE NOT hits.alone AND NOT visits.alone"
        )
        of_first = "".join(f", {name}" for name in self._of_first)
        alone = f"SELECT {own}, {OWN_VISIT}{of_first} FROM hits WHERE session = 0"
        if self._question.bots:
            return Relation("rows", alone)
        return Relation("rows", f"{joined} UNION ALL {alone}" if self.has_alone else joined)

    def _crossing(self) -> list[Relation]:
        if not self.crossed:
            return []
        parts = []
        for name, those in zip(_BORDERS, (self._before, self._behind), strict=True):
            border = self._border_noted(name)
            if border.time is None:
                continue
            if border.sessions is None:
                parts.append(f"SELECT site, session FROM visit WHERE {self._site} AND {those}")
                continue
            sites, sessions = self._parameters.add(border.sites), self._parameters.add(border.sessions)
            parts.append(
                f"SELECT unnest(CAST({sites} AS INTEGER[])) AS site, unnest(CAST({sessions} AS UBIGINT[])) AS session"
            )
        hits = " UNION ALL ".join(self._hits_between(span) for span in self.crossed)
        own = visits.visits_of("crossing_hits", self._of_first)
        # Materialized, because plans read visits several times.
        return [
            Relation("crossing", " UNION ALL ".join(parts), ""),
            Relation("crossing_hits", hits, ""),
            Relation("crossing_visits", own, "MATERIALIZED "),
        ]

    def _hits_between(self, span: TimeRange) -> str:
        return (
            f"SELECT {visits.hit_columns(self._of_first)} FROM hit WHERE {self._site} AND {self.created_in(span)}"
            " AND bot = 0 AND session <> 0"
            " AND (site, session) IN (SELECT site, session FROM crossing)"
        )


def _merged(spans: Iterable[TimeRange]) -> tuple[TimeRange, ...]:
    """The same times, in order and without overlaps."""
    merged: list[TimeRange] = []
    for span in sorted(spans):
        if merged and span.begin <= merged[-1].end:
            merged[-1] = TimeRange(merged[-1].begin, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return tuple(merged)


def with_clause(relations: Iterable[Relation | str], text: str) -> str:
    """A statement with those of some relations, in their order, that it needs: DuckDB parses and binds each.

    Args:
        relations: those that are text are always needed.
    """
    kept: list[str] = []
    needed = text
    for relation in reversed(list(relations)):
        if isinstance(relation, str):
            kept.insert(0, relation)
            needed = f"{relation} {needed}"
        elif re.search(rf"\b{relation.name}\b", needed):
            kept.insert(0, str(relation))
            needed = f"{relation.select} {needed}"
    return f"WITH {', '.join(kept)} {text}" if kept else text
