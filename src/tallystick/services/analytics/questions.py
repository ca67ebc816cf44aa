"""Answers questions about visits and hits, with names in place of ids.

Names of paths and campaigns are in the ledger: names in filters become ids before the warehouse is asked, and the rows
of its answer get their names afterwards. An answer is kept until a hit, a change of stored hits or a rename.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

from msgspec.structs import replace

from tallystick.errors import InputRefused, QuestionTooLong, StoreBusy
from tallystick.ledger import Ledger, Session
from tallystick.model.dimensions import (
    BOT,
    CAMPAIGN,
    EVENT_NAME,
    GOAL,
    HOST,
    PAGE,
    PAGEVIEW,
    PAGEVIEW_ID,
    Dimension,
    Scope,
    ValueKind,
)
from tallystick.model.funnel import FunnelAnswer, FunnelQuestion
from tallystick.model.goal import MAX_GOALS
from tallystick.model.hit import Bot
from tallystick.model.metrics import BY_VISIT, Metric
from tallystick.model.pairing import Pairing
from tallystick.model.period import DAY_S, HOUR_S, date_of
from tallystick.model.question import (
    CLOCK_UNITS,
    DATE_UNITS,
    EVERYTHING,
    MOST_ROWS,
    NO_ID,
    RETURNING,
    AllOf,
    Answer,
    AnswerRow,
    AnyOf,
    FilterExpression,
    Grouping,
    HasDone,
    Match,
    NamedCondition,
    Not,
    Operator,
    Order,
    Question,
    TimeUnit,
    matches_in,
    ordered,
)
from tallystick.services.analytics.bot_hits import reason
from tallystick.services.analytics.names import (
    campaign_ids,
    campaigns_of,
    every_path,
    list_campaigns,
    path_ids,
    paths_of,
)
from tallystick.services.analytics.searched_names import SearchedNames
from tallystick.services.operating.slow_questions import SlowQuestions
from tallystick.turns import Turns
from tallystick.warehouse import Warehouse, WarehouseSession

WITHIN_S = 10.0
"""The time that one question may take, without the time that it waits for others."""
AT_ONCE = 1
"""Questions that run at once: the other thread of the warehouse is left for short reads."""
WAITING = 200
WAITS_S = 30.0
"""How long a question waits for others."""
ANSWERS_KEPT, ROWS_KEPT = 1_000, 100_000
BYTES_KEPT = 20_000
"""A question whose filters have larger values is not kept: it would take more memory than its answer."""
VALUE_BYTES = 100
"""What a value takes besides its characters."""
NAMES_AT_ONCE = 10_000
MOST_GROUPS = 100_000
"""Rows that are sorted by names. Beyond them those with the greatest figures are."""
MOST_DIMENSIONS, MOST_MATCHES, MOST_VALUES, LONGEST_TEXT = 4, 100, 1_000, 2_048
MOST_GOALS = MAX_GOALS
"""Rows by goal: as many as one site may have."""
MOST_SEARCHED = 1_000
"""Texts and expressions that are searched for, in all filters: each is a part of the statement, which DuckDB plans in
memory of its own."""
MOST_LABELS = 200_000
"""More than 20 years by hours."""

NOTHING = AnyOf(())

NO_TIME = ""
"""In place of a time: the period has no such one."""
TOO_MANY_COMPARED = f"a comparison takes fewer than {MOST_GROUPS:,} rows of each period; filter, or group by less"
_SHOWN_BY: Mapping[Any, frozenset[TimeUnit]] = {
    **dict.fromkeys(CLOCK_UNITS, RETURNING),
    TimeUnit.DAY: frozenset({TimeUnit.WEEKDAY}),
}
"""What each value of a unit says about the weekday and the hour of the day."""

Asked: TypeAlias = Question | FunnelQuestion
Found = TypeVar("Found", Answer, FunnelAnswer)
Result = TypeVar("Result")

_METRICS_OF_BOTS = frozenset({Metric.EVENTS, Metric.PAGEVIEWS})
_OF_ENTRY = frozenset({PAGE.name, HOST.name})


class Questions:
    """Answers questions. Used from one event loop.

    Args:
        within: seconds that one question may take.
        waits: seconds that it waits for others before.

    Attributes:
        slow: those that took long.
    """

    def __init__(self, ledger: Ledger, warehouse: Warehouse, within: float = WITHIN_S, waits: float = WAITS_S) -> None:
        self._ledger, self._warehouse, self._within, self._waits = ledger, warehouse, within, waits
        self.slow = SlowQuestions()
        self._turns = Turns(AT_ONCE, WAITING, "too many questions are waiting")
        self._kept: OrderedDict[Asked, tuple[tuple[int, int], Any]] = OrderedDict()
        self._rows_kept = self._forgotten = 0
        self._searched = SearchedNames(self._matching)

    def forget(self) -> None:
        """Drop all kept answers: names have changed. Answers that are being made are not kept either."""
        self._searched.forget()
        self._kept.clear()
        self._rows_kept = 0
        self._forgotten += 1

    async def answer(self, question: Question) -> Answer:
        """The answer, with names in place of ids and times as text; see ``AnswerRow``.

        Raises:
            InputRefused: the question cannot be answered; the message says why.
            QuestionTooLong: it takes longer than it may, and was given up.
            StoreUnavailable: a store is busy or has failed, or other questions take too long.
        """
        check(question)
        return await self.shared(question, lambda: self._whole(question))

    async def every_row(self, question: Question) -> Answer:
        """The rows of all pages, in any order; of more than ``MOST_GROUPS`` those that come first.

        Raises:
            InputRefused, QuestionTooLong, StoreUnavailable: as ``answer`` does.
        """
        check(question)
        whole = replace(question, limit=MOST_GROUPS, offset=0, total_rows=False)
        return await self.shared(whole, lambda: self._whole(whole))

    async def read(self, function: Callable[[WarehouseSession], Result]) -> Result:
        """Run ``function(session)`` as if it were a question: in turn, and within the time of one.

        Raises:
            QuestionTooLong, StoreUnavailable: as ``answer`` does; and what the function raises.
        """
        self._warehouse.require_owned()
        await self._warehouse.complete()  # another server may be about to take over: no part of a question's time
        async with self._turn():
            with self.slow.measured(None):
                return await self._within_its_time(lambda: self._warehouse.read(function))

    async def shared(self, question: Asked, find: Callable[[], Awaitable[Found]]) -> Found:
        """The answer to a question that was checked: the kept one, or in its turn and its time what ``find`` returns.

        Raises:
            QuestionTooLong, StoreUnavailable: as ``answer`` does; and what ``find`` raises.
        """
        self._warehouse.require_owned()
        if (kept := self._kept_answer(question)) is not None:
            return cast("Found", kept)
        await self._warehouse.complete()
        async with self._turn():
            # Somebody else may have asked the same meanwhile.
            if (kept := self._kept_answer(question)) is not None:
                return cast("Found", kept)
            forgotten, state = self._forgotten, self._state
            with self.slow.measured(question):
                answer = await self._within_its_time(find)
            # Of hits that other servers store, this one does not know the newest.
            if forgotten == self._forgotten and not self._warehouse.shared:
                self._keep(question, state, answer)
            return answer

    @property
    def _state(self) -> tuple[int, int]:
        """What an answer holds for: the newest hit, and the number of changes of stored ones."""
        marks = self._warehouse.marks
        return marks.last_id, marks.changes

    def _kept_answer(self, question: Asked) -> Any:  # noqa: ANN401  # of the kind that the question has
        kept = self._kept.get(question)
        if kept is None or kept[0] != self._state:
            return None
        self._kept.move_to_end(question)
        return kept[1]

    async def unknown_events(self, sites: Sequence[int], names: Sequence[tuple[str, bool]]) -> list[str]:
        """Those of the names that no event of the sites has.

        Args:
            names: each with whether upper and lower case are the same.
        """
        return await self._ledger.read(_unknown_events, sites, names)

    async def in_ids(self, question: Question) -> FilterExpression:
        """The condition of a question, as the warehouse takes it.

        Raises:
            InputRefused: the question cannot be answered; the message says why.
            StoreUnavailable: a store is busy or has failed.
        """
        check(question)
        (found,) = await self._stored(question.sites, (question.condition,), bots=question.bots)
        return found

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait until a question may run; it may until the block ends.

        Raises:
            StoreBusy: too many are waiting, or this one has waited for too long.
        """
        try:
            async with asyncio.timeout(self._waits):
                turn = await self._turns.take()
        except TimeoutError as error:
            msg = "other questions take too long"
            raise StoreBusy(msg) from error
        try:
            yield
        finally:
            turn.end()

    async def _within_its_time(self, find: Callable[[], Awaitable[Result]]) -> Result:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._within):
                return await find()
        except TimeoutError as error:
            if self._warehouse.was_incomplete(began):
                msg = "the statistics lack hits of the last seconds"
                raise StoreBusy(msg) from error
            raise QuestionTooLong(self._within) from error

    async def _whole(self, question: Question) -> Answer:
        if question.compare is None:
            return await self._answer(question)
        page = replace(question, compare=None)
        whole = replace(page, limit=MOST_GROUPS, offset=0, total_rows=False)
        here = await self._answer(whole if question.compare.gone else page)
        there = await self._answer(replace(whole, period=question.compare.period))
        return await asyncio.to_thread(compared, question, here, there)

    async def _answer(self, question: Question) -> Answer:
        conditions = (question.condition, *(goal.condition for goal in question.goals))
        # In one call: all names are looked up together.
        condition, *of_goals = await self._stored(question.sites, conditions, bots=question.bots)
        goals = tuple(NamedCondition(goal.name, each) for goal, each in zip(question.goals, of_goals, strict=True))
        asked = replace(question, condition=condition, goals=goals, compare=None)
        if not _has_ids(question) and GOAL not in question.dimensions:
            return _formatted(question, await self._warehouse.read(ask, asked), {})
        # Names are in the ledger, so rows are sorted by them here, and pages are cut afterwards.
        found = await self._warehouse.read(ask, replace(asked, limit=MOST_GROUPS, offset=0, total_rows=False))
        names = await self._ledger.read(_names, question, found.rows)
        return await asyncio.to_thread(_page, question, found, names)

    async def stored(self, sites: Sequence[int], condition: FilterExpression) -> FilterExpression:
        """A filter on counted hits, about values as they are stored: ids for names, and values for what they show.

        Its parts stay in their places.

        Raises:
            InputRefused: an RE2 expression is not valid.
            StoreUnavailable: a store is busy or has failed.
        """
        (found,) = await self._stored(sites, (condition,), bots=False)
        return found

    async def _stored(
        self, sites: Sequence[int], conditions: tuple[FilterExpression, ...], *, bots: bool
    ) -> tuple[FilterExpression, ...]:
        condition: FilterExpression = AllOf(conditions)
        if unknown := {match for match in matches_in(condition) if not match.dimension.columns}:
            # Of these dimensions every hit has the empty value.
            passing = {match: await self._fits_nothing(match) != match.negated for match in unknown}
            condition = _replaced(
                condition, {match: EVERYTHING if each else NOTHING for match, each in passing.items()}
            )
        if shown := {match for match in matches_in(condition) if match.dimension.shown}:
            condition = _replaced(condition, {match: await self._behind(match) for match in shown})
        if named := {match for match in matches_in(condition) if match.dimension.kind is ValueKind.ID}:
            ids = await self._ids(sites, named)
            by_id: dict[Match, FilterExpression] = {
                match: replace(match, values=ids[match], operator=Operator.IS, caseless=False, sites=())
                for match in named
            }
            if not bots:
                # All counted hits have the same value, and what is summed up of them has none.
                of_bots = [match for match in named if match.dimension.name == BOT.name]
                by_id |= {
                    match: EVERYTHING if (Bot.KNOWN_NOT in ids[match]) != match.negated else NOTHING
                    for match in of_bots
                }
            condition = _replaced(condition, by_id)
        assert isinstance(condition, AllOf)
        return condition.parts

    async def _behind(self, match: Match) -> FilterExpression:
        """A comparison with what values show, as one with the values."""
        shown, dimension = match.dimension.shown, replace(match.dimension, shown=())
        plain = replace(match, dimension=dimension, negated=False)
        if match.operator is Operator.IS and not match.caseless:
            hidden = {value for value, _ in shown}
            behind = [value for value, text in shown if text in match.values]
            texts_themselves = [each for each in match.values if each == "" or each not in hidden]
            return replace(plain, values=(*behind, *texts_themselves), negated=match.negated)
        texts = [text for _, text in shown]
        fitting = [shown[position][0] for position in await self.matching(texts, match)]
        all_shown = Match(dimension=dimension, values=tuple(value for value, _ in shown), negated=True)
        found = AnyOf((Match(dimension=dimension, values=tuple(fitting)), AllOf((plain, all_shown))))
        return Not(found) if match.negated else found

    async def _ids(self, sites: Sequence[int], matches: Collection[Match]) -> dict[Match, tuple[int, ...]]:
        """The ids that each comparison means. Names are read once for all of them."""
        found = {match: await self._without_name(match) for match in matches}
        named = [match for match in matches if match.dimension.name != BOT.name]
        if whole := [match for match in named if match.operator is Operator.IS]:
            for match, ids in (await self._ledger.read(_exact_ids, sites, whole)).items():
                found[match] += ids
        searched = [match for match in named if match.operator is not Operator.IS]
        for of_campaigns in (False, True):
            those = [match for match in searched if (match.dimension.name == CAMPAIGN.name) is of_campaigns]
            for site in dict.fromkeys(site for match in those for site in match.sites or sites):
                of_site = [match for match in those if site in (match.sites or sites)]
                pages = partial(self._ledger.read, _page_of_names, site, of_campaigns)
                fitting = await self._searched.ids(site, of_site, pages, of_campaigns=of_campaigns)
                for match in of_site:
                    found[match] += fitting[match]
        return {match: tuple(dict.fromkeys(ids)) for match, ids in found.items()}

    async def _without_name(self, match: Match) -> list[int]:
        """The ids among those of a comparison that the ledger does not name."""
        if match.dimension.name == BOT.name:
            by_name = {reason(bot): int(bot) for bot in Bot}
            return await self._matching(list(by_name.items()), match)
        if match.dimension.name == EVENT_NAME.name:
            return [PAGEVIEW_ID] if await self._fits(match, PAGEVIEW) else []
        return [NO_ID] if await self._fits(match, "") else []

    async def _fits_nothing(self, match: Match) -> bool:
        if match.operator is Operator.IS:
            shown = [text for value, text in match.dimension.shown if value == ""]
            return any(each in {"", *shown} for each in match.values)
        return await self._fits(match, "")

    async def _fits(self, match: Match, name: str) -> bool:
        if match.operator is Operator.IS:
            return any(name in {value, value.lower() if match.caseless else value} for value in map(str, match.values))
        return bool(await self._matching([(name, 0)], match))

    async def _matching(self, names: Sequence[tuple[str, int]], match: Match) -> list[int]:
        return [names[position][1] for position in await self.matching([name for name, _ in names], match)]

    async def matching(self, texts: Sequence[str], match: Match) -> Sequence[int]:
        """The positions of the texts that fit the operator and the values of a comparison, negated or not.

        Raises:
            InputRefused: an RE2 expression is not valid.
        """
        return await self._warehouse.read(lambda session: session.names_matching(texts, match))

    def _keep(self, question: Asked, state: tuple[int, int], answer: Answer | FunnelAnswer) -> None:
        if _rows_in(answer) > ROWS_KEPT // 10:
            return
        if _filter_bytes(conditions_of(question)) > BYTES_KEPT:
            return
        if (old := self._kept.pop(question, None)) is not None:
            self._rows_kept -= _rows_in(old[1])
        self._kept[question] = state, answer
        self._rows_kept += _rows_in(answer)
        while len(self._kept) > ANSWERS_KEPT or self._rows_kept > ROWS_KEPT:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._rows_kept -= _rows_in(dropped)


def _rows_in(answer: Answer | FunnelAnswer) -> int:
    if isinstance(answer, Answer):
        return len(answer.rows)
    return sum(1 + len(step.left_to or ()) for step in answer.steps)


def ask(session: WarehouseSession, question: Question) -> Answer:
    """The answer in ids."""
    return session.answer(question)


# Names.


def _exact_ids(session: Session, sites: Sequence[int], matches: Iterable[Match]) -> dict[Match, list[int]]:
    """Ids of the names of filters that compare whole names."""
    return {match: _ids_of_names(session, match.sites or sites, match) for match in matches}


def _ids_of_names(session: Session, sites: Sequence[int], match: Match) -> list[int]:
    names = [_without_slash(str(value)) for value in match.values if value != ""]
    found: list[int] = []
    for site in sites:
        if match.dimension.name == CAMPAIGN.name:
            ids = campaign_ids(session, site, names)
            stored: Mapping[int, str] = campaigns_of(session, site, ids)
        else:
            ids = path_ids(session, site, names)
            stored = {id_: path.path for id_, path in paths_of(session, site, ids).items()}
        found += [id_ for id_ in ids if match.caseless or stored.get(id_) in names]
    return found


def _unknown_events(session: Session, sites: Sequence[int], names: Sequence[tuple[str, bool]]) -> list[str]:
    known: set[str] = set()
    for site in sites:
        # Names are found in any case.
        paths = paths_of(session, site, path_ids(session, site, [name for name, _ in names])).values()
        known |= {path.path for path in paths if path.event}
    folded = {name.lower() for name in known}
    return [name for name, caseless in names if name not in known and not (caseless and name.lower() in folded)]


def _page_of_names(session: Session, site: int, of_campaigns: bool, after: int) -> list[tuple[str, int]]:  # noqa: FBT001  # passed on by the ledger
    """The next names of a site, with their ids."""
    if of_campaigns:
        return list_campaigns(session, site, after, NAMES_AT_ONCE)
    return every_path(session, site, after, NAMES_AT_ONCE)


def _names(session: Session, question: Question, rows: Sequence[AnswerRow]) -> dict[tuple[str, int], str]:
    """The names of ids in rows, by dimension and id; those that are being deleted are missing."""
    found: dict[tuple[str, int], str] = {}
    for position, dimension in enumerate(question.dimensions):
        if not isinstance(dimension, Dimension) or dimension.kind is not ValueKind.ID:
            continue
        ids = [int(row.values[position]) for row in rows]
        name = dimension.name
        found |= {(name, NO_ID): PAGEVIEW if name == EVENT_NAME.name else ""}
        if name == BOT.name:
            found |= {(name, int(bot)): reason(bot) for bot in Bot}
            continue
        for site in question.sites:
            if name == CAMPAIGN.name:
                found |= {(name, id_): text for id_, text in campaigns_of(session, site, ids).items()}
            else:
                found |= {(name, id_): path.path for id_, path in paths_of(session, site, ids).items()}
    return found


def _page(question: Question, found: Answer, names: Mapping[tuple[str, int], str]) -> Answer:
    """One page of all rows, which are sorted by names. They may be many: not on the event loop."""
    return paged(question, _formatted(question, found, names))


def _formatted(question: Question, answer: Answer, names: Mapping[tuple[str, int], str]) -> Answer:
    """Rows with names and times as text. Rows of several sites with the same names are added up."""
    found: dict[tuple[str | int, ...], tuple[Any, ...]] = {}
    first = first_day(question)
    named = [goal.name for goal in question.goals]
    formats = [
        (lambda value: named[int(value)]) if grouping == GOAL else _format_of(grouping, names, first)
        for grouping in question.dimensions
    ]
    for row in answer.rows:
        values = tuple(format_(value) for format_, value in zip(formats, row.values, strict=True))
        if None in values:
            continue
        key = tuple(value for value in values if value is not None)
        before = found.get(key)
        found[key] = row.figures if before is None else _added(before, row.figures)
    return replace(answer, rows=tuple(AnswerRow(values, figures) for values, figures in found.items()))


def _format_of(
    grouping: Grouping, names: Mapping[tuple[str, int], str], first: int
) -> Callable[[str | int], str | int | None]:
    """What makes the values of a dimension those of answers; None for an id without a name."""
    if isinstance(grouping, TimeUnit):
        if grouping in CLOCK_UNITS | DATE_UNITS:
            return lambda value: time_text(grouping, int(value), first)
        return lambda value: value
    shown, name = dict(grouping.shown), grouping.name
    if grouping.kind is not ValueKind.ID:
        return lambda value: shown.get(str(value), value)

    def named(value: str | int) -> str | None:
        found = names.get((name, int(value)))
        return found if found is None else shown.get(found, found)

    return named


def _added(one: Sequence[Any], other: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(
        first if second is None else second if first is None else first + second
        for first, second in zip(one, other, strict=True)
    )


def time_text(unit: TimeUnit, value: int, first: int) -> str:
    """A time as answers show it: ``2026-03-10 09:00:00`` or ``2026-03-10``.

    Args:
        value: as the warehouse returns it.
        first: the period's first day, in days since 1970; a week that begins before it is shown as that day.
    """
    if unit in CLOCK_UNITS:
        return datetime.fromtimestamp(value, UTC).replace(tzinfo=None).isoformat(" ")
    return date_of(value if unit is TimeUnit.MONTH else max(value, first)).isoformat()


def first_day(question: Question) -> int:
    """The first date of a question's period, in days since 1970."""
    period = question.period
    return (period.first + period.offsets[0].offset) // DAY_S


def in_order(question: Question, rows: Iterable[AnswerRow]) -> list[AnswerRow]:
    """Rows in the complete order, names by code point."""
    listed = list(rows)
    for order in reversed(ordered(question)):
        listed.sort(key=partial(_sort_key, question, order), reverse=order.descending)
    return listed


def _sort_key(question: Question, order: Order, row: AnswerRow) -> tuple[bool, Any]:
    if isinstance(order.by, Metric):
        value: Any = row.figures[question.metrics.index(order.by)]
    else:
        value = row.values[question.dimensions.index(order.by)]
    return value is not None, value if value is not None else 0


def paged(question: Question, answer: Answer) -> Answer:
    """One page of all rows, in order; last those of times that only the period compared with has."""
    listed, gone = answer.rows, list[AnswerRow]()
    if question.compare is not None and (place := _moving(question)) is not None:
        gone = [row for row in listed if row.values[place] == NO_TIME]
        listed = tuple(row for row in listed if row.values[place] != NO_TIME)
    rows = (*in_order(question, listed), *map(_swapped, in_order(question, map(_swapped, gone))))
    return replace(
        answer,
        rows=rows[question.offset : question.offset + question.limit],
        total_rows=len(rows) if question.total_rows else None,
    )


def _swapped(row: AnswerRow) -> AnswerRow:
    """The other period's row, as if it were compared with this one."""
    assert row.compared is not None
    assert row.compared_values is not None
    return AnswerRow(row.compared_values, row.compared, row.figures, row.values)


# Comparisons.


def compared(question: Question, here: Answer, there: Answer, *, ignore_case: bool = False) -> Answer:
    """The rows of both periods beside each other, as the comparison of the question says.

    They may be many: not on the event loop.

    Args:
        here: the rows of the period: all of them if the comparison includes those that are gone, else those of a page.
        there: all rows of the other period.
        ignore_case: whether names of pages, events and campaigns are the same in upper and lower case.

    Raises:
        InputRefused: there are too many rows.
    """
    assert question.compare is not None
    gone = question.compare.gone
    too_many = len(there.rows) >= MOST_GROUPS or (gone and len(here.rows) >= MOST_GROUPS)
    if too_many and (gone or _moving(question) is not None):
        raise InputRefused(TOO_MANY_COMPARED)
    partners = _Partners(question, ignore_case=ignore_case)
    others = {partners.key(row.values): row for row in there.rows}
    nothing = tuple(None if metric in BY_VISIT or metric is Metric.EXIT_RATE else 0 for metric in question.metrics)
    rows = []
    for row in here.rows:
        values = partners.there(row.values)
        other = others.pop(partners.key(values), None)
        if other is not None:
            rows.append(AnswerRow(row.values, row.figures, other.figures, other.values))
        else:  # no hits; or the other period has no such time, or more rows than were read
            unknown = too_many or partners.is_no_time(values)
            rows.append(AnswerRow(row.values, row.figures, None if unknown else nothing, values))
    if gone:
        rows += [AnswerRow(partners.here(row.values), nothing, row.figures, row.values) for row in others.values()]
    both = replace(here, rows=tuple(rows), sessionless=here.sessionless or there.sessionless)
    return paged(question, both) if gone else both


class _Partners:
    """Which values of one period are those of another: of a time its partner, of anything else the same."""

    def __init__(self, question: Question, *, ignore_case: bool) -> None:
        assert question.compare is not None
        self._place = _moving(question)
        unit = None if self._place is None else question.dimensions[self._place]
        self._following = [(at, each) for at, each in enumerate(question.dimensions) if each in _SHOWN_BY.get(unit, ())]
        self._folded = ids_in(question) if ignore_case else ()
        self._there = self._here = dict[str | int, str]()
        if isinstance(unit, TimeUnit):
            times, others = labels(question), labels(replace(question, period=question.compare.period))
            pairing = Pairing(question.period, question.compare.period, question.compare.same_dates)
            places = zip(times, pairing.partners(unit, times, others), strict=True)
            self._there = {time: others[place] for time, place in places if place is not None}
            self._here = {other: str(time) for time, other in self._there.items()}

    def there(self, values: Sequence[str | int]) -> tuple[str | int, ...]:
        """The values in the other period."""
        return self._moved(values, self._there)

    def here(self, values: Sequence[str | int]) -> tuple[str | int, ...]:
        """The values in this period."""
        return self._moved(values, self._here)

    def is_no_time(self, values: Sequence[str | int]) -> bool:
        """Whether these are the values in a period that has no such time."""
        return self._place is not None and values[self._place] == NO_TIME

    def key(self, values: Sequence[str | int]) -> tuple[str | int, ...]:
        """What the same values have in common."""
        return tuple(str(each).lower() if at in self._folded else each for at, each in enumerate(values))

    def _moved(self, values: Sequence[str | int], to: Mapping[str | int, str]) -> tuple[str | int, ...]:
        if self._place is None:
            return tuple(values)
        moved = list(values)
        time = moved[self._place] = to.get(values[self._place], NO_TIME)
        for at, unit in self._following:
            begin = None if time == NO_TIME else datetime.fromisoformat(time)
            moved[at] = NO_TIME if begin is None else begin.isoweekday() if unit is TimeUnit.WEEKDAY else begin.hour
        return tuple(moved)


def _moving(question: Question) -> int | None:
    """The place of the dimension of time whose values are others in another period; None without one."""
    places = (at for at, each in enumerate(question.dimensions) if each in CLOCK_UNITS | DATE_UNITS)
    return next(places, None)


def ids_in(question: Question) -> frozenset[int]:
    """The places of dimensions whose values are names of ids."""
    return frozenset(
        at for at, each in enumerate(question.dimensions) if isinstance(each, Dimension) and each.kind is ValueKind.ID
    )


def labels(question: Question, until: int | None = None) -> list[str]:
    """All values of the question's dimension of time in its period, in order, also those without hits.

    Args:
        until: Unix seconds; units that begin later are left out.

    Raises:
        InputRefused: there are too many.
    """
    unit = next((each for each in question.dimensions if each in CLOCK_UNITS | DATE_UNITS), None)
    if unit is None or not isinstance(unit, TimeUnit):
        return []
    period, first = question.period, first_day(question)
    # The clock shows whole units of a clock unit, and whole days of any other one.
    step = {TimeUnit.MINUTE: 60, TimeUnit.QUARTER_HOUR: 900, TimeUnit.HOUR: HOUR_S}.get(unit, DAY_S)
    after = period.after if until is None else min(period.after, until + 1)
    if (after - period.first) // step > MOST_LABELS:
        msg = f"the period has more than {MOST_LABELS:,} units of time to list; ask for longer ones, or for less time"
        raise InputRefused(msg)
    found: dict[str, None] = {}
    for begin, end, offset in period.offsets:
        moment = max(begin, period.first)
        while moment < min(end, after):
            local = moment + offset
            value = local // step * step if unit in CLOCK_UNITS else date_unit(unit, local // DAY_S)
            found[time_text(unit, value, first)] = None
            moment += step - local % step
    return list(found)


def date_unit(unit: TimeUnit, day: int) -> int:
    """The first day of the unit of ``DATE_UNITS`` that contains a day; days since 1970."""
    if unit is TimeUnit.DAY:
        return day
    date = date_of(day)
    if unit is TimeUnit.MONTH:
        return day - date.day + 1
    return day - (date.weekday() if unit is TimeUnit.WEEK else (date.weekday() + 1) % 7)


# Conditions.


def _replaced(expression: FilterExpression, by: Mapping[Match, FilterExpression]) -> FilterExpression:
    """A filter with others in place of some of its comparisons."""
    match expression:
        case Match():
            return by.get(expression, expression)
        case AllOf(parts):
            return AllOf(tuple(_replaced(part, by) for part in parts))
        case AnyOf(parts):
            return AnyOf(tuple(_replaced(part, by) for part in parts))
        case Not(part):
            return Not(_replaced(part, by))
        case HasDone(part):
            return HasDone(_replaced(part, by))


def _without_slash(name: str) -> str:
    """A path as paths are stored, without a slash at the end."""
    return name.rstrip("/") or "/" if name.startswith("/") else name


def conditions_of(question: Asked) -> AllOf:
    """All filters of a question: which hits it is about, and those of its steps or goals."""
    parts = question.steps if isinstance(question, FunnelQuestion) else question.goals
    return AllOf((question.condition, *(part.condition for part in parts)))


class _Refusal(NamedTuple):
    """A reason to refuse a question."""

    refuses: Callable[[Question], bool]
    message: str


def check(question: Question) -> None:
    """Refuse a question that has no answer.

    Raises:
        InputRefused: the message says why.
    """
    for rule in _RULES:
        if rule.refuses(question):
            raise InputRefused(rule.message)
    check_conditions(question)


def check_conditions(question: Asked) -> None:
    """Refuse filters that are too many or too large.

    Raises:
        InputRefused: the message says why.
    """
    conditions = conditions_of(question)
    # A site's goals have been limited before.
    asked = conditions if isinstance(question, FunnelQuestion) else question.condition
    if sum(1 for _ in matches_in(asked)) > MOST_MATCHES:
        msg = f"a question takes at most {MOST_MATCHES} filters"
        raise InputRefused(msg)
    if _searched(conditions) > MOST_SEARCHED:
        msg = f"filters that search for parts, for expressions or in any case take at most {MOST_SEARCHED:,} values"
        raise InputRefused(msg)
    for condition in conditions.parts:
        _check_expression(condition, in_done=False)


def _check_expression(expression: FilterExpression, *, in_done: bool) -> None:
    match expression:
        case Match():
            _check_match(expression, in_done=in_done)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                _check_expression(part, in_done=in_done)
        case Not(part):
            _check_expression(part, in_done=in_done)
        case HasDone(part):
            if in_done:
                msg = "has done cannot stand inside of another has done"
                raise InputRefused(msg)
            _check_expression(part, in_done=True)


def _check_match(match: Match, *, in_done: bool) -> None:
    name = match.dimension.name
    if not match.values:
        msg = f"the filter on {name} has no values"
        raise InputRefused(msg)
    if len(match.values) > MOST_VALUES or any(len(str(value)) > LONGEST_TEXT for value in match.values):
        msg = f"the filter on {name} takes at most {MOST_VALUES} values of {LONGEST_TEXT} characters"
        raise InputRefused(msg)
    if in_done and match.dimension.scope is not Scope.HIT:
        msg = f"has done takes filters on pages, events and hosts only, not on {name}"
        raise InputRefused(msg)


def _hit_dimensions(question: Question) -> set[str]:
    return {each.name for each in question.dimensions if isinstance(each, Dimension) and each.scope is Scope.HIT}


def _has_ids(question: Question) -> bool:
    return any(isinstance(each, Dimension) and each.kind is ValueKind.ID for each in question.dimensions)


def _filter_bytes(conditions: FilterExpression) -> int:
    """About the memory that the values of filters take."""
    values = (value for match in matches_in(conditions) for value in match.values)
    return sum(VALUE_BYTES + 4 * len(str(value)) for value in values)


def _searched(conditions: FilterExpression) -> int:
    """The number of texts and expressions that are not compared as a whole."""
    return sum(
        len(match.values)
        for match in matches_in(conditions)
        # Names of ids are looked up in the ledger.
        if match.operator is not Operator.IS or (match.caseless and match.dimension.kind is not ValueKind.ID)
    )


_RULES = (
    _Refusal(lambda question: not question.sites, "a question needs a site"),
    _Refusal(lambda question: not question.metrics, "a question needs a metric"),
    _Refusal(
        lambda question: len(question.goals) > MOST_GOALS,
        f"a question takes at most {MOST_GOALS} goals; ask about fewer sites, or filter by goals",
    ),
    _Refusal(lambda question: len(set(question.metrics)) < len(question.metrics), "a metric stands twice"),
    _Refusal(lambda question: len(set(question.dimensions)) < len(question.dimensions), "a dimension stands twice"),
    _Refusal(
        lambda question: len(question.dimensions) > MOST_DIMENSIONS,
        f"a question takes at most {MOST_DIMENSIONS} dimensions",
    ),
    _Refusal(
        lambda question: not (0 < question.limit <= MOST_ROWS and question.offset >= 0),
        f"the limit has to be between 1 and {MOST_ROWS:,}, the offset 0 or more",
    ),
    _Refusal(
        lambda question: any(each.by not in (*question.metrics, *question.dimensions) for each in question.order),
        "rows can be sorted by metrics and dimensions of the question only",
    ),
    _Refusal(
        lambda question: (
            bool(set(question.metrics) & BY_VISIT)
            and bool(_hit_dimensions(question))
            and not {PAGE.name} <= _hit_dimensions(question) <= _OF_ENTRY
        ),
        "bounce rate, visit duration and views per visit are of visits: of the dimensions of hits they take the page"
        " only, and the host beside it",
    ),
    _Refusal(
        lambda question: (
            question.compare is not None and len((CLOCK_UNITS | DATE_UNITS).intersection(question.dimensions)) > 1
        ),
        "a comparison takes one dimension of time, beside weekdays and hours of the day",
    ),
    _Refusal(
        lambda question: question.bots and not set(question.metrics) <= _METRICS_OF_BOTS,
        "hits of bots have the metrics events and pageviews only",
    ),
    _Refusal(
        lambda question: (BOT in question.dimensions) and not question.bots,
        "the reason of a bot is a dimension of bots' hits only",
    ),
    _Refusal(
        lambda question: (
            len(question.sites) > 1
            and _has_ids(question)
            and bool(set(question.metrics) & (BY_VISIT | {Metric.EXIT_RATE}))
        ),
        "of several sites, rates and averages are not divided by pages, events and campaigns",
    ),
)
