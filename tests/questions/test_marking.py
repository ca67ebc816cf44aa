"""Hits that are marked are those that the oracle lets pass, and everything that is computed from hits follows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from questions import oracle
from questions.worlds import BEGINNINGS, CONDITIONS, DAYS, SITES, Row, World, a_world, matches, periods
from tallystick.errors import InputRefused
from tallystick.model.dimensions import BOT, COUNTRY, HOST, PAGE, PREVIOUS_PAGE
from tallystick.model.hit import Bot
from tallystick.model.metrics import Metric
from tallystick.model.period import DAY_S, period
from tallystick.model.question import EVERYTHING, NO_ID, FilterExpression, HasDone, Match, Not, Operator, Question
from tallystick.warehouse.duckdb import visits
from tallystick.warehouse.duckdb.questions import passing_ids
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.types import EVERY_ID

world = partial(a_world, long_visits=False)
UTC = ZoneInfo("UTC")
OF_BOTS: st.SearchStrategy[FilterExpression] = st.one_of(
    matches([PAGE, BOT, HOST, COUNTRY]), matches([PAGE, BOT]).map(HasDone), matches([PAGE]).map(Not), CONDITIONS
)


def a_question(begin: int, condition: FilterExpression, *, bots: bool, **fields: Any) -> Question:
    whole = period(begin - DAY_S, begin + 3 * DAYS * DAY_S, UTC)
    given: dict[str, Any] = {"sites": SITES, "period": whole, "metrics": (Metric.EVENTS,)}
    return Question(condition=condition, bots=bots, **given | fields)


@st.composite
def markings(draw: st.DrawFn) -> tuple[int, Question, int]:
    """Which world, which of its hits, and what they are to be."""
    begin, bots = draw(st.sampled_from(BEGINNINGS)), draw(st.booleans())
    sites = tuple(draw(st.lists(st.sampled_from(SITES), min_size=1, max_size=2, unique=True)))
    span, _ = draw(periods(begin))
    condition = draw(OF_BOTS if bots else CONDITIONS)
    into = draw(st.sampled_from([0, 5] if bots else [5, 150]))
    return begin, a_question(begin, condition, bots=bots, sites=sites, period=span), into


def rows_in(known: World) -> list[Row]:
    result = known.session.connection.execute(
        "SELECT * REPLACE (CAST(width AS UINTEGER) AS width) FROM hit ORDER BY id"
    )
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def right(rows: Sequence[Row], question: Question) -> set[int]:
    """The ids of hits that pass, by the oracle."""
    return {hit.row["id"] for hit in oracle.hits_of(rows, question) if oracle.passes(question.condition, hit)}


def marked(rows: Sequence[Row], ids: set[int], into: int) -> list[Row]:
    """The rows with a new code, and where the first hit on a path is a bot's now, with another one in its place."""
    after = [{**row, "bot": into if row["id"] in ids else row["bot"]} for row in rows]
    groups: dict[tuple[int, int, int], list[Row]] = {}
    for row in sorted(after, key=lambda row: (row["created"], row["id"])):
        if row["session"]:
            groups.setdefault((row["site"], row["session"], row["path"]), []).append(row)
    for group in groups.values():
        people = [row for row in group if not row["bot"]]
        firsts = [row for row in group if row["bot"] and row["first"]]
        if ids & {row["id"] for row in group} and people and firsts and not any(row["first"] for row in people):
            people[0]["first"], firsts[0]["first"] = True, False
    return after


@contextmanager
def undone(known: World) -> Iterator[World]:
    """The world, whose changes are undone."""
    connection = known.session.connection
    connection.execute("BEGIN")
    try:
        # Of a lake, the world's own session keeps what it has read of a snapshot: it only reads.
        yield known._replace(session=DuckDbSession(connection, known.session.queries))
    finally:
        known.session.connection.execute("ROLLBACK")


def mark(known: World, question: Question, into: int, key: str = "a", span: tuple[int, int] = EVERY_ID) -> list[int]:
    return known.session.relabel_matching(question, into, span, key, 0)


def assert_visits_follow(known: World) -> None:
    hits = f"(SELECT {visits.hit_columns()} FROM hit WHERE bot = 0 AND session <> 0)"
    kept, anew = f"SELECT {', '.join(visits.COLUMNS)} FROM visit", visits.visits_of(hits)
    differing = f"(({kept}) EXCEPT ALL ({anew})) UNION ALL (({anew}) EXCEPT ALL ({kept}))"
    assert known.session.connection.execute(differing).fetchall() == []


def visits_in(known: World) -> list[tuple[Any, ...]]:
    return known.session.connection.execute("SELECT * FROM visit ORDER BY site, session").fetchall()


@given(marking=markings())
def test_the_hits_of_a_question_are_found(marking: tuple[int, Question, int]) -> None:
    begin, question, _ = marking
    known: World = world(begin)
    text, parameters = passing_ids(known.session, question)
    found = [id_ for (id_,) in known.session.run(text, parameters.values).fetchall()]
    assert sorted(found) == sorted(right(known.rows, question))


@settings(max_examples=min(40, settings().max_examples))
@given(steps=st.lists(markings(), min_size=1, max_size=3), last=st.integers(1, 300))
def test_marked_hits_and_their_visits_are_the_oracles(steps: list[tuple[int, Question, int]], last: int) -> None:
    begin = steps[0][0]
    with undone(world(begin)) as known:
        for number, (_, question, into) in enumerate(steps):
            before = rows_in(known)
            ids = {id_ for id_ in right(before, question) if id_ <= last}
            paths = mark(known, question, into, f"{number}", (1, last))
            assert sorted(paths) == sorted({row["path"] for row in before if row["id"] in ids})
            after = rows_in(known)
            assert after == marked(before, ids, into)
            assert_visits_follow(known)
            assert mark(known, question, into, f"{number}", (1, last)) == paths
            assert rows_in(known) == after, "a key is carried out once"


@settings(max_examples=min(40, settings().max_examples))
@given(marking=markings())
def test_what_was_marked_as_bots_is_brought_back_as_it_was(marking: tuple[int, Question, int]) -> None:
    begin, question, _ = marking
    condition = question.condition
    with undone(world(begin)) as known:
        before, people = visits_in(known), [(row["id"], row["bot"], row["session"]) for row in rows_in(known)]
        mark(known, a_question(begin, condition, bots=False), Bot.WEBDRIVER)
        back = a_question(begin, Match(dimension=BOT, values=(int(Bot.WEBDRIVER),)), bots=True)
        mark(known, back, Bot.KNOWN_NOT, "b")
        assert [(row["id"], row["bot"], row["session"]) for row in rows_in(known)] == people
        assert visits_in(known) == before


def test_a_repetition_does_not_find_the_hits_that_follow_those_that_were_marked() -> None:
    begin = BEGINNINGS[0]
    entered = a_question(begin, Match(dimension=PREVIOUS_PAGE, values=(NO_ID,)), bots=False)
    with undone(world(begin)) as known:
        mark(known, entered, Bot.WEBDRIVER)
        once = rows_in(known)
        assert right(once, entered)
        mark(known, entered, Bot.WEBDRIVER)
        assert rows_in(known) == once
        mark(known, entered, Bot.WEBDRIVER, "b")
        assert rows_in(known) != once


def test_the_first_hit_on_a_path_is_found_among_those_that_are_left() -> None:
    begin = BEGINNINGS[0]
    with undone(world(begin)) as known:
        groups: dict[Any, list[Row]] = {}
        for row in sorted(rows_in(known), key=lambda row: (row["created"], row["id"])):
            if row["session"]:
                groups.setdefault((row["site"], row["session"], row["path"]), []).append(row)
        first, second, *_ = next(group for group in groups.values() if len(group) > 1 and group[0]["first"])
        span = first["id"], first["id"]
        known.session.connection.execute("UPDATE hit SET first = false WHERE id = $1", [second["id"]])
        mark(known, a_question(begin, EVERYTHING, bots=False), Bot.KNOWN, span=span)
        assert [row["first"] for row in rows_in(known) if row["id"] in {first["id"], second["id"]}].count(True) == 1
        assert [row["first"] for row in rows_in(known) if row["id"] == second["id"]] == [True]


def test_an_expression_that_is_not_valid_changes_nothing() -> None:
    bad = Match(dimension=HOST, operator=Operator.MATCHES, values=("(",))
    known: World = world(BEGINNINGS[0])
    before = rows_in(known)
    with undone(known) as changed, pytest.raises(InputRefused, match="is not valid"):
        mark(changed, a_question(BEGINNINGS[0], bad, bots=True), 0)
    assert rows_in(known) == before
