"""Made-up queries of ``POST /api/query`` have the oracle's answers: with names, blanks and zones as they are sent."""

from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from conftest import EXAMPLES
from questions.wire import DIMENSIONS, PROPS, SELECTED, UNITS, Asked, Known, expected, figures_in, with_names
from support.analytics import Analytics
from support.telling import a_visit, tell
from support.warehouses import rows
from tallystick.ledger import Session
from tallystick.model.dimensions import Dimension, Scope
from tallystick.model.metrics import BY_VISIT, Metric
from tallystick.model.period import exact_period, period
from tallystick.model.props import encoded
from tallystick.model.question import (
    AllOf,
    AnyOf,
    FilterExpression,
    Grouping,
    HasDone,
    Match,
    Not,
    Operator,
    Question,
)
from tallystick.services.analytics.names import every_path, list_campaigns

BEGIN = datetime(2026, 10, 24, tzinfo=UTC)  # clocks go back in Europe on the 25th
DAYS = 3
ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"]
TEXTS: Mapping[str, list[str]] = {
    "host": ["", "example.com", "shop.example.com"],
    "browser": ["", "Firefox", "Chrome"],
    "browser_version": ["", "140"],
    "system": ["", "Linux", "macOS", "Windows"],
    "system_version": ["", "15"],
    "country": ["", "DE", "US"],
    "region": ["", "CA"],
    "language": ["", "deu"],
    "utm_source": ["", "news", "News"],
    "utm_medium": ["", "cpc"],
    "utm_content": ["", "a.b"],
    "utm_term": ["", "x y"],
    "source": ["", "Google", "Hacker News"],
    "channel": ["", "Direct", "Organic Search", "Social"],
}
PATHS = ["/", "/a", "/b.html", "/Shop", "Signup", "sign out"]


OPERATORS = {"is": Operator.IS, "contains": Operator.CONTAINS, "matches": Operator.MATCHES}
PIECES = ["a", "O", "e", ".", "/", "News", "un"]
EXPRESSIONS = ["^/", "e$", "[GNM]", "x|o", "a.b", "^$"]


def hits(random: Random) -> list[dict[str, Any]]:
    told = []
    for visitor in range(1, 40):
        at = int(BEGIN.timestamp()) + random.randrange(DAYS * 86_400)
        common = {name: random.choice(texts) for name, texts in TEXTS.items()}
        for _ in range(random.choice([1, 1, 2, 3, 6])):
            own = {name: random.choice(texts) for name, texts in TEXTS.items() if random.random() < 0.2}
            alone = random.random() < 0.1
            path = random.choice(PATHS)
            props = {name: text for name, texts in PROPS.items() if (text := random.choice(texts))}
            told.append(
                a_visit(
                    path,
                    datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
                    campaign=random.choice([None, None, "spring", "Autumn"]),
                    by=None if alone else visitor,
                    width=random.choice([0, 390, 800, 1_400]),
                    ref=random.choice(["", "a.example/page"]),
                    ref_scheme="h",
                    page=None if path.startswith("/") else random.choice([None, "/a", "/only events"]),
                    props=encoded(props),
                    interactive=random.random() < 0.7,
                    device=random.choice(["", "Mobile"]),
                    **common | own,
                )
            )
            at += random.choice([0, 1, 60, 900, 3_000, 9_000])
    return sorted(told, key=lambda hit: str(hit["when"]))


class Drawn(NamedTuple):
    """A filter as it is sent, and as the oracle takes it."""

    wire: list[Any]
    asked: FilterExpression


def a_match(random: Random, names: list[str]) -> Drawn:
    name = random.choice(names)
    each = DIMENSIONS[name]
    operator = random.choice(list(OPERATORS))
    if name == "visit:country" and operator == "is":
        values = ["DE", "NL"]
    else:
        values = {"is": shown_values(each), "contains": PIECES, "matches": EXPRESSIONS}[operator]
    clauses = random.sample(values, random.randint(1, min(2, len(values))))
    negated, caseless = random.random() < 0.4, operator != "matches" and random.random() < 0.3
    wire: list[Any] = [f"{operator}_not" if negated else operator, name, clauses]
    if caseless:
        wire.append({"case_sensitive": False})
    marked = replace(each.dimension, shown=(("", each.blank), *each.renamed.items()))
    return Drawn(
        wire,
        Match(
            dimension=marked,
            operator=OPERATORS[operator],
            values=tuple(clauses),
            negated=negated,
            caseless=caseless,
        ),
    )


def shown_values(each: Known) -> list[str]:
    if each.dimension.name in {"page", "event_name", "next_page", "previous_page", "entry_page", "exit_page"}:
        return [*PATHS, "/only events", "pageview", ""]
    if each.dimension.key:
        return [text or each.blank for text in PROPS[each.dimension.key]]
    texts = TEXTS.get(each.dimension.columns[0], ["", "spring", "Mobile", "a.example"])
    return [each.renamed.get(text, text) or each.blank for text in texts] or [each.blank]


def a_filter(random: Random, depth: int = 0) -> Drawn:
    inner = [name for name in DIMENSIONS if name != "event:hostname" or depth == 0]
    kind = random.choice(["match"] * 4 + ["and", "or", "not", "has_done", "has_not_done"]) if depth < 2 else "match"
    if kind == "match":
        return a_match(random, inner)
    if kind == "not":
        part = a_filter(random, depth + 1)
        return Drawn(["not", part.wire], opposite(part.asked))
    if kind.startswith("has"):
        of_hits = ["event:page", "event:name", "event:next_page", "event:props:plan"]
        part = a_match(random, of_hits)
        done = HasDone(part.asked)
        return Drawn([kind, part.wire], done if kind == "has_done" else Not(done))
    parts = [a_filter(random, depth + 1) for _ in range(random.randint(1, 3))]
    asked = tuple(part.asked for part in parts)
    return Drawn([kind, [part.wire for part in parts]], AllOf(asked) if kind == "and" else AnyOf(asked))


def opposite(asked: FilterExpression) -> FilterExpression:
    """What passes otherwise. An event has no page, so it passes no filter on pages either way."""
    match asked:
        case Match():
            return replace(asked, negated=not asked.negated)
        case AllOf(parts):
            return AnyOf(tuple(map(opposite, parts)))
        case AnyOf(parts):
            return AllOf(tuple(map(opposite, parts)))
        case Not(part):
            return part
        case HasDone():
            return Not(asked)


def a_query(random: Random, site: int) -> Asked:
    names = random.sample([*DIMENSIONS, *UNITS.values()], random.choice([0, 1, 1, 2, 3]))
    groupings: list[Grouping] = []
    for name in names:
        unit = next((unit for unit, sent in UNITS.items() if sent == name), None)
        groupings.append(DIMENSIONS[name].dimension if unit is None else unit)
    metrics = list(Metric)
    of_hits = {each.name for each in groupings if isinstance(each, Dimension) and each.scope is Scope.HIT}
    if of_hits and not {"page"} <= of_hits <= {"page", "host"}:
        metrics = [metric for metric in metrics if metric not in BY_VISIT]
    chosen = random.sample(metrics, random.randint(1, 4))
    zone = ZoneInfo(random.choice(ZONES))
    filters = [a_filter(random) for _ in range(random.choice([0, 1, 1, 2]))]
    body: dict[str, Any] = {
        "site_id": "stats.example.com",
        "metrics": [metric.value for metric in chosen],
        "dimensions": names,
        "filters": [each.wire for each in filters],
        "timezone": str(zone),
    }
    if random.random() < 0.5:
        days = sorted(random.randrange(22, 29) for _ in range(2))
        first, last = (datetime(2026, 10, day, tzinfo=zone) for day in days)
        body["date_range"] = [f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}"]
        span = period(int(first.timestamp()), int(last.replace(hour=23, minute=59, second=59).timestamp()), zone)
    else:
        begin = int(BEGIN.timestamp()) + random.randrange(DAYS * 86_400)
        end = begin + random.randrange(2 * 86_400)
        body["date_range"] = [datetime.fromtimestamp(moment, UTC).isoformat() for moment in (begin, end)]
        span = exact_period(begin, end, zone)
    question = Question(
        sites=(site,),
        period=span,
        metrics=tuple(chosen),
        dimensions=tuple(groupings),
        condition=AllOf(tuple(each.asked for each in filters)),
    )
    return Asked(body, question, names, zone)


async def test_made_up_queries_have_the_oracles_answers(analytics: Analytics) -> None:
    random = Random(12)
    analytics.clock.now = int(BEGIN.timestamp() + 10 * 86_400) * 1000
    await tell(analytics, *hits(random))
    stored = await stored_hits(analytics)
    answered = 0
    for _ in range(max(EXAMPLES, 150)):
        asked = a_query(random, analytics.site.id)
        answer = await analytics.ask(
            "/api/query",
            method="POST",
            headers={"authorization": f"Bearer {analytics.token}"},
            body=msgspec.json.encode(asked.body),
        )
        assert answer.status == 200, (asked.body, answer.text)
        found = figures_in(answer.json())
        assert found == expected(asked, stored), asked.body
        answered += bool(found)
    assert answered > 80


async def stored_hits(analytics: Analytics) -> list[dict[str, Any]]:
    """The stored hits as the oracle takes them."""
    names = await _names(analytics)
    stored = await rows(analytics.services.warehouse, SELECTED)
    return with_names(stored, names["path"], names["campaign"])


async def _names(analytics: Analytics) -> dict[str, dict[int, str]]:
    def read(session: Session) -> dict[str, dict[int, str]]:
        paths = {id_: path for path, id_ in every_path(session, analytics.site.id, 0, 100)}
        campaigns = {id_: name for name, id_ in list_campaigns(session, analytics.site.id, 0, 100)}
        return {"path": paths, "campaign": campaigns}

    return await analytics.services.ledger.read(read)
