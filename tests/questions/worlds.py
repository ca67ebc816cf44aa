"""Made-up hits around moments at which clocks change, in a database with all tables; and questions about them."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
from hypothesis import strategies as st
from msgspec.structs import replace

from support import lakes
from support.prepared import kept_folder
from tallystick.model.dimensions import (
    BOT,
    EVENT_NAME,
    GOAL,
    HOST,
    PAGE,
    PAGEVIEW_ID,
    QUESTION_DIMENSIONS,
    Dimension,
    Scope,
    ValueKind,
    prop,
)
from tallystick.model.metrics import BY_VISIT, Metric
from tallystick.model.period import DAY_S, Period, exact_period, period
from tallystick.model.props import encoded
from tallystick.model.question import (
    AllOf,
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
)
from tallystick.warehouse.duckdb import regular, visits
from tallystick.warehouse.duckdb.migrations import all_steps
from tallystick.warehouse.duckdb.queried import named_queries
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.lake.session import LakeReadSession, SnapshotValues

HITS, DAYS = 220, 5
SITES = (1, 2, 3)
EVENTS_FROM = 4
"""A site's paths with this last digit or a greater one are events."""
ZONES = [
    ZoneInfo(name)
    for name in (
        *("UTC", "Europe/Amsterdam", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"),
        *("America/St_Johns", "Africa/Casablanca"),
    )
]
BEGINNINGS = [
    int(datetime(*date, tzinfo=ZoneInfo("UTC")).timestamp())
    for date in ((2025, 3, 28), (2025, 10, 24), (2011, 12, 28), (2025, 4, 4), (2006, 10, 27), (2025, 12, 30))
]
TEXTS = {
    "host": ["", "example.com", "Blog.example.com"],
    "ref": ["", "www.a.example/page", "b.example", "Hacker News", "news"],
    "ref_scheme": ["h", "g", "c", "o"],
    "browser": ["", "Firefox", "Chrome"],
    "browser_version": ["", "140", "18.1"],
    "system": ["", "Linux"],
    "system_version": ["", "6"],
    "country": ["", "NL", "US"],
    "region": ["", "TX"],
    "language": ["", "nld"],
    "utm_source": ["", "news", "News"],
    "utm_medium": ["", "cpc"],
    "utm_content": ["", "a.b"],
    "utm_term": ["", "x y"],
    "source": ["", "Google", "a.example"],
    "channel": ["", "", "Direct", "Organic Search"],
}
PROPERTIES: list[dict[str, str]] = [
    *({}, {}, {}, {"plan": "pro"}, {"plan": "Pro", "a": "1"}, {"plan": "free", 'a"b\\': 'x"y\\n\\'}, {"plan": ""}),
    *({"a": 'p"plan":"pro"', "plan": "é\n,"}, {"plan,": ":", "z": '{"plan":"pro"'}, {'x"plan': "pro"}),
]
Row = dict[str, Any]


class World(NamedTuple):
    """Hits, and a session of a database that has them."""

    begin: int
    rows: list[Row]
    session: DuckDbSession


@cache
def a_world(begin: int, *, long_visits: bool = True) -> World:
    """Hits of some days; visits cross hours, midnights and changes of the clocks. In a third of the worlds no event
    tells its page. Each is made once for all tests of a process: who changes one undoes that.

    Args:
        long_visits: in half of the worlds, visits of some pages look like those whose row has no list of their pages.
    """
    random = Random(begin)  # made-up data
    rows = []
    for session in range(1, 70):
        site = random.choice(SITES)
        at = begin + random.randrange(DAYS * DAY_S)
        common = {name: random.choice(texts) for name, texts in TEXTS.items()}
        for _ in range(random.choice([1, 1, 2, 3, 5, 9])):
            own = {name: random.choice(texts) for name, texts in TEXTS.items() if random.random() < 0.2}
            rows.append(_row(random, site, random.choice([session] * 9 + [0]), at, common | own))
            at += random.choice([0, 1, 40, 900, 3_000, 20_000])
    random.shuffle(rows)
    if begin in BEGINNINGS[1::3]:
        rows = [{**row, "page": None} for row in rows]
    known: set[tuple[int, int]] = set()
    for number, row in enumerate(rows, 1):
        row["id"] = number
        if row["bot"]:
            row["session"] = 0
        key = (row["session"], row["path"])
        row["first"] = key not in known if row["session"] else random.random() < 0.8
        if random.random() < 0.1:  # retention, imports and limits of memory leave visits with none or two of them
            row["first"] = not row["first"]
        known.add(key)
    return World(begin, rows, _session(rows, long_visits=long_visits and begin in BEGINNINGS[::2]))


def _row(random: Random, site: int, session: int, created: int, texts: dict[str, str]) -> Row:
    number = random.choice([1, 1, 2, 3, EVENTS_FROM, EVENTS_FROM + 1])
    return {
        "site": site,
        "path": 10 * site + number,
        "session": session,
        "event": number >= EVENTS_FROM,
        "page": 10 * site + random.choice([1, 1, 2, 3]) if number >= EVENTS_FROM and random.random() < 0.6 else None,
        "props": encoded(random.choice(PROPERTIES)),
        "interactive": number < EVENTS_FROM or random.random() < 0.5,
        "device": random.choice(["", "Mobile", "Desktop"]),
        "bot": random.choice([0] * 9 + [6]),
        "campaign": random.choice([None, None, 1, 2]),
        "width": random.choice([0, 390, 600, 601, 1_000, 1_001, 1_920, 1_921, 2**32 - 1]),
        "created": created,
        **texts,
    }


def _session(rows: list[Row], *, long_visits: bool) -> DuckDbSession:
    connection = _empty_tables()
    names = list(rows[0])
    # One statement: one for each row takes ten times as long.
    columns = ", ".join(f"unnest(${number})" for number in range(1, len(names) + 1))
    values = [[row[name] for row in rows] for name in names]
    connection.execute(f"INSERT INTO hit ({', '.join(names)}) SELECT {columns}", values)
    people = f"(SELECT {visits.hit_columns()} FROM hit WHERE bot = 0 AND session <> 0)"
    connection.execute(f"INSERT INTO visit {visits.visits_of(people)}")
    if long_visits:
        connection.execute("UPDATE visit SET inner_pages = NULL WHERE pageviews > 4")
    regular.judge_all(connection)
    connection.execute("UPDATE mark SET judged_until = (SELECT quantile_disc(ended, 0.7) FROM visit)")
    if lakes.ON_LAKE:
        return LakeReadSession(connection, named_queries(), SnapshotValues())
    return DuckDbSession(connection, named_queries())


def _empty_tables() -> duckdb.DuckDBPyConnection:
    if lakes.ON_LAKE:
        store = lakes.LakeBehindJournal(kept_folder() / "world", lakes.MEMORY_MB)
        store.open()
        return store.borrow().connection
    connection = duckdb.connect(":memory:")
    for step in all_steps():
        connection.execute(step.sql)
    return connection


# Questions.

PROPS = [replace(prop(key), shown=()) for key in ("plan", "a", 'a"b\\', ":", "nothing")]
_VALUES: dict[str, list[Any]] = {
    "campaign": [0, 1, 2],
    "bot": [6, 0],
    "event_name": [0, 14, 15, 25],
    "device": ["", "Mobile", "Desktop"],
    "size": ["phone", "desktop", "unknown"],
    "region": ["", "US-TX"],
    "referrer": ["", "a.example/page", "Hacker News"],
}
_PATHS = [0, 11, 12, 13, 15, 21, 22]
_PIECES = ["a", "O", "example", ".", "", "e.e", "\\", "\\n", '"', "\n"]
_EXPRESSIONS = ["^a", "e$", "[GN]", "x|o", "", "a.e", r"\\", '"', r"^é\n"]


def _values_of(dimension: Dimension) -> list[Any]:
    if dimension.kind is ValueKind.PROP:
        return ["", "pro", "Pro", "PRO", "free", 'x"y\\n\\', "é\n,", ":"]
    if dimension.name in _VALUES:
        return _VALUES[dimension.name]
    if dimension.kind is ValueKind.ID:
        return _PATHS
    return TEXTS.get(dimension.columns[0], TEXTS["host"])


def matches(dimensions: Iterable[Dimension]) -> st.SearchStrategy[FilterExpression]:
    """Comparisons of some dimensions."""
    return st.sampled_from(list(dimensions)).flatmap(_match)


def _match(dimension: Dimension) -> st.SearchStrategy[FilterExpression]:
    operators = [Operator.IS] if dimension.kind is ValueKind.ID else list(Operator)
    wanted = {
        Operator.IS: _values_of(dimension),
        Operator.CONTAINS: _PIECES,
        Operator.MATCHES: _EXPRESSIONS,
    }

    def match(operator: Operator) -> st.SearchStrategy[FilterExpression]:
        return st.builds(
            Match,
            dimension=st.just(dimension),
            operator=st.just(operator),
            values=st.lists(st.sampled_from(wanted[operator]), min_size=1, max_size=3).map(tuple),
            negated=st.booleans(),
            caseless=st.booleans() if dimension.kind is not ValueKind.ID else st.just(False),  # noqa: FBT003
        )

    return st.sampled_from(operators).flatmap(match)


def _nested(each: st.SearchStrategy[FilterExpression]) -> st.SearchStrategy[FilterExpression]:
    several = st.lists(each, max_size=3).map(tuple)
    return st.one_of(each, several.map(AllOf), several.map(AnyOf), each.map(Not))


PEOPLES = [each for each in QUESTION_DIMENSIONS if each is not BOT]
_HIT_MATCHES = matches([*(each for each in PEOPLES if each.scope is Scope.HIT), PROPS[0]])
_PLAIN = st.one_of(matches(PEOPLES), _HIT_MATCHES, matches([PAGE, EVENT_NAME, HOST]), matches(PROPS))
CONDITIONS: st.SearchStrategy[FilterExpression] = st.one_of(
    st.just(AllOf(())),
    _PLAIN,
    matches(each for each in PEOPLES if each.scope is Scope.VISIT),
    _nested(st.one_of(_PLAIN, _nested(_PLAIN), _nested(_HIT_MATCHES).map(HasDone))),
)


_EVENTS = Match(dimension=EVENT_NAME, values=(PAGEVIEW_ID,), negated=True)
_PAGEVIEWS = Match(dimension=EVENT_NAME, values=(PAGEVIEW_ID,))
_OF_GOALS = st.one_of(
    st.sampled_from([*range(11, 14), 21]).map(lambda id_: AllOf((Match(dimension=PAGE, values=(id_,)), _PAGEVIEWS))),
    st.sampled_from([14, 15, 24, 25]).map(lambda id_: AllOf((Match(dimension=EVENT_NAME, values=(id_,)), _EVENTS))),
    st.builds(lambda match, other: AllOf((AllOf((match, _EVENTS)), other)), matches([EVENT_NAME]), matches(PROPS[:1])),
    st.builds(lambda match, other: AllOf((match, other)), matches([PAGE]), st.sampled_from([_EVENTS, _PAGEVIEWS])),
    _PLAIN,
)
GOALS = st.lists(_OF_GOALS, max_size=4).map(
    lambda conditions: tuple(NamedCondition(f"goal {number}", each) for number, each in enumerate(conditions))
)


@st.composite
def periods(draw: st.DrawFn, begin: int) -> tuple[Period, ZoneInfo]:
    """A period and its zone."""
    zone = draw(st.sampled_from(ZONES))
    start = begin + draw(st.one_of(st.just(-DAY_S), st.integers(-DAY_S, DAYS * DAY_S)))
    length = draw(st.one_of(st.just(9 * DAY_S), st.integers(-1, DAYS * DAY_S), st.integers(0, 7_200)))
    make = draw(st.sampled_from([period, exact_period]))
    return make(start, start + length, zone), zone


@st.composite
def questions(draw: st.DrawFn, begin: int, *, bots: bool = False) -> tuple[Question, ZoneInfo]:
    """A question that is not refused, and its zone."""
    groupings: list[Grouping] = [*(QUESTION_DIMENSIONS if bots else PEOPLES), *list(TimeUnit) * 2, PAGE, *PROPS]
    groupings += [GOAL] * 6
    dimensions = tuple(draw(st.lists(st.sampled_from(groupings), max_size=3, unique=True)))
    metrics = [Metric.EVENTS, Metric.PAGEVIEWS] if bots else list(Metric)
    of_hits = {each.name for each in dimensions if isinstance(each, Dimension) and each.scope is Scope.HIT}
    if of_hits and not {"page"} <= of_hits <= {"page", "host"}:
        metrics = [metric for metric in metrics if metric not in BY_VISIT]
    chosen = tuple(draw(st.lists(st.sampled_from(metrics), min_size=1, max_size=len(metrics), unique=True)))
    span, zone = draw(periods(begin))
    return Question(
        sites=tuple(draw(st.lists(st.sampled_from(SITES), min_size=1, max_size=3, unique=True))),
        period=span,
        metrics=chosen,
        dimensions=dimensions,
        condition=draw(matches([PAGE, BOT, HOST]) if bots else CONDITIONS),
        order=tuple(
            Order(by, descending=draw(st.booleans()))
            for by in draw(st.lists(st.sampled_from([*chosen, *dimensions]), max_size=2, unique=True))
        ),
        bots=bots,
        goals=draw(GOALS) if GOAL in dimensions else (),
    ), zone
