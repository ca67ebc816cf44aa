"""Answers questions slowly and plainly, from the rows of ``hit`` and the definitions of the metrics. No SQL."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from tallystick.model.dimensions import GOAL, Dimension, Scope, ValueKind
from tallystick.model.metrics import BY_VISIT, Metric
from tallystick.model.props import decoded
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
    TimeUnit,
)

Row = Mapping[str, Any]
"""A row of ``hit``."""
Values = tuple[Any, ...]
Numbers = tuple[Any, ...]

EPOCH = date(1970, 1, 1)
OF_PAGEVIEWS = {"next_page", "previous_page"}


class Visit:
    """The hits of one session in the period, or one hit without a session, in the order of their times."""

    def __init__(self, hits: Iterable[Row]) -> None:
        self.hits = sorted(hits, key=lambda hit: (hit["created"], hit["id"]))
        self.pageviews = [hit for hit in self.hits if not hit["event"]]
        self.first = self.hits[0]
        self.followed = bool(self.first["session"]) and not self.first["bot"]

    @property
    def bounced(self) -> bool:
        return len(self.pageviews) <= 1 and not any(hit["event"] and hit["interactive"] for hit in self.hits)

    @property
    def seconds(self) -> int:
        return int(self.hits[-1]["created"] - self.first["created"])

    def neighbour(self, hit: Row, step: int) -> Any:
        """The path of the pageview before or after a pageview; 0 for none."""
        if not self.followed:
            return 0
        position = self.pageviews.index(hit) + step
        return self.pageviews[position]["path"] if 0 <= position < len(self.pageviews) else 0


class Hit:
    """A hit of a visit."""

    def __init__(self, row: Row, visit: Visit) -> None:
        self.row, self.visit = row, visit

    @property
    def is_entry(self) -> bool:
        return self.visit.followed and bool(self.visit.pageviews) and self.row is self.visit.pageviews[0]

    @property
    def is_exit(self) -> bool:
        return self.visit.followed and bool(self.visit.pageviews) and self.row is self.visit.pageviews[-1]


def answer(rows: Iterable[Row], question: Question, zone: tzinfo) -> dict[Values, Numbers]:
    """The figures of each group."""
    hits = hits_of(rows, question)
    passing = [hit for hit in hits if passes(question.condition, hit)]
    visitors_in_all = _visitors(passing)
    groups: dict[Values, list[Hit]] = {}
    if set(question.metrics) - BY_VISIT:
        for hit in passing:
            for values in _groups(hit, question, zone):
                groups.setdefault(values, []).append(hit)
    # Metrics of whole visits are not asked by goal.
    seen, entered = ({}, {}) if GOAL in question.dimensions else _visits(passing, question, zone)
    result = {
        values: tuple(
            _figure(metric, groups.get(values, []), seen.get(values, []), entered.get(values, []), visitors_in_all)
            for metric in question.metrics
        )
        for values in [*groups, *(seen.keys() | entered.keys()) - groups.keys()]
        if values in groups
        or set(question.metrics) & {Metric.BOUNCE_RATE, Metric.VIEWS_PER_VISIT, Metric.VISIT_DURATION}
    }
    if not question.dimensions and not result:
        result[()] = tuple(_figure(metric, [], [], [], visitors_in_all) for metric in question.metrics)
    return result


def hits_of(rows: Iterable[Row], question: Question) -> list[Hit]:
    """The hits of a question's sites and period, with their visits."""
    period = question.period
    chosen = [
        row
        for row in rows
        if row["site"] in question.sites
        and period.first <= row["created"] < period.after
        and bool(row["bot"]) == question.bots
    ]
    sessions: dict[Any, list[Row]] = {}
    for row in chosen:
        alone = question.bots or not row["session"]
        sessions.setdefault(("alone", row["id"]) if alone else (row["site"], row["session"]), []).append(row)
    return [Hit(row, visit) for visit in map(Visit, sessions.values()) for row in visit.hits]


def _visits(
    passing: Sequence[Hit], question: Question, zone: tzinfo
) -> tuple[dict[Values, list[Visit]], dict[Values, list[Visit]]]:
    """Whole visits by group: those with a hit that passes, and those that the bounce rate looks at."""
    by_entry = any(isinstance(each, Dimension) and each.scope is Scope.HIT for each in question.dimensions)
    on_pages = any(match.dimension.name == "page" for match in _matches(question.condition))
    seen: dict[Values, list[Visit]] = {}
    entered: dict[Values, list[Visit]] = {}
    entries = [hit for hit in passing if hit.is_entry]
    anyone = list({id(hit.visit): Hit(hit.visit.first, hit.visit) for hit in passing if hit.visit.followed}.values())
    for hit in entries if by_entry else anyone:
        values = _group(hit, question.dimensions, zone, hit.visit.first["created"])
        assert values is not None
        seen.setdefault(values, []).append(hit.visit)
    for hit in entries if by_entry or on_pages else anyone:
        values = _group(hit, question.dimensions, zone, hit.visit.first["created"])
        assert values is not None
        entered.setdefault(values, []).append(hit.visit)
    if Metric.BOUNCE_RATE not in question.metrics:
        entered = seen
    return seen, entered


def _figure(
    metric: Metric, hits: Sequence[Hit], seen: Sequence[Visit], entered: Sequence[Visit], visitors_in_all: int
) -> Any:
    followed_views = [hit for hit in hits if hit.visit.followed and not hit.row["event"]]
    figures: dict[Metric, Callable[[], Any]] = {
        Metric.VISITORS: lambda: _visitors(hits),
        Metric.VISITS: lambda: _visitors(hits),
        Metric.PAGEVIEWS: lambda: sum(not hit.row["event"] for hit in hits),
        Metric.EVENTS: lambda: len(hits),
        Metric.COUNT: lambda: sum(hit.row["first"] for hit in hits),
        Metric.VIEWS_PER_VISIT: lambda: _ratio(sum(len(visit.pageviews) for visit in seen), len(seen)),
        Metric.BOUNCE_RATE: lambda: _ratio(100 * sum(visit.bounced for visit in entered), len(entered)),
        Metric.VISIT_DURATION: lambda: _ratio(sum(visit.seconds for visit in seen), len(seen)),
        Metric.PERCENTAGE: lambda: _ratio(100 * _visitors(hits), visitors_in_all),
        Metric.EXIT_RATE: lambda: _ratio(100 * sum(hit.is_exit for hit in hits), len(followed_views)),
    }
    return figures[metric]()


def _visitors(hits: Iterable[Hit]) -> int:
    followed = {id(hit.visit) for hit in hits if hit.visit.followed}
    return len(followed) + sum(bool(hit.row["first"]) for hit in hits if not hit.visit.followed)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def passes(expression: FilterExpression, hit: Hit) -> bool:
    """Whether a hit passes a filter."""
    match expression:
        case Match():
            return _fits(expression, hit)
        case AllOf(parts):
            return all(passes(part, hit) for part in parts)
        case AnyOf(parts):
            return any(passes(part, hit) for part in parts)
        case Not(part):
            return not passes(part, hit)
        case HasDone(part):
            return any(passes(part, Hit(other, hit.visit)) for other in hit.visit.hits)


def _matches(expression: FilterExpression) -> list[Match]:
    match expression:
        case Match():
            return [expression]
        case AllOf(parts) | AnyOf(parts):
            return [match for part in parts for match in _matches(part)]
        case Not(part) | HasDone(part):
            return _matches(part)


def _fits(match: Match, hit: Hit) -> bool:
    value = value_of(match.dimension, hit)
    if value is None:
        return False
    if match.dimension.shown:
        value = dict(match.dimension.shown).get(value or "", value)
    return any(_one_fits(match, value, wanted) for wanted in match.values) != match.negated


def _one_fits(match: Match, value: Any, wanted: Any) -> bool:
    if match.dimension.kind is ValueKind.ID and isinstance(wanted, int):
        return bool(value == wanted)
    if match.operator is Operator.MATCHES:
        return re.search(wanted, value, re.IGNORECASE if match.caseless else 0) is not None
    if match.caseless:
        value, wanted = value.lower(), wanted.lower()
    return bool(value == wanted) if match.operator is Operator.IS else wanted in value


def value_of(dimension: Dimension, hit: Hit) -> Any:
    """The value of a dimension; None for a hit to which it does not apply."""
    row, visit = hit.row, hit.visit
    if dimension.name in OF_PAGEVIEWS and row["event"]:
        return None
    ends = {"entry": visit.pageviews[:1], "exit": visit.pageviews[-1:]}
    special: dict[str, Callable[[], Any]] = {
        "page": lambda: row["page"] if row["event"] else row["path"],
        "event_name": lambda: row["path"] if row["event"] else 0,
        "host": lambda: row["host"],
        "bot": lambda: row["bot"],
        "next_page": lambda: visit.neighbour(row, 1),
        "previous_page": lambda: visit.neighbour(row, -1),
        "entry_page": lambda: ends["entry"][0]["path"] if ends["entry"] else 0,
        "exit_page": lambda: ends["exit"][0]["path"] if ends["exit"] else 0,
        "entry_host": lambda: ends["entry"][0]["host"] if ends["entry"] else "",
        "exit_host": lambda: ends["exit"][0]["host"] if ends["exit"] else "",
        "source": lambda: source_of(visit.first),
    }
    if dimension.kind is ValueKind.PROP:
        return decoded(row["props"]).get(dimension.key, "")
    if dimension.name in special:
        return special[dimension.name]()
    return _first_hits_value(dimension, visit.first)


def _first_hits_value(dimension: Dimension, first: Row) -> Any:
    value = first[dimension.columns[0]]
    match dimension.kind:
        case ValueKind.ID:
            return value or 0
        case ValueKind.RANGE if not value and "device" in dimension.columns:
            return first["device"]
        case ValueKind.RANGE:
            return next(range_.name for range_ in dimension.ranges if range_.lowest <= value <= range_.highest)
        case ValueKind.PART:
            part = first[dimension.columns[1]]
            return f"{value}-{part}" if part else ""
        case ValueKind.REFERRING:
            return {"h": value.removeprefix("www."), "g": value}.get(first["ref_scheme"], "")
        case _:
            return value


def source_of(row: Row) -> str:
    """The source of a hit; those of older versions have no channel, and their source follows from the referrer."""
    if row["channel"] or not row["ref"]:
        return str(row["source"])
    if row["ref_scheme"] != "h":
        return str(row["ref"])
    return re.split("[/:?#]", row["ref"].removeprefix("www."))[0]


def _groups(hit: Hit, question: Question, zone: tzinfo) -> list[Values]:
    """The groups of a hit: one, none, or with goals one for each that it reaches."""
    if GOAL not in question.dimensions:
        values = _group(hit, question.dimensions, zone, hit.row["created"])
        return [] if values is None else [values]
    position = question.dimensions.index(GOAL)
    others = _group(hit, [each for each in question.dimensions if each is not GOAL], zone, hit.row["created"])
    reached = [number for number, goal in enumerate(question.goals) if passes(goal.condition, hit)]
    return [] if others is None else [(*others[:position], number, *others[position:]) for number in reached]


def _group(hit: Hit, groupings: Sequence[Grouping], zone: tzinfo, created: int) -> Values | None:
    values = tuple(
        bucket(each, created, zone) if isinstance(each, TimeUnit) else value_of(each, hit) for each in groupings
    )
    return None if None in values else values


def bucket(unit: TimeUnit, created: int, zone: tzinfo) -> int:
    """The value of a time unit, by the zone's clocks."""
    clock = datetime.fromtimestamp(created, UTC).astimezone(zone).replace(tzinfo=None, fold=0)
    day = (clock.date() - EPOCH).days
    seconds = day * 86_400 + clock.hour * 3_600 + clock.minute * 60 + clock.second
    first_dates = {
        TimeUnit.DAY: clock.date(),
        TimeUnit.WEEK: clock.date() - timedelta(days=clock.weekday()),
        TimeUnit.SUNDAY_WEEK: clock.date() - timedelta(days=(clock.weekday() + 1) % 7),
        TimeUnit.MONTH: clock.date().replace(day=1),
    }
    if unit in first_dates:
        return (first_dates[unit] - EPOCH).days
    return {
        TimeUnit.MINUTE: seconds - clock.second,
        TimeUnit.QUARTER_HOUR: seconds - clock.second - clock.minute % 15 * 60,
        TimeUnit.HOUR: seconds - clock.second - clock.minute * 60,
        TimeUnit.WEEKDAY: clock.isoweekday(),
        TimeUnit.HOUR_OF_DAY: clock.hour,
    }[unit]
